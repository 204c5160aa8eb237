// Asks the page by its address alone, as somebody does who was sent one.
// node ask.mjs MODULES CHROMIUM: addresses on standard input, one a line; one line of JSON each.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modules, chromiumPath] = process.argv.slice(2);
const require = createRequire(join(modules, 'node_modules', 'here.js'));
const { chromium } = require('playwright-core');
const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext({ acceptDownloads: true });
for (const address of readFileSync(0, 'utf8').trim().split('\n')) {
  const page = await context.newPage();
  const said = [];
  page.on('pageerror', (error) => said.push(String(error)));
  await page.goto(address);
  await page.waitForFunction(() => document.body.getAttribute('aria-busy') === 'false' || document.getElementById('wrong').textContent);
  const seen = await page.evaluate(() => {
    const text = (id) => document.getElementById(id).textContent;
    // On a canvas nothing is an element until it is pointed at.
    state.layer?.eachLayer((layer) => layer.getTooltip() && layer.openTooltip());
    return {
      wrong: text('wrong'), words: text('words'), more: text('more'), km: text('km'), run: text('run'), timeline: text('timeline'),
      area: text('area'), before: document.querySelector('#points td:last-child')?.textContent, hint: !document.getElementById('hint').hidden,
      told: !document.getElementById('told').hidden, label: document.querySelector('#timeline svg')?.getAttribute('aria-label'),
      untold: document.querySelectorAll('#timeline .untold').length, bars: document.querySelectorAll('#timeline rect').length,
      images: document.querySelectorAll('#map img').length, datasets: document.querySelectorAll('#dataset option').length,
    };
  });
  if (seen.told) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
    seen.csv = readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n');
  }
  // A field that somebody clears.
  if (seen.told) {
    await page.fill('#from', '');
    await page.locator('#from').dispatchEvent('change');
    await page.waitForFunction(() => document.getElementById('wrong').textContent);
    seen.cleared = await page.locator('#wrong').textContent();
  }
  console.log(JSON.stringify({ ...seen, said }));
  await page.close();
}
await browser.close();
