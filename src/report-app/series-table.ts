import { h } from './dom.ts';
import type { Page } from './page.ts';
import { table } from './table.ts';

/** The curves as a table, for readers without the canvas; built when it is opened. */
export function seriesTable({ report, num }: Page): HTMLElement | null {
  const { series } = report;
  if (series.requests.length === 0) return null;
  const details = h('details', { id: 'series' }, h('summary', {}, 'The curves as a table'));
  details.addEventListener(
    'toggle',
    () =>
      details.append(
        table({
          caption: 'Curves of the timeline, one row a bucket',
          columns: ['From', 'Requests', 'Failed', 'p50', 'p99', 'Workers ready'].map((title) => ({
            title,
            right: true,
          })),
          rows: series.requests.map((_count, index) => index),
          cells: (index) => [
            `${Number(((index * series.bucketMs) / 1000).toFixed(3))} s`,
            num(['series', 'requests', index], 'count'),
            num(['series', 'errors', index], 'count'),
            num(['series', 'p50Ms', index], 'ms', '–'),
            num(['series', 'p99Ms', index], 'ms', '–'),
            num(['series', 'workersReady', index], 'count'),
          ],
          empty: 'None.',
        }),
      ),
    { once: true },
  );
  return details;
}
