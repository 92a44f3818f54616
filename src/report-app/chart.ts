import uPlot from 'uplot';
import { drawBands } from './bands.ts';
import { h } from './dom.ts';
import type { Page } from './page.ts';
import { type Curve, logTicks, type Panel, yRange } from './panels.ts';
import { GUTTER_PX, RIGHT_PX, type TimeView, timeTicks } from './time-view.ts';

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** `uPlot.Scale.Distr.Logarithmic`; the enum exists in its types only. */
const LOGARITHMIC = 3 as unknown as uPlot.Scale.Distr;

export interface ChartOptions {
  readonly page: Page;
  readonly view: TimeView;
  readonly panel: Panel;
  readonly holder: HTMLElement;
  readonly widthPx: number;
  /** The bucket under the cursor, `null` without one. */
  readonly onCursor: (bucket: number | null) => void;
}

/** Draws one panel into its holder, in the page's present colours. */
export function createChart(options: ChartOptions): uPlot {
  const { panel, page, holder, widthPx } = options;
  const { bucketMs, requests } = page.report.series;
  // Steps change where a bucket starts; curves are drawn through the middle of theirs.
  const offset = panel.curves[0]?.draw === 'steps' ? 0 : 0.5;
  const times = requests.map((_count, index) => (index + offset) * bucketMs);
  const values = panel.curves.map((curve) =>
    times.map((_time, index) => {
      const value = curve.values[index] ?? null;
      return panel.scale === 'log' && value !== null && value <= 0 ? null : value;
    }),
  );
  return new uPlot(chartSettings(options, widthPx), [times, ...values] as uPlot.AlignedData, holder);
}

function chartSettings({ page, view, panel, onCursor }: ChartOptions, width: number): uPlot.Options {
  const { palette } = page;
  const grid = { stroke: palette.color('--grid'), width: 1 };
  return {
    width,
    height: panel.heightPx,
    padding: [6, RIGHT_PX, 4, 0],
    legend: { show: false },
    cursor: {
      sync: { key: 'run', setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      y: false,
      bind: {
        dblclick: () => () => {
          view.reset();
          return null;
        },
      },
    },
    scales: {
      x: {
        time: false,
        range: () => {
          const { fromMs, toMs } = view.current();
          return [fromMs, toMs];
        },
      },
      y: { range: yRange(panel), ...(panel.scale === 'log' ? { distr: LOGARITHMIC } : {}) },
    },
    axes: [
      {
        size: 0,
        grid,
        ticks: { show: false },
        values: (_plot, ticks) => ticks.map(() => ''),
        splits: (plot) => timeTicks(view.current(), plot.width),
      },
      {
        size: GUTTER_PX,
        stroke: palette.color('--muted'),
        font: FONT,
        gap: 8,
        grid,
        ticks: { show: false },
        values: (_plot, ticks) => ticks.map(panel.axisText),
        ...(panel.scale === 'log'
          ? {
              splits: (_plot: uPlot, _axis: number, min: number, max: number) => logTicks(min, max),
              filter: same,
            }
          : { space: 26 }),
      },
    ],
    series: [{}, ...panel.curves.map((curve) => curveSettings(curve, page))],
    hooks: {
      drawClear: [(plot) => drawBands(page, plot)],
      draw: panel.level === null ? [] : [(plot) => drawLevel(page, plot, panel.level ?? 0)],
      setCursor: [(plot) => onCursor((plot.cursor.left ?? -1) < 0 ? null : (plot.cursor.idx ?? null))],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          if (wide < 4) return;
          view.zoom({ fromMs: plot.posToVal(left, 'x'), toMs: plot.posToVal(left + wide, 'x') });
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function curveSettings({ color, draw, label }: Curve, { palette }: Page): uPlot.Series {
  const stroke = palette.color(color);
  const base: uPlot.Series = { label, stroke, width: 1.5, points: { show: false } };
  switch (draw) {
    case 'area':
      return { ...base, fill: `${stroke}26` };
    case 'bars': {
      const paths = uPlot.paths.bars?.({ size: [0.9, 14, 2], align: 0 });
      return { ...base, width: 0, fill: stroke, ...(paths === undefined ? {} : { paths }) };
    }
    case 'steps': {
      const paths = uPlot.paths.stepped?.({ align: 1 });
      return { ...base, fill: `${stroke}26`, ...(paths === undefined ? {} : { paths }) };
    }
    case 'line':
      return base;
    default:
      return base;
  }
}

/** A dashed line where the value should be. */
function drawLevel({ palette }: Page, plot: uPlot, level: number): void {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(level, 'y', true);
  ctx.save();
  ctx.strokeStyle = palette.color('--muted');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function same(_plot: uPlot, ticks: number[]): number[] {
  return ticks;
}

/** A panel's title with the values under the cursor. */
export function chartHead(panel: Panel): { element: HTMLElement; show: (bucket: number | null) => void } {
  const values = panel.curves.map((curve) => ({ curve, text: h('span', { class: 'at-cursor' }) }));
  const element = h(
    'div',
    { class: 'panel-head' },
    h('h3', {}, panel.title),
    ...values.map(({ curve, text }) =>
      h('span', { class: `key ${curve.color.slice(2)}` }, curve.label, text),
    ),
    panel.scale === 'log' ? h('span', { class: 'muted' }, 'logarithmic') : null,
  );
  return {
    element,
    show(bucket) {
      for (const { curve, text } of values) {
        text.textContent = bucket === null ? '' : ` ${curve.text(curve.values[bucket] ?? null)}`;
      }
    },
  };
}
