import { foreign, h } from './dom.ts';
import type { Section } from './page.ts';
import { table } from './table.ts';

/** Times in which no fresh connection got an answer. */
export const outagesSection: Section = {
  id: 'outages',
  title: 'Outages',
  build({ report, num, omitted }) {
    if (report.outages.length === 0) return null;
    return [
      h(
        'p',
        { class: 'lead' },
        'The service answered nobody. Available ',
        num(['availability', 'byTime'], 'share'),
        ' of the time.',
      ),
      table({
        caption: 'Outages, longest first',
        columns: [
          { title: 'From', right: true },
          { title: 'To', right: true },
          { title: 'Lasted', right: true },
          { title: 'Uncertainty', right: true },
          { title: 'Fault' },
          { title: 'Avoidable', hint: 'A ready worker without a fault was there all the time' },
        ],
        rows: report.outages.map((outage, index) => ({ outage, index })),
        cells: ({ outage, index }) => [
          num(['outages', index, 'fromMs'], 'ms'),
          num(['outages', index, 'toMs'], 'ms'),
          num(['outages', index, 'durationMs'], 'ms'),
          h('span', { class: 'muted' }, '± ', num(['outages', index, 'uncertaintyMs'], 'ms')),
          outage.faultId === null ? 'none' : foreign(outage.faultId),
          outage.avoidable ? 'yes: a healthy worker was there' : 'no',
        ],
        empty: 'None seen.',
        omitted: omitted['outages'] ?? 0,
      }),
    ];
  },
};
