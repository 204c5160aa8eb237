// Headless Chromium for the scripts that look at pages: node look.mjs MODULES CHROMIUM PAGE SCREENSHOTS WORD.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modules, executablePath] = process.argv.slice(2);
const require = createRequire(join(modules, 'node_modules', 'here.js'));
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const browser = await require('playwright-core').chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

// The barriers that axe finds in a page, with their first places. axe is evaluated because a policy of the page may refuse
// a script.
export async function barriers(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => (await window.axe.run()).violations
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' ')}`));
}
