// Takes the picture of a report for the README: node scripts/screenshot.mjs <report.html> <out.png> [light|dark] [width] [height or selector]
// The height is in px, or a selector: the picture ends where that element does (`#timeline`); without it, all of the page.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import sparticuz from '@sparticuz/chromium';
import { chromium } from 'playwright-core';

const [page, out, theme = 'light', width = '1240', until = ''] = process.argv.slice(2);
if (page === undefined || out === undefined) {
  console.error(
    'usage: node scripts/screenshot.mjs <report.html> <out.png> [light|dark] [width] [height|selector]',
  );
  process.exit(3);
}
const browser = await chromium.launch({
  executablePath: process.env.CHAOS_CHROMIUM ?? (await sparticuz.executablePath()),
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
});
try {
  const tab = await browser.newPage({
    viewport: { width: Number(width), height: Number(until) || 900 },
    colorScheme: theme === 'dark' ? 'dark' : 'light',
  });
  await tab.goto(pathToFileURL(resolve(page)).href);
  await tab.waitForSelector('#app[data-ready=true]');
  const end = until === '' || Number(until) > 0 ? null : await tab.locator(until).boundingBox();
  const clip =
    end === null ? undefined : { x: 0, y: 0, width: Number(width), height: end.y + end.height + 18 };
  writeFileSync(out, await tab.screenshot({ fullPage: !(Number(until) > 0), type: 'png', clip }));
} finally {
  await browser.close();
}
