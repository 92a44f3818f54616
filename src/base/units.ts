const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/**
 * Reads a duration such as `250ms`, `1.5s`, `10m` or `1h`; a bare number is milliseconds.
 * @returns milliseconds, or `undefined` if the text is not a finite duration >= 0
 */
export function parseDuration(text: string | number): number | undefined {
  return parseWithUnit(text, MS, 'ms');
}

/**
 * Reads a size such as `64MB` (10^6) or `64MiB` (2^20); a bare number is bytes.
 * @returns bytes, or `undefined` if the text is not a finite size >= 0
 */
export function parseSize(text: string | number): number | undefined {
  return parseWithUnit(text, BYTES, 'b');
}

function parseWithUnit(
  text: string | number,
  units: Readonly<Record<string, number>>,
  bare: string,
): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*$/i.exec(String(text));
  if (!match) return undefined;
  const factor = units[(match[2] || bare).toLowerCase()];
  if (factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isFinite(value) ? value : undefined;
}
