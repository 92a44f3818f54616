import type uPlot from 'uplot';
import { formatMs } from '../base/format.ts';
import { chartHead, createChart } from './chart.ts';
import { h, styled } from './dom.ts';
import { workerLanes } from './lanes.ts';
import type { Page, Section } from './page.ts';
import { panelsOf } from './panels.ts';
import { seriesTable } from './series-table.ts';
import { faultStrip, outageStrip, phaseStrip, timeAxis } from './strips.ts';
import { onThemeChange } from './theme.ts';
import { createTimeView, fullSpan, GUTTER_PX, type TimeView } from './time-view.ts';

/** Everything over one time axis: phases, faults, the curves and the workers. */
export const timelineSection: Section = {
  id: 'timeline',
  title: 'Timeline',
  build(page) {
    const { report, hash } = page;
    const from = Number.parseFloat(hash.get('from'));
    const to = Number.parseFloat(hash.get('to'));
    const full = fullSpan(report);
    const zoomed = from >= 0 && to > from && to <= full.toMs;
    const view = createTimeView(full, zoomed ? { fromMs: from, toMs: to } : null);
    const stack = h('div', { class: 'stack' });
    const now = h('span', { class: 'at-cursor', role: 'status' });
    const reset = h('button', { type: 'button', onclick: () => view.reset() }, 'Whole run');
    const onZoom = (): void => {
      const { fromMs, toMs } = view.current();
      const whole = fromMs === full.fromMs && toMs === full.toMs;
      reset.hidden = whole;
      hash.set('from', whole ? '' : fromMs.toFixed(0));
      hash.set('to', whole ? '' : toMs.toFixed(0));
    };
    reset.hidden = !zoomed;
    view.onChange(onZoom);
    drawStack({ page, view, stack, now });
    return [
      h('div', { class: 'filters' }, legend(page), h('span', { class: 'spring' }), now, reset),
      stack,
      report.series.requests.length === 0
        ? null
        : h('p', { class: 'muted hint' }, 'Drag over a panel to zoom in, double-click to see the whole run.'),
      seriesTable(page),
    ];
  },
};

interface Stack {
  readonly page: Page;
  readonly view: TimeView;
  readonly stack: HTMLElement;
  readonly now: HTMLElement;
}

/** Draws all rows; again when the width or the colours change. Zooming keeps the charts and redraws the rest. */
function drawStack({ page, view, stack, now }: Stack): void {
  const { report } = page;
  const empty = report.series.requests.length === 0;
  const panels = empty ? [] : panelsOf(report);
  const heads = panels.map(chartHead);
  const holders = panels.map((panel) =>
    styled(
      h('div', {
        class: 'panel',
        role: 'img',
        'aria-label': `${panel.title} over time; numbers in the table below`,
      }),
      {
        height: `${panel.heightPx}px`,
      },
    ),
  );
  const [above, below] = [h('div', {}), h('div', {})];
  stack.append(
    above,
    empty
      ? h('p', { class: 'none' }, 'No samples were recorded.')
      : h(
          'div',
          {},
          ...panels.flatMap((_panel, index) => [heads[index]?.element ?? '', holders[index] ?? '']),
        ),
    below,
  );
  let charts: uPlot[] = [];
  let widthPx = 0;
  const onCursor = (bucket: number | null): void => {
    for (const head of heads) head.show(bucket);
    now.textContent = bucket === null ? '' : `at ${formatMs(bucket * report.series.bucketMs)}`;
  };
  const fixed = (): void => {
    above.replaceChildren(
      phaseStrip(page, view, widthPx),
      faultStrip(page, view, widthPx),
      outageStrip(page, view, widthPx) ?? '',
    );
    const lanes = report.workers.length === 0 ? [] : [laneHead(), workerLanes(page, view, widthPx)];
    below.replaceChildren(...lanes, timeAxis(view, widthPx));
  };
  const draw = (): void => {
    for (const chart of charts) chart.destroy();
    fixed();
    charts = panels.map((panel, index) =>
      createChart({ page, view, panel, widthPx, onCursor, holder: holders[index] ?? h('div', {}) }),
    );
  };
  const guardedDraw = (): void => {
    try {
      draw();
    } catch (error) {
      stack.dataset['broken'] = 'timeline';
      above.replaceChildren(h('p', { class: 'none' }, `The timeline could not be drawn: ${String(error)}`));
    }
  };
  new ResizeObserver(() => {
    const next = Math.max(320, Math.floor(stack.clientWidth));
    if (next === widthPx) return;
    widthPx = next;
    guardedDraw();
  }).observe(stack);
  onThemeChange(() => widthPx > 0 && guardedDraw());
  view.onChange(() => {
    const { fromMs, toMs } = view.current();
    for (const chart of charts) chart.setScale('x', { min: fromMs, max: toMs });
    fixed();
  });
}

function laneHead(): HTMLElement {
  return styled(h('div', { class: 'panel-head' }, h('h3', {}, 'Workers by slot')), {
    '--gutter': `${GUTTER_PX}px`,
  });
}

function legend({ report, palette }: Page): HTMLElement {
  const kinds = [...new Set(report.faults.map((fault) => fault.kind))].slice(0, 10);
  const list = h('span', { class: 'legend' });
  const fillIn = (): void => {
    list.replaceChildren(
      ...kinds.map((kind) =>
        h(
          'span',
          {},
          styled(h('span', { class: 'dot', 'aria-hidden': 'true' }), { background: palette.kindColor(kind) }),
          palette.kindLabel(kind),
        ),
      ),
      ...(report.outages.length > 0 ? [h('span', {}, h('span', { class: 'dot outage' }), 'outage')] : []),
      ...(report.workers.length > 0
        ? [h('span', {}, h('span', { class: 'dot boot' }), 'worker booting')]
        : []),
    );
  };
  fillIn();
  onThemeChange(fillIn);
  return list;
}
