/** The only place where a number becomes text for people. */

/** Milliseconds as `0.42 ms`, `12.3 ms`, `850 ms`, `1.25 s`, `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  const size = Math.abs(ms);
  if (size < 1) return `${trim(ms, 2)} ms`;
  if (size < 100) return `${trim(ms, 1)} ms`;
  if (size < 999.5) return `${Math.round(ms)} ms`;
  if (size < 59_995) return `${trim(ms / 1000, 2)} s`;
  const seconds = Math.round(ms / 1000);
  const rest = seconds % 60 === 0 ? '' : ` ${seconds % 60} s`;
  return `${Math.trunc(seconds / 60)} min${rest}`;
}

/** A share as a percentage, cut and never rounded up: 0.99996 is `99.99 %`, only 1 is `100 %`. */
export function formatRatio(ratio: number): string {
  if (!Number.isFinite(ratio)) return 'none';
  return `${Math.floor(ratio * 1e4 + 1e-9) / 100} %`;
}

/** Bytes as `512 B`, `1.5 kB`, `64 MB`, `2.1 GB` (powers of 1000). */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size < 1000) return `${Math.round(bytes)} B`;
  if (size < 1e6) return `${trim(bytes / 1e3, 1)} kB`;
  if (size < 1e9) return `${trim(bytes / 1e6, 1)} MB`;
  return `${trim(bytes / 1e9, 2)} GB`;
}

/** A count with thousands separated by commas. */
export function formatCount(count: number): string {
  return trim(count, 2).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

export type FormatUnit = 'ms' | 'bytes' | 'share' | 'count' | 'per-second' | 'factor';

/** A measured number in its unit; a number that is not there is called `absent`. */
export function formatValue(
  value: number | null | undefined,
  unit: FormatUnit,
  absent = 'not measured',
): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return absent;
  switch (unit) {
    case 'ms':
      return formatMs(value);
    case 'bytes':
      return formatBytes(value);
    case 'share':
      return formatRatio(value);
    case 'count':
      return formatCount(value);
    case 'per-second':
      return `${formatCount(value)}/s`;
    case 'factor':
      return `${trim(value, 2)} x`;
    default:
      return String(value);
  }
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
