import { visibilityText } from '../report/present.ts';
import { type Child, foreign, h } from './dom.ts';
import type { Page, Section } from './page.ts';

/** How far the instrument itself can be trusted, and where it ran. */
export const trustSection: Section = {
  id: 'trust',
  title: 'How far the instrument can be trusted',
  short: 'Trust',
  build(page) {
    const { report } = page;
    return [
      h(
        'div',
        { class: 'columns' },
        h('div', {}, h('h3', {}, 'Instrument'), instrument(page)),
        h('div', {}, h('h3', {}, 'Run and environment'), environment(page)),
      ),
      report.run.blind.length === 0
        ? h('p', { class: 'muted' }, 'Nothing that this kind of run can see was hidden from it.')
        : h(
            'div',
            { class: 'blind' },
            h('h3', {}, 'What could not be seen'),
            h('ul', {}, ...report.run.blind.map((line) => h('li', {}, foreign(line)))),
          ),
      leftovers(page),
    ];
  },
};

function instrument({ report, num }: Page): HTMLElement {
  return facts([
    [
      'Faults late by',
      num(['harness', 'faultSkewMsP99'], 'ms'),
      'p99 of injected minus planned; within 5 ms a fault hit when the plan says',
    ],
    [
      'Load late by',
      num(['harness', 'loadLagMsP99'], 'ms'),
      'p99 of sent minus due; it is inside every latency, so it bounds how fine they are',
    ],
    [
      'Probe late by',
      num(['harness', 'probeLagMsP99'], 'ms'),
      'p99; outages shorter than this cannot be told from it',
    ],
    [
      'Samples dropped',
      num(['harness', 'droppedSamples'], 'count'),
      'anything but 0 is a gap in the evidence',
    ],
    ['Priority', foreign(report.harness.priority ?? 'not known'), ''],
    ['Target watched by', visibilityText(report), ''],
  ]);
}

function environment({ report: { run }, num }: Page): HTMLElement {
  return facts([
    ['Target', h('code', {}, foreign(run.target)), ''],
    ['Answered at', run.origin === null ? 'nowhere' : h('code', {}, foreign(run.origin)), ''],
    ['Workers', num(['run', 'workers'], 'count'), ''],
    ['Arrivals', num(['run', 'ratePerSecond'], 'per-second', 'closed loop'), ''],
    ['Lasted', num(['run', 'durationMs'], 'ms'), ''],
    ['Started', foreign(run.startedAt), ''],
    ['Command', h('code', {}, foreign(run.command)), ''],
    ['Scenario file', h('code', {}, foreign(run.file)), ''],
    ['Plan', h('code', { class: 'hash' }, foreign(run.planHash)), ''],
    [
      'Machine',
      h(
        'span',
        {},
        `${foreign(run.environment.os)}, `,
        num(['run', 'environment', 'cpus'], 'count'),
        ' CPUs',
      ),
      '',
    ],
    ['Node', foreign(run.environment.node), ''],
    ['cluster-chaos', foreign(run.environment.version), ''],
  ]);
}

function facts(rows: readonly (readonly [name: string, value: Child, note: string])[]): HTMLElement {
  return h(
    'table',
    { class: 'facts' },
    h(
      'tbody',
      {},
      ...rows.map(([name, value, note]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, name),
          h('td', {}, value, note === '' ? null : h('span', { class: 'note' }, note)),
        ),
      ),
    ),
  );
}

function leftovers({ report: { leftovers } }: Page): HTMLElement {
  const { processes, ports } = leftovers;
  if (processes.length + ports.length === 0) {
    return h('p', { class: 'muted' }, 'No process and no port was left behind.');
  }
  const shown = processes
    .slice(0, 50)
    .map(({ pid, command }) => h('li', {}, `pid ${pid}: ${foreign(command)}`));
  return h(
    'div',
    { class: 'blind' },
    h('h3', {}, 'Left behind after the stop'),
    h('ul', {}, ...shown, ...ports.slice(0, 50).map((port) => h('li', {}, `port ${port}`))),
  );
}
