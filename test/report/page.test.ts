import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { type FormatUnit, formatValue } from '../../dist/base/format.js';
import { REPORTERS } from '../../dist/report/registry.js';
import { CONTRACT_REPORTS, renderWith } from '../contract/reporter.ts';
import { launchChromium } from '../support/chromium.ts';

const dir = t.testdir({});
const browser: Browser = await launchChromium();
// The root only ends when nothing is open any more, which a browser is until it is told: see the end of this file.
t.teardown(() => browser.close());

const files = new Map<string, { readonly html: string; readonly json: unknown; readonly url: string }>();
for (const [name, make] of Object.entries(CONTRACT_REPORTS)) {
  const all = [...REPORTERS.values()].map((reporter) => renderWith(reporter, make()).files);
  const { 'report.html': html = '', 'report.json': json = '' } = Object.assign({}, ...all);
  const path = join(dir, `${name.replace(/ /g, '-')}.html`);
  writeFileSync(path, html);
  files.set(name, { html, json: JSON.parse(json), url: pathToFileURL(path).href });
}

function written(name: string): { readonly html: string; readonly json: unknown; readonly url: string } {
  const found = files.get(name);
  if (found === undefined) throw new Error(`no report ${name}`);
  return found;
}

/** Runs in the page: what a screen reader could not name, and ids that are there twice. */
const NAMELESS = `(() => {
  const bad = [];
  for (const element of document.querySelectorAll('button, a, input, select, [role=img], [role=region]')) {
    const label = element.getAttribute('aria-label') ?? element.closest('label')?.textContent ?? element.textContent;
    if ((label ?? '').trim() === '') bad.push(element.outerHTML.slice(0, 80));
  }
  for (const cell of document.querySelectorAll('thead th')) {
    if (cell.getAttribute('scope') !== 'col') bad.push(cell.outerHTML);
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  bad.push(...ids.filter((id, index) => ids.indexOf(id) !== index));
  return bad;
})()`;

/** Runs in the page: how many bars of booting workers lie over one that is alive in the same slot. */
const COVERED = `(() => {
  const rects = (kind) => [...document.querySelectorAll('#timeline rect.' + kind)].map((rect) => ({
    y: rect.getAttribute('y'), from: Number(rect.getAttribute('x')),
    to: Number(rect.getAttribute('x')) + Number(rect.getAttribute('width')) }));
  return rects('booting').filter((boot) => rects('alive').some((one) =>
    one.y === boot.y && one.from < boot.to - 2 && boot.from < one.to - 2)).length;
})()`;

/** Runs in the page: whether each panel has anything drawn. */
const PAINTED = `[...document.querySelectorAll('#timeline canvas')].map((canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0))`;

/** Runs in the page: what the XML parser says against a text. */
const xmlError = (xml: string): string =>
  `new DOMParser().parseFromString(${JSON.stringify(xml)}, 'text/xml').querySelector('parsererror')?.textContent ?? null`;

interface Opened {
  readonly page: Page;
  /** Console messages, page errors and requests for anything but the page. */
  readonly trouble: string[];
}

async function open(t: Test, url: string, theme: 'light' | 'dark' = 'light'): Promise<Opened> {
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width: 1240, height: 900 },
  });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const trouble: string[] = [];
  page.on('console', (message) => trouble.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const asked = request.url();
    if (asked !== url.replace(/#.*/, '') && !asked.startsWith('data:')) trouble.push(`request: ${asked}`);
  });
  await page.goto(url);
  await page.waitForSelector('#app[data-ready=true]', { timeout: 30_000 });
  return { page, trouble };
}

interface Shown {
  readonly path: string;
  readonly value: string;
  readonly unit: FormatUnit;
  readonly absent: string | null;
  readonly text: string;
}

async function numbersIn(page: Page): Promise<Shown[]> {
  return await page.$$eval('[data-path]', (all) =>
    all.map((element) => ({
      path: element.getAttribute('data-path') ?? '',
      value: element.getAttribute('data-value') ?? '',
      unit: (element.getAttribute('data-unit') ?? '') as FormatUnit,
      absent: element.getAttribute('data-absent'),
      text: element.textContent ?? '',
    })),
  );
}

