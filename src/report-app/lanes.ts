import { formatMs } from '../base/format.ts';
import type { ReportWorker } from '../model/report.ts';
import { foreign, s, styled } from './dom.ts';
import type { Page } from './page.ts';
import { endedBy, isFinding } from './section-workers.ts';
import { gutterText, plotArea, svg } from './strips.ts';
import { GUTTER_PX, RIGHT_PX, type TimeView, timeTicks } from './time-view.ts';

/** More slots than this do not fit on a page. */
const SLOTS_MAX = 128;
/** Room that one exit's cross needs. */
const CROSS_PX = 16;

/** One row a slot, one bar a worker that ran in it: pale until it listened, marked where it exited. */
export function workerLanes(page: Page, view: TimeView, widthPx: number): SVGElement {
  const slots = [...new Set(page.report.workers.map((worker) => worker.slot))].sort((a, b) => a - b);
  const shown = slots.slice(0, SLOTS_MAX);
  const rowPx = shown.length <= 12 ? 26 : shown.length <= 40 ? 14 : 8;
  const heightPx = Math.max(1, shown.length) * rowPx + 2;
  const { clip, area } = plotArea('clip-lanes', widthPx, heightPx);
  for (const ms of timeTicks(view.current(), widthPx)) {
    const x = view.x(ms, widthPx);
    area.append(s('line', { x1: x, x2: x, y1: 0, y2: heightPx, class: 'grid' }));
  }
  const rows = new Map(shown.map((slot, row) => [slot, row]));
  const kinds = new Map(page.report.faults.map((fault) => [fault.id, fault.kind]));
  const exits: SVGElement[] = [];
  const dense = exitsPerSlot(page, view) * CROSS_PX > widthPx - GUTTER_PX - RIGHT_PX;
  for (const worker of page.report.workers) {
    const row = rows.get(worker.slot);
    if (row === undefined) continue;
    const place = { view, widthPx, y: row * rowPx, rowPx, dense };
    area.append(...workerBar(worker, place, vacantFromMs(page, worker)));
    const exit = exitMark(page, worker, place, kinds);
    if (exit !== null) exits.push(exit);
  }
  area.append(...exits);
  const labels = shown
    .filter((_slot, row) => rowPx >= 14 || row % 4 === 0)
    .map((slot) => gutterText(`slot ${slot}`, (rows.get(slot) ?? 0) * rowPx + rowPx / 2 + 4));
  return svg(widthPx, heightPx, 'Workers by slot and generation', [clip, ...labels, area]);
}

interface Place {
  readonly view: TimeView;
  readonly widthPx: number;
  readonly y: number;
  readonly rowPx: number;
  /** There are too many exits for crosses: draw lines. */
  readonly dense: boolean;
}

/** Exits in view in the busiest slot. */
function exitsPerSlot({ report }: Page, view: TimeView): number {
  const { fromMs, toMs } = view.current();
  const counts = new Map<number, number>();
  for (const { slot, exitedAtMs } of report.workers) {
    if (exitedAtMs !== null && exitedAtMs >= fromMs && exitedAtMs <= toMs) {
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
  }
  return [...counts.values()].reduce((max, count) => Math.max(max, count), 0);
}

/** When the one before it in its slot ended: a standby may wait long behind that one, and does not cover it. */
function vacantFromMs({ report }: Page, { slot, generation }: ReportWorker): number {
  const before = report.workers.find(
    (worker) => worker.slot === slot && worker.generation === generation - 1,
  );
  return before?.exitedAtMs ?? 0;
}

function workerBar(worker: ReportWorker, { view, widthPx, y, rowPx }: Place, vacantMs: number): SVGElement[] {
  const endMs = worker.exitedAtMs ?? view.full.toMs;
  const readyMs = Math.min(worker.listeningAtMs ?? endMs, endMs);
  const bornMs = Math.max(worker.spawnedAtMs, Math.min(vacantMs, readyMs));
  const [born, ready, end] = [bornMs, readyMs, endMs].map((ms) => view.x(ms, widthPx));
  if (born === undefined || ready === undefined || end === undefined) return [];
  const pad = rowPx >= 14 ? 3 : 1;
  const box = { y: y + pad, height: rowPx - 2 * pad, rx: rowPx >= 14 ? 3 : 1 };
  const title = [
    `slot ${worker.slot}, generation ${worker.generation}, pid ${worker.pid}`,
    `spawned ${formatMs(worker.spawnedAtMs)}, listening ${formatMs(worker.listeningAtMs ?? NaN)}`,
    worker.exitedAtMs === null
      ? 'still there at the end'
      : `exited ${formatMs(worker.exitedAtMs)}: ${endedBy(worker)}`,
  ].join('\n');
  const left = Math.max(ready, GUTTER_PX);
  const room = Math.min(end, widthPx - RIGHT_PX) - left;
  const label = [
    `gen ${worker.generation} · pid ${worker.pid}`,
    `gen ${worker.generation}`,
    `${worker.generation}`,
  ]
    .filter((text) => rowPx >= 22 && room > text.length * 6.2 + 26)
    .at(0);
  return [
    s(
      'g',
      {},
      s('title', {}, title),
      s('rect', { ...box, x: born, width: Math.max(1, ready - born), class: 'booting' }),
      s('rect', {
        ...box,
        x: ready,
        width: Math.max(1, end - ready),
        class: `alive g${worker.generation % 2}`,
      }),
      label === undefined ? null : s('text', { x: left + 7, y: y + rowPx / 2 + 4, class: 'lane' }, label),
    ),
  ];
}

/** A cross where a worker ended: in the colour of the fault that ended it, red where nobody asked for it. */
function exitMark(
  { palette }: Page,
  worker: ReportWorker,
  { view, widthPx, y, rowPx, dense }: Place,
  kinds: ReadonlyMap<string, string>,
): SVGElement | null {
  if (worker.exitedAtMs === null || worker.expected === 'stop') return null;
  const finding = isFinding(worker);
  const kind = worker.expected === null ? undefined : kinds.get(worker.expected);
  const color =
    finding || kind === undefined ? palette.color(finding ? '--fail' : '--muted') : palette.kindColor(kind);
  const [x, middle] = [view.x(worker.exitedAtMs, widthPx), y + rowPx / 2];
  const by = finding ? 'nobody asked for it' : `asked for by ${foreign(worker.expected ?? '')}`;
  const title = s('title', {}, `${endedBy(worker)} at ${formatMs(worker.exitedAtMs)}: ${by}`);
  if (dense) {
    const line = s('rect', { x: x - 0.75, y: y + 1, width: finding ? 3 : 1.5, height: rowPx - 2 }, title);
    return styled(line, { fill: color });
  }
  const arm = rowPx >= 22 ? 4 : rowPx >= 14 ? 3 : 2;
  const cross = s('path', {
    d: `M${x - arm},${middle - arm}L${x + arm},${middle + arm}M${x - arm},${middle + arm}L${x + arm},${middle - arm}`,
    class: 'exit-cross',
  });
  const disc = styled(s('circle', { cx: x, cy: middle, r: arm + 3 }), { fill: color });
  const room = x - Math.max(view.x(worker.listeningAtMs ?? worker.spawnedAtMs, widthPx), GUTTER_PX);
  const text =
    finding && rowPx >= 22 && room > 170
      ? s('text', { x: x - 12, y: middle + 4, class: 'finding' }, endedBy(worker))
      : null;
  return s('g', {}, title, disc, cross, text);
}
