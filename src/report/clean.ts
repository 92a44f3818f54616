/**
 * Text from the target or from a scenario as one harmless line: escape sequences, control characters and direction
 * overrides could repaint the terminal, or make a line read as something else.
 */
export function oneLine(text: string): string {
  return wellFormed(text.replace(ESCAPES, '')).replace(BREAKS, ' ').replace(HARMFUL, '').trim();
}

/** As `oneLine`, and cut to `max` characters. */
export function cutLine(text: string, max: number): string {
  const chars = Array.from(oneLine(text));
  return chars.length <= max ? chars.join('') : `${chars.slice(0, Math.max(0, max - 1)).join('')}…`;
}

/** Half a surrogate pair has no UTF-8 form, and no place in XML. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

const ESC = '\\u001B';
/** CSI (also its one-byte form), OSC up to its terminator, and the two-byte escapes. */
const ESCAPES = new RegExp(
  `(?:${ESC}\\[|\\u009B)[0-?]*[ -/]*[@-~]|${ESC}\\][^\\u0007\\u001B]*(?:\\u0007|${ESC}\\\\)?|${ESC}[@-Z\\\\-_]?`,
  'g',
);
const BREAKS = new RegExp('[\\t\\n\\v\\f\\r\\u0085\\u2028\\u2029]+', 'g');
const HARMFUL = /[\p{Cc}\p{Bidi_Control}\uFEFF\uFFFE\uFFFF]/gu;
