import type { ReportWorker } from '../model/report.ts';
import { foreign, h, styled } from './dom.ts';
import type { Page, Section } from './page.ts';
import { table } from './table.ts';

/** Every worker that ever was, and how evenly the work was spread. */
export const workersSection: Section = {
  id: 'workers',
  title: 'Workers and balance',
  short: 'Workers',
  build(page) {
    return [balance(page), h('h3', {}, 'Workers'), workerTable(page)];
  },
};

/** Slots beyond this are in `report.json`. */
const SLOTS_MAX = 64;

function balance({ report, num }: Page): HTMLElement {
  const { perSlot } = report.balance;
  if (perSlot.length === 0) return h('p', { class: 'none' }, 'No request could be told to a slot.');
  const max = Math.max(1, ...perSlot.map(({ requests }) => requests));
  const rows = perSlot
    .slice(0, SLOTS_MAX)
    .map(({ slot, requests }, index) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, `slot ${slot}`),
        h('td', { class: 'right' }, num(['balance', 'perSlot', index, 'requests'], 'count')),
        h(
          'td',
          { class: 'wide' },
          styled(h('span', { class: 'bar', 'aria-hidden': 'true' }), { width: `${(100 * requests) / max}%` }),
        ),
        h(
          'td',
          { class: 'right muted' },
          num(['balance', 'perSlot', index, 'connections'], 'count'),
          ' connections',
        ),
      ),
    );
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'lead' },
      'Requests per slot; coefficient of variation ',
      num(['balance', 'cv'], 'count'),
    ),
    h('table', { class: 'bars' }, ...rows),
    perSlot.length > rows.length ? h('p', { class: 'more' }, `${perSlot.length - rows.length} more`) : null,
  );
}

function workerTable({ report, num, omitted }: Page): HTMLElement {
  return table({
    caption: 'Workers by slot and generation',
    columns: [
      { title: 'Slot', right: true },
      { title: 'Generation', right: true },
      { title: 'Pid', right: true },
      { title: 'Spawned', right: true },
      { title: 'Listening', right: true },
      { title: 'Exited', right: true },
      { title: 'By' },
      { title: 'Asked for by' },
      { title: 'Requests', right: true },
      { title: 'p50', right: true },
    ],
    rows: report.workers.map((worker, index) => ({ worker, index })),
    cells: ({ worker, index }) => [
      String(worker.slot),
      String(worker.generation),
      String(worker.pid),
      num(['workers', index, 'spawnedAtMs'], 'ms'),
      num(['workers', index, 'listeningAtMs'], 'ms', 'never'),
      num(['workers', index, 'exitedAtMs'], 'ms', '–'),
      endedBy(worker),
      askedBy(worker),
      num(['workers', index, 'requests'], 'count'),
      num(['workers', index, 'p50Ms'], 'ms', '–'),
    ],
    rowClass: ({ worker }) => (isFinding(worker) ? 'fail' : ''),
    empty: 'No worker was seen.',
    omitted: omitted['workers'] ?? 0,
  });
}

/** An exit that nobody asked for. */
export function isFinding(worker: ReportWorker): boolean {
  return worker.exitedAtMs !== null && worker.expected === null;
}

/** `SIGKILL`, or `code 1`. */
export function endedBy(worker: ReportWorker): string {
  if (worker.exitedAtMs === null) return '–';
  if (worker.signal !== null) return foreign(worker.signal);
  return worker.code === null ? 'not known' : `code ${worker.code}`;
}

function askedBy(worker: ReportWorker): string | HTMLElement {
  if (worker.exitedAtMs === null) return '–';
  if (worker.expected !== null) return foreign(worker.expected);
  return h('strong', { class: 'fail' }, 'nobody');
}
