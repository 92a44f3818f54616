import { formatMs } from '../base/format.ts';
import type { ReportFault } from '../model/report.ts';
import { recoveredText, slotsText } from '../report/present.ts';
import { foreign, s, styled } from './dom.ts';
import type { Page } from './page.ts';
import { faultSpan, GUTTER_PX, RIGHT_PX, type TimeView, tickText, timeTicks } from './time-view.ts';

const ROW_PX = 22;
/** More kinds share the last row. */
const KINDS_MAX = 10;

/** The clipped drawing area right of the gutter, as a group. */
export function plotArea(
  id: string,
  widthPx: number,
  heightPx: number,
): { clip: SVGElement; area: SVGGElement } {
  const width = Math.max(1, widthPx - GUTTER_PX - RIGHT_PX);
  return {
    clip: s('clipPath', { id }, s('rect', { x: GUTTER_PX, y: 0, width, height: heightPx })),
    area: s('g', { 'clip-path': `url(#${id})` }),
  };
}

/** A label in the gutter, cut to fit; its whole text is in the title. */
export function gutterText(text: string, y: number, color?: string): SVGElement {
  const clean = foreign(text);
  const short = clean.length > 12 ? `${clean.slice(0, 11)}…` : clean;
  const label = s('text', { x: GUTTER_PX - 8, y, class: 'gutter' }, s('title', {}, clean), short);
  return color === undefined ? label : styled(label, { fill: color, 'font-weight': '600' });
}

/** Which phase the run was in. */
export function phaseStrip({ report }: Page, view: TimeView, widthPx: number): SVGElement {
  const { clip, area } = plotArea('clip-phases', widthPx, ROW_PX);
  for (const phase of report.phases) {
    const [left, right] = [view.x(phase.fromMs, widthPx), view.x(phase.toMs, widthPx)];
    const width = Math.max(1, right - left - 2);
    const middle = (Math.max(left, GUTTER_PX) + Math.min(right, widthPx - RIGHT_PX)) / 2;
    area.append(
      s(
        'g',
        {},
        s('title', {}, `${phase.name}: ${formatMs(phase.fromMs)} to ${formatMs(phase.toMs)}`),
        s('rect', { x: left + 1, y: 3, width, height: 16, rx: 3, class: `phase ${phase.name}` }),
        width > phase.name.length * 6 + 2
          ? s('text', { x: middle, y: 15, class: 'phase-name' }, phase.name)
          : null,
      ),
    );
  }
  return svg(widthPx, ROW_PX, 'Phases of the run', [clip, gutterText('phase', 15), area]);
}

/** One row a fault kind: when each fault began, and when the target had recovered from it. */
export function faultStrip(page: Page, view: TimeView, widthPx: number): SVGElement {
  const { report, palette } = page;
  const kinds = [...new Set(report.faults.map((fault) => fault.kind))];
  const rows = Math.max(1, Math.min(KINDS_MAX, kinds.length));
  const { clip, area } = plotArea('clip-faults', widthPx, rows * ROW_PX);
  const labels = kinds
    .slice(0, KINDS_MAX)
    .map((kind, row) => gutterText(palette.kindLabel(kind), row * ROW_PX + 15, palette.kindColor(kind)));
  const next = new Map<number, number>();
  // From the right, so that each label knows how much room the one after it leaves.
  for (const fault of report.faults.slice().sort((a, b) => (b.injectedAtMs ?? 0) - (a.injectedAtMs ?? 0))) {
    const row = Math.min(rows - 1, kinds.indexOf(fault.kind));
    const mark = faultMark({ page, view, fault, widthPx, y: row * ROW_PX, before: next.get(row) ?? widthPx });
    if (mark === null) continue;
    area.append(mark.element);
    next.set(row, mark.left);
  }
  return svg(widthPx, rows * ROW_PX, 'Faults by kind', [clip, ...labels, area]);
}

/** When nobody got an answer; `null` if that never was. */
export function outageStrip({ report, palette }: Page, view: TimeView, widthPx: number): SVGElement | null {
  if (report.outages.length === 0) return null;
  const { clip, area } = plotArea('clip-outages', widthPx, ROW_PX);
  const color = palette.color('--fail');
  for (const outage of report.outages) {
    const left = view.x(outage.fromMs, widthPx);
    const width = Math.max(3, view.x(outage.toMs, widthPx) - left);
    const title = `outage of ${formatMs(outage.durationMs)} at ${formatMs(outage.fromMs)}`;
    const bar = s('rect', { x: left, y: 5, width, height: 12, rx: 1.5 }, s('title', {}, title));
    area.append(styled(bar, { fill: color }));
  }
  return svg(widthPx, ROW_PX, 'Outages', [clip, gutterText('outage', 15, color), area]);
}

interface MarkOptions {
  readonly page: Page;
  readonly view: TimeView;
  readonly fault: ReportFault;
  readonly widthPx: number;
  readonly y: number;
  /** Where the next mark of the row starts, px. */
  readonly before: number;
}

function faultMark({
  page,
  view,
  fault,
  widthPx,
  y,
  before,
}: MarkOptions): { element: SVGElement; left: number } | null {
  const span = faultSpan(fault);
  if (span === null) return null;
  const left = view.x(span.fromMs, widthPx);
  const width = Math.max(5, (span.open ? widthPx : view.x(span.toMs, widthPx)) - left);
  const color = page.palette.kindColor(fault.kind);
  const where = fault.slots.length === 0 ? 'primary' : `slot ${fault.slots.join(', ')}`;
  const room = before - left - Math.min(width, where.length * 6.4) - 6;
  const short = fault.slots.length === 0 ? '' : fault.slots.join(',');
  const label = room > where.length * 6.4 ? where : room > short.length * 7 ? short : '';
  const bar = styled(s('rect', { x: left, y: y + 5, width, height: 12, rx: 2.5 }), {
    fill: color,
    'fill-opacity': fault.effective ? (span.open ? '0.6' : '1') : '0',
    stroke: color,
  });
  const inside = span.open || width > where.length * 6.4 + 12;
  const text =
    label === ''
      ? null
      : s(
          'text',
          { x: inside ? left + 6 : left + width + 4, y: y + 15, class: inside ? 'on-bar' : 'beside' },
          label,
        );
  const title = `${foreign(fault.id)}, slot ${slotsText(fault)}, at ${formatMs(span.fromMs)}: ${recoveredText(fault)}`;
  return { element: s('g', {}, s('title', {}, title), bar, text), left };
}

/** The one axis under all panels. */
export function timeAxis(view: TimeView, widthPx: number): SVGElement {
  const span = view.current();
  const ticks = timeTicks(span, widthPx).map((ms) =>
    s('text', { x: Math.min(view.x(ms, widthPx), widthPx - 18), y: 14, class: 'tick' }, tickText(ms, span)),
  );
  return svg(widthPx, 18, 'Time since the start of the run', ticks);
}

export function svg(
  widthPx: number,
  heightPx: number,
  label: string,
  children: readonly (Node | null)[],
): SVGElement {
  return s(
    'svg',
    {
      width: widthPx,
      height: heightPx,
      viewBox: `0 0 ${widthPx} ${heightPx}`,
      role: 'img',
      'aria-label': label,
    },
    ...children,
  );
}
