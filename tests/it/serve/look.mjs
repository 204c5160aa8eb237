// Uses the page in headless Chromium as people do: types, picks, drags, by mouse and by keyboard alone, on a phone and at a desk.
// node look.mjs MODULES CHROMIUM URL SCREENSHOTS POSTCODE: one line of JSON a look.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { barriers, browser } from '../support/browser.mjs';

const [, , url, screenshots, postcode] = process.argv.slice(2);

// The page's numbers, and the API's for the same question.
async function compared(page) {
  await page.waitForFunction(() => document.body.getAttribute('aria-busy') === 'false');
  return page.evaluate(async () => {
    const given = new URLSearchParams(location.search);
    const path = `/api/${given.get('postcode')}/${given.get('from')}..${given.get('to')}/${given.get('radius')}`;
    const answer = await (await fetch(path)).json();
    const total = (answer.timeline ?? []).reduce((sum, moment) => sum + moment.hits, 0);
    return {
      total: new Intl.NumberFormat('en').format(total), words: document.getElementById('words').textContent,
      radius: given.get('radius'), places: answer.places,
      stats: [...document.querySelectorAll('#stats tr')].map((row) => [...row.cells].slice(0, 2).map((cell) => cell.textContent)),
      expected: (answer.stats ?? []).sort((a, b) => Number(a.sbi) - Number(b.sbi)).map((stat) => [stat.sbi, new Intl.NumberFormat('en').format(stat.total)]),
      rows: document.querySelectorAll('#points tr').length, points: (answer.points ?? []).length,
      bars: document.querySelectorAll('#timeline rect').length, days: (answer.timeline ?? []).length,
      map: Boolean(document.querySelector('#map .leaflet-pane')), wrong: document.getElementById('wrong').textContent,
    };
  });
}

for (const [width, height] of [[390, 844], [1280, 900]]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, acceptDownloads: true });
    const page = await context.newPage();
    const said = [], elsewhere = [];
    let bytes = 0;
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url());
    });
    page.on('response', async (response) => { bytes += (await response.body().catch(() => '')).length; });
    const begun = Date.now();
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById('from').value);
    const usable = Date.now() - begun;
    const first = bytes;
    // By keyboard alone: to the first field, type, go on.
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => document.activeElement.id);
    await page.keyboard.type(postcode.toLowerCase().slice(0, 3));
    await page.waitForFunction((typed) => document.querySelector('#postcodes option')?.value.startsWith(typed), postcode.slice(0, 3));
    const offered = await page.locator('#postcodes option').first().getAttribute('value');
    await page.keyboard.type(postcode.toLowerCase().slice(3));
    await page.keyboard.press('Enter');
    const typed = await compared(page);
    for (let step = 0; step < 12 && await page.evaluate(() => document.activeElement.id) !== 'radius'; step++) await page.keyboard.press('Tab');
    for (let step = 0; step < 6; step++) await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => new URLSearchParams(location.search).get('radius') === '4');
    const wider = await compared(page);
    // A canvas has no elements.
    await page.waitForFunction(() => state.borders);
    const outlined = await page.evaluate(() => state.borders.getLayers().length);
    await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: true });
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
    const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n');
    const violations = await barriers(page);
    const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    // A person who is given the address sees the same.
    const shared = await context.newPage();
    await shared.goto(page.url());
    const other = await compared(shared);
    await page.fill('#postcode', '9999ZZ');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.getElementById('wrong').textContent);
    const wrong = await page.locator('#wrong').textContent();
    console.log(JSON.stringify({ width, colorScheme, said: said.filter((text) => !text.includes('400')), elsewhere, usable, first,
      focused, offered, typed, wider, outlined, csv: lines.length, violations, scrolls, same: other.words === wider.words, wrong }));
    await context.close();
  }
}
await browser.close();
