import type { Report } from '../model/report.ts';
import { noOutageText } from '../report/present.ts';
import { type Child, h } from './dom.ts';
import type { Page } from './page.ts';

/** The six numbers that people ask for first. */
export function tiles(page: Page, outage: number): HTMLElement {
  const { report, num } = page;
  const effective = report.faults.filter((fault) => fault.effective).length;
  const slowest = slowestRecovery(report);
  const chaos = report.phases.findIndex((phase) => phase.name === 'chaos');
  const baseline = report.phases.findIndex((phase) => phase.name === 'baseline');
  return h(
    'ul',
    { class: 'tiles' },
    tile('Availability', num(['availability', 'ratio'], 'share'), [
      num(['availability', 'requests'], 'count'),
      ' requests',
    ]),
    tile('Failed requests', num(['errors', 'total'], 'count'), [
      num(['errors', 'unattributed'], 'count'),
      ' unattributed',
    ]),
    tile(
      'Longest outage',
      outage < 0 ? noOutageText(report) : num(['outages', outage, 'durationMs'], 'ms'),
      outage < 0
        ? ['available ', num(['availability', 'byTime'], 'share'), ' of the time']
        : ['± ', num(['outages', outage, 'uncertaintyMs'], 'ms')],
    ),
    tile(
      'Slowest recovery',
      slowest.index < 0 ? 'none' : num(['faults', slowest.index, 'recoveryMs'], 'ms', 'never'),
      [slowest.index < 0 ? 'no fault needed one' : `of ${slowest.count} that needed one`],
    ),
    tile('p99 under chaos', chaos < 0 ? 'not measured' : num(['phases', chaos, 'p99Ms'], 'ms'), [
      'baseline ',
      baseline < 0 ? 'not measured' : num(['phases', baseline, 'p99Ms'], 'ms'),
    ]),
    tile('Faults', String(report.faults.length + (page.omitted['faults'] ?? 0)), [
      `${effective} took effect`,
    ]),
  );
}

function tile(label: string, value: Child, note: readonly Child[]): HTMLElement {
  return h(
    'li',
    {},
    h('span', { class: 'label' }, label),
    h('span', { class: 'value' }, value),
    h('span', { class: 'note' }, ...note),
  );
}

/** The fault whose recovery took longest; one that never came is longer than any that did. */
function slowestRecovery(report: Report): { index: number; count: number } {
  let best = { index: -1, count: 0 };
  let longest = -1;
  report.faults.forEach((fault, index) => {
    const needed = fault.effective && fault.expect !== 'survives';
    if (!needed || (fault.recoveryMs === null && fault.recovered !== false)) return;
    const ms = fault.recoveryMs ?? Infinity;
    best = { index: ms > longest ? index : best.index, count: best.count + 1 };
    longest = Math.max(longest, ms);
  });
  return best;
}