/** What a JSON pointer names. */
function resolve(document: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replace(/~1/g, '/').replace(/~0/g, '~'))
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document);
}

for (const name of files.keys()) {
  for (const theme of ['light', 'dark'] as const) {
    t.test(
      `${name}, ${theme}: opens from disk in silence and shows the numbers of report.json`,
      async (t) => {
        const { url, json } = written(name);
        const { page, trouble } = await open(t, url, theme);
        t.same(trouble, [], 'no console message, no error, no request');
        t.equal(await page.locator('[data-broken]').count(), 0, 'every section was drawn');
        t.equal(await page.evaluate('window.hacked'), undefined, 'nothing that a target said has run');
        t.equal(await page.evaluate('document.documentElement.dataset.theme'), theme);

        const shown = await numbersIn(page);
        t.ok(shown.length >= 10, `${shown.length} numbers`);
        const wrong = shown.filter(({ path, value, unit, absent, text }) => {
          const truth = resolve(json, path) ?? null;
          const expected = formatValue(truth as number | null, unit, absent ?? undefined);
          return value !== JSON.stringify(truth) || text !== expected;
        });
        t.same(wrong, [], 'each is the one in report.json, written as everywhere');
        await page.screenshot({ path: join(dir, `${name.replace(/ /g, '-')}-${theme}.png`) });
      },
    );
  }
}

t.test('the numbers that matter are on the page', async (t) => {
  const { page } = await open(t, written('an ordinary report').url);
  const paths = new Set((await numbersIn(page)).map(({ path }) => path));
  const wanted = [
    '/availability/ratio',
    '/errors/total',
    '/errors/unattributed',
    '/outages/0/durationMs',
    '/checks/4/limit',
    '/checks/4/actual',
    '/faults/5/recovery/noticedMs',
    '/faults/5/recovery/goodputMs',
    '/faults/5/injectedAtMs',
    '/phases/2/p99Ms',
    '/workers/12/requests',
    '/balance/perSlot/3/requests',
    '/balance/cv',
    '/harness/faultSkewMsP99',
    '/run/durationMs',
  ];
  t.same(
    wanted.filter((path) => !paths.has(path)),
    [],
  );
  await page.locator('#series summary').click();
  await page.waitForSelector('[data-path="/series/p99Ms/20"]');
});

t.test('verdict, reason, seed and command stand first and can be copied', async (t) => {
  const { page } = await open(t, written('an ordinary report').url);
  t.equal(await page.textContent('#verdict'), 'FAIL');
  t.match(await page.textContent('#reason'), /^1 of 14 objectives broken/);
  t.equal(await page.textContent('#seed'), '4711');
  t.match(await page.textContent('#replay'), /^npx chaos run/);
  t.match(await page.textContent('#objectives tbody tr:first-child'), /recovery\.max/, 'broken ones first');
  await page.locator('button.copy').first().click();
  // Not `waitForFunction`: the page's own policy forbids what that evaluates.
  await page
    .locator('button.copy', { hasText: /Copied|Selected/ })
    .first()
    .waitFor();
});

t.test('the timeline has its panels, bands, lanes and one axis', async (t) => {
  const { page } = await open(t, written('a report of all kinds of trouble').url);
  t.equal(await page.locator('#timeline canvas').count(), 4);
  const label = async (name: string): Promise<string> =>
    (await page.textContent(`svg[aria-label="${name}"]`)) ?? '';
  t.match(await label('Phases of the run'), /baseline.*chaos.*recovery/);
  t.match(await label('Faults by kind'), /freeze-2, slot 1, at 11\.21 s: never recovered/);
  t.match(await label('Outages'), /outage of 1\.5 s/);
  t.match(await label('Workers by slot and generation'), /code 1 at 22\.61 s: nobody asked for it/);
  t.equal(await page.evaluate(COVERED), 0, 'a standby that waits does not cover who serves');
  const painted = await page.evaluate(PAINTED);
  t.same(painted, [true, true, true, true], 'each panel has something drawn');
});

