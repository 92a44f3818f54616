import { formatCount, formatMs, formatValue } from '../base/format.ts';
import type { Verdict } from '../model/verdict.ts';
import { cutLine } from '../report/clean.ts';
import { longestOutageIndex, VERDICT_WORD } from '../report/present.ts';
import { foreign, h, s } from './dom.ts';
import type { Page } from './page.ts';
import { tiles } from './tiles.ts';

/** The verdict with its reason in words, and how to get it again. */
export function banner(page: Page): HTMLElement {
  const { report } = page;
  const { run } = report;
  return h(
    'div',
    { class: `banner ${report.verdict}` },
    h(
      'div',
      { class: 'verdict' },
      h('span', { class: 'mark', 'aria-hidden': 'true' }, icon(report.verdict)),
      h(
        'div',
        {},
        h(
          'h1',
          {},
          h('span', { id: 'verdict', class: 'word' }, VERDICT_WORD[report.verdict]),
          h('span', { class: 'scenario' }, cutLine(run.scenario, 120)),
        ),
        h('p', { class: 'reason', id: 'reason' }, foreign(report.reason)),
        run.description === '' ? null : h('p', { class: 'about' }, foreign(run.description)),
      ),
    ),
    h(
      'dl',
      { class: 'again' },
      h('dt', {}, 'Seed'),
      h('dd', {}, copyable('seed', run.seed)),
      h('dt', {}, 'Run it again'),
      h('dd', {}, copyable('replay', run.replay)),
    ),
    tiles(page, longestOutageIndex(report)),
    h('p', { class: 'facts' }, facts(page)),
  );
}

function facts({ report: { run } }: Page): string {
  const rate = run.ratePerSecond === null ? 'closed loop' : formatValue(run.ratePerSecond, 'per-second');
  return [
    cutLine(run.target, 200),
    `${formatCount(run.workers)} workers`,
    rate,
    formatMs(run.durationMs),
    cutLine(run.startedAt, 40),
    `Node ${cutLine(run.environment.node, 40)}`,
  ]
    .filter((fact) => fact !== '')
    .join('  ·  ');
}

function copyable(id: string, text: string): HTMLElement {
  const clean = foreign(text);
  const code = h('code', { id }, clean === '' ? 'none' : clean);
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': `Copy the ${id}` }, 'Copy');
  button.addEventListener('click', () => {
    copy(clean, code).then(
      () => said(button, 'Copied'),
      () => said(button, 'Selected'),
    );
  });
  return h('span', { class: 'copyable' }, code, button);
}

/** Browsers give pages from disk no clipboard; then the text is at least selected. */
async function copy(text: string, element: HTMLElement): Promise<void> {
  getSelection()?.selectAllChildren(element);
  await navigator.clipboard.writeText(text);
}

function said(button: HTMLElement, word: string): void {
  button.textContent = word;
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 1500);
}

/** Drawn and not written: fonts differ too much in these glyphs. */
function icon(verdict: Verdict): SVGElement {
  const path = {
    pass: 'M7 14.5l4.6 4.6L21 9.6',
    fail: 'M9 9l10 10M19 9L9 19',
    inconclusive: 'M10 11a4 4 0 1 1 5.6 3.7c-1.1.5-1.6 1.2-1.6 2.3M14 21v.1',
  }[verdict];
  return s('svg', { viewBox: '0 0 28 28', width: 34, height: 34 }, s('path', { d: path }));
}
