import { h } from './dom.ts';
import type { Section } from './page.ts';
import { table } from './table.ts';

/** The parts of the run next to each other: chaos and recovery are read against baseline. */
export const phasesSection: Section = {
  id: 'phases',
  title: 'Phases',
  build({ report, num }) {
    return [
      table({
        caption: 'Requests and latency of each phase',
        columns: [
          { title: 'Phase' },
          { title: 'From', right: true },
          { title: 'To', right: true },
          { title: 'Requests', right: true },
          { title: 'Failed', right: true },
          { title: 'Rate', right: true },
          { title: 'p50', right: true },
          { title: 'p90', right: true },
          { title: 'p99', right: true },
          { title: 'p99.9', right: true },
          { title: 'Max', right: true },
        ],
        rows: report.phases.map((phase, index) => ({ phase, index })),
        cells: ({ phase, index }) => [
          h('strong', {}, phase.name),
          ...(['fromMs', 'toMs'] as const).map((field) => num(['phases', index, field], 'ms')),
          num(['phases', index, 'requests'], 'count'),
          num(['phases', index, 'errors'], 'count'),
          num(['phases', index, 'rps'], 'per-second'),
          ...(['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'maxMs'] as const).map((field) =>
            num(['phases', index, field], 'ms'),
          ),
        ],
        empty: 'No phase was reached.',
      }),
    ];
  },
};
