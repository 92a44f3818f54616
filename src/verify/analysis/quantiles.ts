/**
 * The exact quantile of sorted values by nearest rank: the smallest value that at least `p` of all values do not exceed.
 * NaN for no values.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  const { length } = sorted;
  if (length === 0) return Number.NaN;
  const rank = Math.ceil(p * length - 1e-9) - 1;
  return sorted[Math.min(length - 1, Math.max(0, rank))] ?? Number.NaN;
}

/** As `quantileOfSorted`, of values in any order, which are left as they are; NaN values are left out. */
export function quantile(values: Iterable<number>, p: number): number {
  const numbers = Float64Array.from(values).filter((value) => !Number.isNaN(value));
  return quantileOfSorted(numbers.sort(), p);
}

export function median(values: Iterable<number>): number {
  return quantile(values, 0.5);
}

/** Values sorted within their groups: group `g` is `values[starts[g] .. starts[g + 1])`. */
export interface Grouped {
  readonly values: Float32Array;
  readonly starts: Uint32Array;
}

/**
 * Sorts `count` values by group, then by size, in two passes and without objects.
 * @param groupOf the group of a row, -1 to leave it out
 */
export function groupSorted(
  count: number,
  groups: number,
  groupOf: (row: number) => number,
  valueOf: (row: number) => number,
): Grouped {
  const starts = new Uint32Array(groups + 1);
  const group = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const g = groupOf(row);
    group[row] = g >= 0 && g < groups ? g : -1;
    if (g >= 0 && g < groups) starts[g + 1] = (starts[g + 1] ?? 0) + 1;
  }
  for (let g = 0; g < groups; g++) starts[g + 1] = (starts[g + 1] ?? 0) + (starts[g] ?? 0);
  const values = new Float32Array(starts[groups] ?? 0);
  const next = starts.slice();
  for (let row = 0; row < count; row++) {
    const g = group[row] ?? -1;
    if (g < 0) continue;
    const at = next[g] ?? 0;
    values[at] = valueOf(row);
    next[g] = at + 1;
  }
  for (let g = 0; g < groups; g++) values.subarray(starts[g], starts[g + 1]).sort();
  return { values, starts };
}

/** The sorted values of one group. */
export function groupValues({ values, starts }: Grouped, group: number): Float32Array {
  return values.subarray(starts[group] ?? 0, starts[group + 1] ?? 0);
}
