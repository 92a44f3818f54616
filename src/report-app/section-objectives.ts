import type { ReportCheck } from '../model/report.ts';
import { absentText, limitText, rankedChecks, VERDICT_MARK } from '../report/present.ts';
import { foreign, h, styled } from './dom.ts';
import type { Page, Section } from './page.ts';
import { table } from './table.ts';

/** Every objective with what was demanded and what was measured; broken ones first. */
export const objectivesSection: Section = {
  id: 'objectives',
  title: 'Objectives',
  build(page) {
    const { checks } = page.report;
    const met = checks.filter((check) => check.verdict === 'pass').length;
    return [
      h('p', { class: 'lead' }, `${met} of ${checks.length + (page.omitted['checks'] ?? 0)} met`),
      table({
        caption: 'Objectives with limit and actual value',
        columns: [
          { title: '' },
          { title: 'Metric' },
          { title: 'Window' },
          { title: 'Limit', right: true },
          { title: 'Actual', right: true },
          { title: 'Of the limit', hint: 'How much of what the limit allows was used up' },
          {
            title: 'Between',
            right: true,
            hint: 'Interval in which the true value lies, where one is known',
          },
          { title: 'Samples', right: true },
          { title: 'Reason' },
        ],
        rows: rankedChecks(checks),
        cells: ({ check, index }) => cells(page, check, index),
        rowClass: ({ check }) => `${check.verdict} ${check.level}`,
        empty: 'This run had no objectives.',
        omitted: page.omitted['checks'] ?? 0,
      }),
    ];
  },
};

function cells({ num }: Page, check: ReportCheck, index: number): (Node | string | null)[] {
  const at = (field: string): readonly (string | number)[] => ['checks', index, field];
  const interval =
    check.low === null && check.high === null
      ? null
      : h(
          'span',
          { class: 'muted nowrap' },
          num(at('low'), check.unit, '?'),
          ' – ',
          num(at('high'), check.unit, '?'),
        );
  return [
    h('span', { class: 'sign', role: 'img', 'aria-label': check.verdict }, VERDICT_MARK[check.verdict]),
    h('span', { class: 'metric', title: foreign(check.id) }, foreign(check.metric)),
    h('span', { class: 'muted' }, check.window),
    h('span', { class: 'nowrap', title: limitText(check) }, `${check.op} `, num(at('limit'), check.unit)),
    h('span', { class: 'actual' }, num(at('actual'), check.unit, absentText(check))),
    usedBar(check),
    interval,
    h('span', { class: 'muted' }, num(at('samples'), 'count')),
    h(
      'span',
      { class: 'why' },
      check.level === 'warn' ? h('span', { class: 'tag' }, 'warning only') : null,
      foreign(check.reason ?? ''),
    ),
  ];
}

/** A bar that is full where the limit is reached; none where a share of it has no meaning. */
function usedBar(check: ReportCheck): HTMLElement | null {
  const used = usedOf(check);
  if (used === null) return null;
  const bar = styled(h('span', { class: 'bar' }), { width: `${Math.min(100, Math.max(1.5, used * 100))}%` });
  return h('span', { class: 'track', 'aria-hidden': 'true' }, bar);
}

function usedOf({ op, limit, actual, unit }: ReportCheck): number | null {
  if (actual === null || op === '==' || op === '!=') return null;
  const upper = op === '<' || op === '<=';
  // Of a share such as availability, what is missing from 1 is what gets used up.
  const [part, whole] = upper
    ? [actual, limit]
    : unit === 'share'
      ? [1 - actual, 1 - limit]
      : [limit, actual];
  return whole > 0 && part >= 0 ? part / whole : null;
}
