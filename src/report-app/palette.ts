import type { Report } from '../model/report.ts';

export interface Palette {
  /** The colour of a fault kind on the page as it is now. */
  kindColor(kind: string): string;
  kindLabel(kind: string): string;
  /** A custom property of the style sheet, e.g. `--fail`. */
  color(name: string): string;
}

/** For reports without `faultKinds`: known kinds by name, others by a hash of theirs. */
const KNOWN: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  kill: ['#bf3989', '#f778ba'],
  freeze: ['#0969da', '#58a6ff'],
  block: ['#bc4c00', '#f0883e'],
  'memory-spike': ['#8250df', '#bc8cff'],
};
const OTHERS: readonly (readonly [light: string, dark: string])[] = [
  ['#a16207', '#facc15'],
  ['#be185d', '#f472b6'],
  ['#4338ca', '#818cf8'],
  ['#4d7c0f', '#a3e635'],
  ['#57534e', '#d6d3d1'],
];

export function createPalette(report: Report): Palette {
  return {
    kindColor(kind) {
      const dark = document.documentElement.dataset['theme'] === 'dark';
      const own = ownKind(report, kind);
      const color = dark ? own?.dark : own?.light;
      // The document may be anybody's: only a plain colour gets into a style.
      if (color !== undefined && /^#[0-9a-f]{6}$/i.test(color)) return color;
      const pair = Object.hasOwn(KNOWN, kind) ? KNOWN[kind] : OTHERS[hash(kind) % OTHERS.length];
      return pair?.[dark ? 1 : 0] ?? '#808080';
    },
    kindLabel: (kind) => ownKind(report, kind)?.label ?? kind,
    color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
  };
}

function ownKind(
  report: Report,
  kind: string,
): { readonly label: string; readonly light: string; readonly dark: string } | undefined {
  const kinds = report.faultKinds;
  return kinds !== undefined && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
}

function hash(text: string): number {
  let sum = 7;
  for (let index = 0; index < text.length; index++) sum = (sum * 31 + text.charCodeAt(index)) % 65_521;
  return sum;
}