t.test('a drag zooms all panels, the address keeps it, a double click shows all again', async (t) => {
  const { url } = written('an ordinary report');
  const { page, trouble } = await open(t, url);
  await page.evaluate("document.getElementById('timeline').scrollIntoView()");
  const box = await page.locator('.panel .u-over').first().boundingBox();
  if (box === null) throw new Error('there is no panel');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.4, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=/);
  const zoomed = (await page.textContent('svg[aria-label^="Time since"]')) ?? '';
  t.notMatch(zoomed, /\b5 s/);
  const again = await open(t, page.url());
  t.equal(await again.page.textContent('svg[aria-label^="Time since"]'), zoomed, 'the address restores it');
  await page.locator('.panel .u-over').first().dblclick();
  await page.waitForURL((address) => !address.hash.includes('from='));
  t.same(trouble, []);
});

t.test('filters live in the address', async (t) => {
  const { url } = written('an ordinary report');
  const { page } = await open(t, url);
  const rows = (): Promise<number> => page.locator('#events tbody tr').count();
  const all = await rows();
  await page.fill('#event-query', 'kill-6');
  const some = await rows();
  t.ok(some > 0 && some < all);
  t.match(page.url(), '#q=kill-6');
  const again = await open(t, `${url}#events&q=kill-6&theme=dark`);
  t.equal(await again.page.locator('#events tbody tr').count(), some);
  t.equal(await again.page.evaluate('document.documentElement.dataset.theme'), 'dark', 'over the system');
  t.ok(await again.page.evaluate('scrollY > 500'), 'the section of the address is in view');
});

t.test('the theme can be switched, and what is drawn follows', async (t) => {
  const { page, trouble } = await open(t, written('an ordinary report').url);
  const shot = (): Promise<Buffer> => page.locator('#timeline .panel').first().screenshot();
  const light = await shot();
  await page.click('#theme');
  t.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark');
  t.notOk(light.equals(await shot()));
  t.same(trouble, []);
});

t.test('a big report stays small and opens with bounded tables that can grow', async (t) => {
  const { html, url } = written('a big report');
  t.ok(html.length < 2_000_000, `${html.length} bytes`);
  const { page } = await open(t, url);
  t.comment(`ready after ${Math.round(Number(await page.evaluate('performance.now()')))} ms`);
  t.equal(await page.locator('#faults tbody tr').count(), 200);
  t.match(await page.textContent('#faults .more'), /800 more/);
  await page.click('#faults .more button');
  t.equal(await page.locator('#faults tbody tr').count(), 400);
  t.match(await page.textContent('#events .more'), /more in report\.json/);
  t.ok(Number(await page.evaluate("document.querySelectorAll('*').length")) < 40_000);
});

t.test('readers without the pictures get everything', async (t) => {
  const { page } = await open(t, written('a report of all kinds of trouble').url);
  const nameless = await page.evaluate(NAMELESS);
  t.same(nameless, []);
  t.equal(await page.locator('h1').count(), 1);
  await page.emulateMedia({ media: 'print' });
  t.equal(await page.locator('.top').isVisible(), false, 'on paper there is no navigation');
});

t.test('the policy stops everything but the two hashes', async (t) => {
  const { html } = written('a hostile report');
  t.match(html, /default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'/);
  t.equal(html.match(/<script/g)?.length, 2, 'data and app; nothing a target said opens another');
  t.notMatch(html, /unsafe-/);
});

t.test('junit.xml of a hostile report is XML', async (t) => {
  const { page } = await open(t, written('an empty report').url);
  for (const make of Object.values(CONTRACT_REPORTS)) {
    const junit = REPORTERS.get('junit');
    if (junit === undefined) throw new Error('no junit reporter');
    const xml = renderWith(junit, make()).files['junit.xml'] ?? '';
    const broken = await page.evaluate(xmlError(xml));
    t.equal(broken, null);
  }
});

t.end();
