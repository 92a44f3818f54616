import type uPlot from 'uplot';
import { formatCount, formatMs, formatValue } from '../base/format.ts';
import type { Report } from '../model/report.ts';

/** One curve of a panel. */
export interface Curve {
  readonly label: string;
  /** Custom property of the style sheet. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly draw: 'area' | 'line' | 'bars' | 'steps';
  readonly text: (value: number | null) => string;
}

export interface Panel {
  readonly title: string;
  readonly heightPx: number;
  readonly curves: readonly Curve[];
  readonly axisText: (value: number) => string;
  readonly scale: 'linear' | 'log';
  /** A straight line, e.g. the number of slots. */
  readonly level: number | null;
}

/** Slowest over fastest value from which a logarithmic axis shows more. */
const LOG_FROM_FACTOR = 25;

/** The panels of the timeline, from top to bottom. */
export function panelsOf(report: Report): Panel[] {
  const { series, run } = report;
  const perSecond = series.bucketMs > 0 ? 1000 / series.bucketMs : 1;
  const bucket = formatMs(series.bucketMs);
  const latencies = [...series.p50Ms, ...series.p99Ms].filter((ms): ms is number => ms !== null && ms > 0);
  const [low, high] = [latencies.reduce(smaller, Infinity), latencies.reduce(larger, 0)];
  return [
    {
      title: 'Requests a second',
      heightPx: 104,
      scale: 'linear',
      level: null,
      axisText: formatCount,
      curves: [
        {
          label: 'requests',
          color: '--requests',
          draw: 'area',
          values: series.requests.map((count) => count * perSecond),
          text: (value) => formatValue(value, 'per-second', '–'),
        },
      ],
    },
    {
      title: `Failed requests per ${bucket}`,
      heightPx: 74,
      scale: 'linear',
      level: null,
      axisText: (value) => (Number.isInteger(value) ? formatCount(value) : ''),
      curves: [
        {
          label: 'failed',
          color: '--fail',
          draw: 'bars',
          values: series.errors,
          text: (value) => formatValue(value, 'count', '–'),
        },
      ],
    },
    {
      title: 'Latency',
      heightPx: 124,
      scale: high / low > LOG_FROM_FACTOR ? 'log' : 'linear',
      level: null,
      axisText: formatMs,
      curves: [
        { label: 'p50', color: '--p50', draw: 'line', values: series.p50Ms, text: msText },
        { label: 'p99', color: '--p99', draw: 'line', values: series.p99Ms, text: msText },
      ],
    },
    {
      title: 'Workers ready',
      heightPx: 70,
      scale: 'linear',
      level: run.workers,
      axisText: (value) => (Number.isInteger(value) ? formatCount(value) : ''),
      curves: [
        {
          label: 'ready',
          color: '--ready',
          draw: 'steps',
          values: series.workersReady,
          text: (value) => `${formatValue(value, 'count', '–')} of ${formatCount(run.workers)}`,
        },
      ],
    },
  ];
}

function msText(value: number | null): string {
  return formatValue(value, 'ms', '–');
}

function smaller(a: number, b: number): number {
  return Math.min(a, b);
}

function larger(a: number, b: number): number {
  return Math.max(a, b);
}

/** Bounds of a panel's y axis. */
export function yRange(panel: Panel): uPlot.Scale.Range {
  if (panel.scale === 'log') return (_plot, min, max) => [niceBelow(min), niceAbove(max)];
  const least = panel.curves[0]?.draw === 'bars' ? 2 : 1;
  return (_plot, _min, max) => [0, Math.max(least, max ?? 0, panel.level ?? 0) * 1.12];
}

/** Ticks at 1, 2 and 5 times powers of ten for a logarithmic axis; only the powers where that is too dense. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = [];
  const decades = Math.log10(max / min);
  const steps = decades > 2.2 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= min * 0.999 && tick <= max * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

function niceBelow(value: number | null): number {
  if (value === null || !(value > 0)) return 0.1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].map((step) => step * power).find((nice) => nice <= value * 1.0001) ?? power;
}

function niceAbove(value: number | null): number {
  if (value === null || !(value > 0)) return 10;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((nice) => nice >= value * 1.05) ?? power * 10;
}
