/** The known name that a misspelt one most likely means, or `undefined` if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const away = distance(wanted, word.toLowerCase());
    if (away >= bestDistance) continue;
    best = word;
    bestDistance = away;
  }
  if (best === undefined) return undefined;
  return bestDistance <= Math.max(2, Math.floor(best.length / 2)) ? best : undefined;
}

/**
 * Levenshtein's distance: insertions, deletions and replacements from one text to the other, row by row (Wagner and
 * Fischer 1974). Our own few lines, since the supervisor ships into other people's processes without dependencies.
 */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
