/** Of the normal distribution, for 95 %. */
const Z = 1.959964;

/**
 * Wilson's score interval for a share, 95 %: holds near 0 and 1, where the plain one does not
 * (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).
 */
export function wilson(part: number, whole: number): { readonly low: number; readonly high: number } {
  const p = part / whole;
  const z2 = Z * Z;
  const centre = p + z2 / (2 * whole);
  const half = Z * Math.sqrt((p * (1 - p)) / whole + z2 / (4 * whole * whole));
  const norm = 1 + z2 / whole;
  // At the ends rounding would leave an interval that does not hold the share itself.
  return {
    low: part === 0 ? 0 : (centre - half) / norm,
    high: part === whole ? 1 : (centre + half) / norm,
  };
}
