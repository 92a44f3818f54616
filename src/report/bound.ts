import type { Report } from '../model/report.ts';

/** What one page carries at most; beyond it the page says how many more there are in `report.json`. */
const LIMITS = {
  checks: 500,
  faults: 2000,
  workers: 4000,
  events: 4000,
  outages: 1000,
  repeats: 1000,
} as const;
/** Of one text; a hostile or broken target may send any length. */
const TEXT_CHARS_MAX = 2000;
/** Of the data in the page; the page as a whole stays under 2 MB. */
const BYTES_MAX = 1_700_000;

/** The part of a report that the page shows, and how many entries of each list it leaves out. */
export interface PageData {
  readonly report: Report;
  readonly omitted: Readonly<Record<string, number>>;
}

/**
 * Bounds the document to what a page can carry: lists are cut at the end, so that every entry that stays keeps its
 * index and its numbers.
 */
export function boundReport(report: Report): PageData {
  for (let share = 1; ; share /= 2) {
    const data = cut(report, share);
    if (share < 0.02 || JSON.stringify(data).length <= BYTES_MAX) return data;
  }
}

function cut(report: Report, share: number): PageData {
  const omitted: Record<string, number> = {};
  const chars = Math.ceil(TEXT_CHARS_MAX * share);
  const short = <T>(name: keyof typeof LIMITS, list: readonly T[]): readonly T[] => {
    const max = Math.ceil(LIMITS[name] * share);
    if (list.length > max) omitted[name] = list.length - max;
    return list.slice(0, max);
  };
  const bounded: Report = {
    ...report,
    checks: short('checks', report.checks),
    faults: short('faults', report.faults),
    workers: short('workers', report.workers),
    events: short('events', report.events),
    outages: short('outages', report.outages),
    ...(report.repeats === undefined ? {} : { repeats: short('repeats', report.repeats) }),
  };
  return { report: cutTexts(bounded, chars) as Report, omitted };
}

function cutTexts(value: unknown, max: number): unknown {
  if (typeof value === 'string') return value.length > max ? `${value.slice(0, max)}…` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cutTexts(item, max));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutTexts(item, max)]));
}
