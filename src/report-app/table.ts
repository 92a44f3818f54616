import { formatCount } from '../base/format.ts';
import { type Child, h } from './dom.ts';

export interface TableColumn {
  readonly title: string;
  /** Numbers stand right. */
  readonly right?: boolean;
  readonly hint?: string;
}

export interface TableOptions<T> {
  readonly caption: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly T[];
  readonly cells: (row: T) => readonly Child[];
  readonly rowClass?: (row: T) => string;
  readonly empty: string;
  /** Rows that are only in `report.json`. */
  readonly omitted?: number;
}

/** Rows that are built at once; a page with all rows of a long run would take seconds to open. */
const ROWS_STEP = 200;

/** A table of the first rows, with a button for the next ones. */
export function table<T>(options: TableOptions<T>): HTMLElement {
  const { rows, columns, omitted = 0 } = options;
  if (rows.length === 0) return h('p', { class: 'none' }, options.empty);
  const body = h('tbody', {});
  const more = h('p', { class: 'more' });
  let shown = 0;
  const grow = (): void => {
    for (const row of rows.slice(shown, shown + ROWS_STEP)) body.append(tableRow(options, row));
    shown = Math.min(rows.length, shown + ROWS_STEP);
    more.replaceChildren(...moreLine(rows.length - shown, omitted, grow));
  };
  grow();
  const head = columns.map(({ title, right, hint }) =>
    h('th', { scope: 'col', class: right === true ? 'right' : undefined, title: hint }, title),
  );
  return h(
    'div',
    {},
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': options.caption },
      h(
        'table',
        {},
        h('caption', { class: 'hidden' }, options.caption),
        h('thead', {}, h('tr', {}, ...head)),
        body,
      ),
    ),
    more,
  );
}

function tableRow<T>(options: TableOptions<T>, row: T): HTMLElement {
  const cells = options
    .cells(row)
    .map((cell, index) =>
      h('td', { class: options.columns[index]?.right === true ? 'right' : undefined }, cell),
    );
  return h('tr', { class: options.rowClass?.(row) }, ...cells);
}

function moreLine(hidden: number, omitted: number, grow: () => void): Child[] & (Node | string)[] {
  const line: (Node | string)[] = [];
  if (hidden > 0) {
    line.push(
      `${formatCount(hidden)} more `,
      h('button', { type: 'button', onclick: grow }, `Show ${formatCount(Math.min(hidden, ROWS_STEP))}`),
    );
  }
  if (omitted > 0) line.push(` ${formatCount(omitted)} more in report.json`);
  return line;
}
