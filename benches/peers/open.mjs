// Opens pages from the disk in headless Chromium, each three times. node open.mjs MODULES CHROMIUM FOLDER PAGE…: prints the
// milliseconds of the slowest page, each by its median, until all of it is there to be read.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, folder, ...pages] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, 'node_modules', 'here.js'))('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] });
const page = await (await browser.newContext({ viewport: { width: 360, height: 740 } })).newPage();
// The first page of a browser pays for the browser.
await page.goto('about:blank');
let slowest = 0;
for (const path of pages) {
  const times = [];
  for (let round = 0; round < 3; round++) {
    await page.goto(pathToFileURL(join(folder, path)).href, { waitUntil: 'load' });
    times.push(await page.evaluate(() => {
      const painted = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
      return Math.max(painted, performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd);
    }));
  }
  slowest = Math.max(slowest, times.sort((one, other) => one - other)[1]);
}
console.log(slowest);
await browser.close();
