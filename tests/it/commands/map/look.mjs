// Opens a page in headless Chromium, without a network, as people do: on a phone and at a desk, by day and by night.
// node look.mjs MODULES CHROMIUM PAGE SCREENSHOTS KEY: one line of JSON a look. KEY is the area that is pointed at.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { barriers, browser } from '../../support/browser.mjs';

const [, , file, screenshots, key] = process.argv.slice(2);
const url = pathToFileURL(file).href;

for (const [width, height] of [[390, 844], [1280, 900]]) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme, deviceScaleFactor: 2 });
    const said = [], requests = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:')) requests.push(request.url());
    });
    await page.goto(url);
    await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: true });
    const area = page.locator(`.map .a[data-a="${key}"]`);
    await area.scrollIntoViewIfNeeded();
    // A point that is inside of the area, and not only of the box around it.
    const point = await area.evaluate((shape) => {
      const box = shape.getBoundingClientRect();
      for (let across = 1; across < 20; across++) {
        for (let down = 1; down < 20; down++) {
          const [x, y] = [box.x + box.width * across / 20, box.y + box.height * down / 20];
          if (document.elementFromPoint(x, y) === shape) return [x, y];
        }
      }
      return null;
    });
    if (point) await page.mouse.move(...point);
    const tip = await page.locator('#tip').evaluate((tip) => (tip.hidden ? null : tip.textContent));
    if (width > 1000) await page.screenshot({ path: join(screenshots, `hover-${colorScheme}.png`) });
    await page.locator('#find').fill(key);
    const found = await page.locator('#found').textContent();
    await page.locator('#find').fill('');
    const violations = await barriers(page);
    const { scrolls, sheet } = await page.evaluate(() => ({
      scrolls: document.documentElement.scrollWidth > document.documentElement.clientWidth,
      sheet: getComputedStyle(document.body).backgroundColor,
    }));
    console.log(JSON.stringify({ width, colorScheme, said, requests, tip, found, violations, scrolls, sheet }));
    await page.close();
  }
}

const plain = await browser.newContext({ javaScriptEnabled: false });
const page = await plain.newPage();
await page.goto(url);
const title = await page.locator(`.map .a[data-a="${key}"] title`).textContent();
console.log(JSON.stringify({ title, finds: await page.locator('#find').isVisible() }));
await browser.close();
