/**
 * Smooth weighted round robin (as in nginx): index i comes up in proportion to `weights[i]`, spread evenly, and always
 * in the same order.
 */
export function interleave(weights: readonly number[]): () => number {
  if (weights.length === 1) return () => 0;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const credit = weights.map(() => 0);
  return () => {
    let best = 0;
    for (let i = 0; i < weights.length; i++) {
      credit[i] = (credit[i] ?? 0) + (weights[i] ?? 0);
      if ((credit[i] ?? 0) > (credit[best] ?? 0)) best = i;
    }
    credit[best] = (credit[best] ?? 0) - total;
    return best;
  };
}

/** Says true for a `share` (0..1) of its calls, spread evenly, and always in the same order. */
export function everyShare(share: number): () => boolean {
  let credit = 0;
  return () => {
    credit += share;
    // Half a millionth of slack, so that ten times 0.1 is 1.
    if (credit < 1 - 5e-7) return false;
    credit -= 1;
    return true;
  };
}
