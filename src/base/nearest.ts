import { closest, distance } from 'fastest-levenshtein';

/** The known name that a misspelt one most likely means, or `undefined` if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(name.toLowerCase(), known as string[]);
  const bound = Math.max(2, Math.floor(best.length / 2));
  return distance(name.toLowerCase(), best.toLowerCase()) <= bound ? best : undefined;
}
