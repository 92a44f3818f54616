import { existsSync } from 'node:fs';
import sparticuz from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

/**
 * The browser of the tests: `CHAOS_CHROMIUM` names a system one; without it, the one inside the dev dependency, so
 * that a fresh clone needs no download.
 */
export async function launchChromium(): Promise<Browser> {
  const own = process.env['CHAOS_CHROMIUM'];
  if (own !== undefined && !existsSync(own)) throw new Error(`CHAOS_CHROMIUM: there is no ${own}`);
  return await chromium.launch({
    executablePath: own ?? (await sparticuz.executablePath()),
    headless: true,
    // Root in a container has no sandbox; nothing here may look for updates, fonts or proxies.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--headless=old',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-default-apps',
      '--disable-extensions',
      '--disable-sync',
      '--no-first-run',
      '--no-proxy-server',
      '--metrics-recording-only',
    ],
  });
}
