// Takes the picture of a report for the README: node scripts/screenshot.mjs <report.html> <out.png> [light|dark] [width] [height]
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import sparticuz from '@sparticuz/chromium';
import { chromium } from 'playwright-core';

const [page, out, theme = 'light', width = '1240', height = '0'] = process.argv.slice(2);
if (page === undefined || out === undefined) {
  console.error('usage: node scripts/screenshot.mjs <report.html> <out.png> [light|dark] [width] [height]');
  process.exit(3);
}
const browser = await chromium.launch({
  executablePath: process.env.CHAOS_CHROMIUM ?? (await sparticuz.executablePath()),
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
});
try {
  const tab = await browser.newPage({
    viewport: { width: Number(width), height: Number(height) || 900 },
    colorScheme: theme === 'dark' ? 'dark' : 'light',
  });
  await tab.goto(pathToFileURL(resolve(page)).href);
  await tab.waitForSelector('#app[data-ready=true]');
  await tab.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  writeFileSync(out, await tab.screenshot({ fullPage: Number(height) === 0, type: 'png' }));
} finally {
  await browser.close();
}
