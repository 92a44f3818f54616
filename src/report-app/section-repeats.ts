import { VERDICT_MARK } from '../report/present.ts';
import { foreign, h } from './dom.ts';
import type { Section } from './page.ts';
import { table } from './table.ts';

/** With `--repeat`: how each run went. */
export const repeatsSection: Section = {
  id: 'repeats',
  title: 'Repeated runs',
  short: 'Repeats',
  build({ report, num, omitted }) {
    const { repeats } = report;
    if (repeats === undefined || repeats.length === 0) return null;
    const passed = repeats.filter((run) => run.verdict === 'pass').length;
    return [
      h('p', { class: 'lead' }, `${passed} of ${repeats.length + (omitted['repeats'] ?? 0)} passed`),
      table({
        caption: 'Runs with other seeds',
        columns: [
          { title: '' },
          { title: 'Seed' },
          { title: 'Availability', right: true },
          { title: 'Failed', right: true },
          { title: 'Slowest recovery', right: true },
          { title: 'Reason' },
          { title: 'Folder' },
        ],
        rows: repeats.map((run, index) => ({ run, index })),
        cells: ({ run, index }) => [
          h('span', { class: 'sign', role: 'img', 'aria-label': run.verdict }, VERDICT_MARK[run.verdict]),
          h('code', { class: run.seed.length > 24 ? undefined : 'nowrap' }, foreign(run.seed)),
          num(['repeats', index, 'availability'], 'share'),
          num(['repeats', index, 'errors'], 'count'),
          num(['repeats', index, 'recoveryMsMax'], 'ms', 'none'),
          foreign(run.reason),
          h('code', {}, foreign(run.dir)),
        ],
        rowClass: ({ run }) => run.verdict,
        empty: 'None.',
        omitted: omitted['repeats'] ?? 0,
      }),
    ];
  },
};
