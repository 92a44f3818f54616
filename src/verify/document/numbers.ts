/** A time for the document, ms to a microsecond; `null` for what is no number. */
export function ms(value: number): number;
export function ms(value: number | null | undefined): number | null;
export function ms(value: number | null | undefined): number | null {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  return Math.round(value * 1000) / 1000;
}
