/** A cell: plain text that is measured, and how to colour it afterwards. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

export interface TableOptions {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  readonly head: (text: string) => string;
  readonly indent: string;
}

/** Lines of a table whose columns are as wide as their widest text. */
export function textTable({ columns, rows, head, indent }: TableOptions): string[] {
  const widths = columns.map((column, index) =>
    rows.reduce((max, row) => Math.max(max, width(row[index]?.text ?? '')), width(column.title)),
  );
  const line = (cells: readonly Cell[]): string =>
    indent +
    columns
      .map(({ align }, index) => {
        const { text, paint = same } = cells[index] ?? { text: '' };
        const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(text)));
        return align === 'right' ? space + paint(text) : paint(text) + space;
      })
      .join('  ')
      .trimEnd();
  const titled = columns.some((column) => column.title !== '');
  const titles = columns.map(({ title }) => ({ text: title, paint: head }));
  return [...(titled ? [line(titles)] : []), ...rows.map(line)];
}

function same(text: string): string {
  return text;
}

function width(text: string): number {
  return Array.from(text).length;
}
