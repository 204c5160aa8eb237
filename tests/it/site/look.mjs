// Looks at every page of a site in headless Chromium, from the disk, on a phone and at a desk, follows every link, and uses the
// search by keyboard. node look.mjs MODULES CHROMIUM FOLDER SCREENSHOTS NAME: one line of JSON a look.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { barriers, browser } from '../support/browser.mjs';

const [, , folder, screenshots, name] = process.argv.slice(2);
const root = pathToFileURL(folder).href + '/';

for (const [width, height] of [[360, 740], [1280, 900]]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    const said = [], elsewhere = [], violations = [], wide = [];
    let slowest = 0, scripts = 0, charts = 0;
    page.on('console', (message) => said.push(`${page.url()}: ${message.text()}`));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => {
      if (!request.isNavigationRequest() && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    const open = [root + 'index.html'], visited = new Set();
    const looked = new Set();
    while (open.length) {
      const url = open.pop();
      if (visited.has(url)) continue;
      visited.add(url);
      await page.goto(url, { waitUntil: 'load' });
      slowest = Math.max(slowest, await page.evaluate(() => performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart));
      const seen = await page.evaluate(() => ({
        links: [...document.querySelectorAll('a[href]:not([download])')].map((link) => link.href.split('#')[0]),
        scrolls: document.documentElement.scrollWidth > document.documentElement.clientWidth,
        scripts: [...document.scripts].filter((script) => script.type === '').length,
        charts: document.querySelectorAll('svg[role=img] title').length,
      }));
      open.push(...seen.links.filter((link) => link.startsWith(root) && link.endsWith('.html')));
      if (seen.scrolls) wide.push(url);
      scripts += seen.scripts;
      charts = Math.max(charts, seen.charts);
      // The first few pages of each template: the others have the same structure.
      const kind = url.slice(root.length).replace(/\/.*/, '/');
      const times = [...looked].filter((one) => one.startsWith(kind)).length;
      if (times < 2) {
        looked.add(kind + times);
        const found = await barriers(page);
        violations.push(...found.map((text) => `${url}: ${text}`));
        if (times === 0) await page.screenshot({ path: join(screenshots, `${kind.replace('/', '')}-${width}-${colorScheme}.png`), fullPage: true });
      }
    }
    // The search, by keyboard alone: type, down, back, type something that is not there, type a name, enter.
    await page.goto(root + 'search.html');
    const said_ = () => page.locator('#said').textContent();
    await page.keyboard.type(name.slice(0, 3));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Escape');
    const back = await page.evaluate(() => document.activeElement.id);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('no such bird');
    const nothing = await said_();
    await page.keyboard.press('Control+A');
    await page.keyboard.type(name.toUpperCase());
    await page.keyboard.press('ArrowDown');
    const found = await page.evaluate(() => document.activeElement.textContent);
    await page.screenshot({ path: join(screenshots, `found-${width}-${colorScheme}.png`) });
    await page.keyboard.press('ArrowUp');
    await Promise.all([page.waitForURL('**/projects/*.html'), page.keyboard.press('Enter')]);
    console.log(JSON.stringify({ width, colorScheme, visited: visited.size, said, elsewhere, violations, wide, slowest, scripts, charts,
      found, back, nothing, opened: page.url() }));
    await context.close();
  }
}
await browser.close();
