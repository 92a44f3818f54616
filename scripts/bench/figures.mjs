// Small numbers, and how they are written.
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}

export const sum = (values) => values.reduce((a, b) => a + b, 0);

const short = (value) =>
  value === Number.POSITIVE_INFINITY
    ? 'never'
    : value >= 100
      ? String(Math.round(value))
      : String(+value.toFixed(1));

/** What never came counts as longer than all that did. */
const known = (values) => values.map((value) => value ?? Number.POSITIVE_INFINITY);

export const medianOf = (values) => (values.length === 0 ? null : median(known(values)));
export const worstOf = (values) => (values.length === 0 ? null : Math.max(...known(values)));

/** `median (worst)`; `never` for what did not come while we watched. */
export function spread(values) {
  if (values.length === 0) return '–';
  return `${short(medianOf(values))} (${short(worstOf(values))})`;
}

export const write = (value) => (value === null ? '–' : short(value));

/** How many times the second is the first. */
export function times(base, value) {
  // Without ours there is nothing to compare with.
  if (base === undefined || base === null || value === null || base === Number.POSITIVE_INFINITY) return '–';
  if (value === Number.POSITIVE_INFINITY) return 'never';
  return base === 0 ? (value === 0 ? '1×' : '∞×') : `${short(value / base)}×`;
}

/** `3 RST, 1 EOF`. */
export const list = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || '0';

/** A table in markdown, aligned so that it reads in a terminal too. */
export function table(head, rows) {
  const widths = head.map((cell, i) => Math.max(...[head, ...rows].map((row) => [...row[i]].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
