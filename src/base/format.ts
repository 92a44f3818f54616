/** The only place where a number becomes text for people. */

/** Milliseconds as `0.42 ms`, `12.3 ms`, `850 ms`, `1.25 s`, `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  const size = Math.abs(ms);
  if (size < 1) return `${trim(ms, 2)} ms`;
  if (size < 100) return `${trim(ms, 1)} ms`;
  if (size < 1000) return `${Math.round(ms)} ms`;
  if (size < 60_000) return `${trim(ms / 1000, 2)} s`;
  const minutes = Math.trunc(ms / 60_000);
  return `${minutes} min ${Math.round((ms - minutes * 60_000) / 1000)} s`;
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

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
