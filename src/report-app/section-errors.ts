import { largestFirst } from '../report/present.ts';
import { foreign, h, styled } from './dom.ts';
import type { Page, Section } from './page.ts';

/** Failed requests by what the client saw and by what the fault did to them. */
export const errorsSection: Section = {
  id: 'errors',
  title: 'Failed requests',
  short: 'Failures',
  build(page) {
    const { errors } = page.report;
    return [
      h(
        'p',
        { class: 'lead' },
        page.num(['errors', 'total'], 'count'),
        ' failed, ',
        page.num(['errors', 'unattributed'], 'count'),
        ' of them without a fault that explains them',
      ),
      h(
        'div',
        { class: 'columns' },
        bars(page, 'By cause: what the fault did to the request', 'byCause', errors.byCause),
        bars(page, 'By kind: what the client saw', 'byKind', errors.byKind),
      ),
    ];
  },
};

/** More kinds than this are one hostile server's invention. */
const BARS_MAX = 30;

function bars(
  { num }: Page,
  title: string,
  field: 'byCause' | 'byKind',
  counts: Readonly<Record<string, number>>,
): HTMLElement {
  const entries = largestFirst(counts);
  const max = Math.max(1, ...entries.map(([, count]) => count));
  const rows = entries.slice(0, BARS_MAX).map(([name, count]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, foreign(name)),
      h('td', { class: 'right' }, num(['errors', field, name], 'count')),
      h(
        'td',
        { class: 'wide' },
        styled(h('span', { class: 'bar fail', 'aria-hidden': 'true' }), {
          width: `${(100 * count) / max}%`,
        }),
      ),
    ),
  );
  const rest = entries.length - rows.length;
  return h(
    'div',
    {},
    h('h3', {}, title),
    rows.length === 0 ? h('p', { class: 'none' }, 'None.') : h('table', { class: 'bars' }, ...rows),
    rest > 0 ? h('p', { class: 'more' }, `${rest} more in report.json`) : null,
  );
}
