import { closest, distance } from 'fastest-levenshtein';

/** The known name that a misspelt one most likely means, or `undefined` if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  const lower = known.map((word) => word.toLowerCase());
  if (lower.length === 0) return undefined;
  const best = closest(wanted, lower);
  const bound = Math.max(2, Math.floor(best.length / 2));
  return distance(wanted, best) <= bound ? known[lower.indexOf(best)] : undefined;
}
