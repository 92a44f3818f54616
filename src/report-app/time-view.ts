import type { Report, ReportFault } from '../model/report.ts';

/** Every panel leaves the same room left and right, so that all share one axis; px. */
export const GUTTER_PX = 92;
export const RIGHT_PX = 14;

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The part of the run that all panels show. */
export interface TimeView {
  readonly full: Span;
  current(): Span;
  zoom(span: Span): void;
  reset(): void;
  onChange(listener: () => void): void;
  /** Where a time is in a panel of this width, px; outside of the panel for times outside of the view. */
  x(ms: number, widthPx: number): number;
}

/** Zooming further than this shows single buckets only. */
const SPAN_MIN_MS = 20;

export function createTimeView(full: Span, start: Span | null): TimeView {
  let span = start ?? full;
  const listeners: (() => void)[] = [];
  const set = (next: Span): void => {
    if (next.fromMs === span.fromMs && next.toMs === span.toMs) return;
    span = next;
    for (const listener of listeners) listener();
  };
  return {
    full,
    current: () => span,
    zoom: ({ fromMs, toMs }) => {
      const from = Math.max(full.fromMs, Math.min(fromMs, toMs));
      const to = Math.min(full.toMs, Math.max(fromMs, toMs));
      if (to - from >= SPAN_MIN_MS) set({ fromMs: from, toMs: to });
    },
    reset: () => set(full),
    onChange: (listener) => listeners.push(listener),
    x: (ms, widthPx) =>
      GUTTER_PX + ((ms - span.fromMs) / (span.toMs - span.fromMs)) * (widthPx - GUTTER_PX - RIGHT_PX),
  };
}

/** From the start of the run to whatever was recorded last. */
export function fullSpan({ run, series, phases, workers }: Report): Span {
  const ends = [
    run.durationMs,
    series.requests.length * series.bucketMs,
    ...phases.map((phase) => phase.toMs),
    ...workers.map((worker) => worker.exitedAtMs ?? worker.spawnedAtMs),
  ];
  const end = ends.reduce((max, ms) => (Number.isFinite(ms) ? Math.max(max, ms) : max), 0);
  return { fromMs: 0, toMs: end > 0 ? end : 1000 };
}

/** Round times for the axis, at most one each `pxMin`. */
export function timeTicks({ fromMs, toMs }: Span, widthPx: number, pxMin = 80): number[] {
  const most = Math.max(2, Math.floor((widthPx - GUTTER_PX - RIGHT_PX) / pxMin));
  const step = TICK_STEPS.find((ms) => (toMs - fromMs) / ms <= most) ?? (toMs - fromMs) / most;
  const ticks: number[] = [];
  for (let n = Math.ceil(fromMs / step); n * step <= toMs; n++) ticks.push(n * step);
  return ticks;
}

const TICK_STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
  600_000, 1_800_000, 3_600_000,
];

/** `12.5 s`, or `3:20` in runs of minutes. */
export function tickText(ms: number, { fromMs, toMs }: Span): string {
  if (toMs < 180_000) return `${Number((ms / 1000).toFixed(3))} s`;
  const seconds = ms / 1000;
  const rest = seconds % 60;
  const digits = toMs - fromMs < 20_000 ? 1 : 0;
  return `${Math.floor(seconds / 60)}:${rest.toFixed(digits).padStart(digits > 0 ? 4 : 2, '0')}`;
}

/** Injection to recovery or heal, whichever came last; `open` where neither ever came. */
export function faultSpan(fault: ReportFault): (Span & { readonly open: boolean }) | null {
  if (fault.injectedAtMs === null) return null;
  const recoveredAtMs = fault.recoveryMs === null ? null : fault.injectedAtMs + fault.recoveryMs;
  const toMs = Math.max(fault.injectedAtMs, fault.healedAtMs ?? 0, recoveredAtMs ?? 0);
  const ended = recoveredAtMs !== null || fault.healedAtMs !== null;
  return { fromMs: fault.injectedAtMs, toMs, open: fault.recovered === false && !ended };
}
