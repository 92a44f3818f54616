import type { Report } from '../model/report.ts';
import type { NumberOf } from './dom.ts';
import type { HashState } from './hash-state.ts';
import type { Palette } from './palette.ts';

/** What every section gets. */
export interface Page {
  readonly report: Report;
  /** Entries of each list that are only in `report.json`. */
  readonly omitted: Readonly<Record<string, number>>;
  readonly num: NumberOf;
  readonly palette: Palette;
  readonly hash: HashState;
}

/** A part of the page: `null` where this report has nothing for it. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** In the navigation; the title where it is short enough. */
  readonly short?: string;
  build(page: Page): readonly (Node | null)[] | null;
}
