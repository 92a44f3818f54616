import type { ReportFault } from '../model/report.ts';
import { RECOVERY_STEPS, recoveredText, slotsText } from '../report/present.ts';
import { foreign, h, styled } from './dom.ts';
import type { Page, Section } from './page.ts';
import { table } from './table.ts';
import { onThemeChange } from './theme.ts';

interface Row {
  readonly fault: ReportFault;
  readonly index: number;
}

/** What each fault did, and how long each step of the way back took. */
export const faultsSection: Section = {
  id: 'faults',
  title: 'Faults and recoveries',
  short: 'Faults',
  build(page) {
    const { report, hash } = page;
    const all: Row[] = report.faults.map((fault, index) => ({ fault, index }));
    const only = h('input', { type: 'checkbox', id: 'faults-bad' });
    only.checked = hash.get('faults') === 'bad';
    const list = h('div', {});
    const show = (): void => {
      list.replaceChildren(faultTable(page, only.checked ? all.filter(({ fault }) => isBad(fault)) : all));
    };
    only.addEventListener('change', () => {
      hash.set('faults', only.checked ? 'bad' : '');
      show();
    });
    show();
    onThemeChange(show);
    const bad = all.filter(({ fault }) => isBad(fault)).length;
    return [
      h(
        'div',
        { class: 'filters' },
        h('span', { class: 'lead' }, 'Times are after the injection. The bars share one square-root scale.'),
        bad > 0 ? h('label', {}, only, ` only the ${bad} without effect or recovery`) : null,
      ),
      list,
    ];
  },
};

function isBad(fault: ReportFault): boolean {
  return !fault.effective || fault.recovered === false;
}

function faultTable(page: Page, rows: readonly Row[]): HTMLElement {
  const { num } = page;
  const max = longestStep(page.report.faults);
  return table({
    caption: 'Faults with the steps of each recovery',
    columns: [
      { title: 'Fault' },
      { title: 'Slot' },
      { title: 'At', right: true },
      { title: 'Late by', right: true, hint: 'Injected minus planned' },
      { title: 'Failed', right: true, hint: 'Failed requests that this fault caused' },
      ...RECOVERY_STEPS.map(({ label }) => ({ title: label, right: true })),
      { title: 'Outcome' },
    ],
    rows,
    cells: ({ fault, index }) => [
      faultName(page, fault),
      slotsText(fault),
      num(['faults', index, 'injectedAtMs'], 'ms', 'never'),
      h('span', { class: 'muted' }, num(['faults', index, 'skewMs'], 'ms', '–')),
      num(['faults', index, 'errors'], 'count'),
      ...RECOVERY_STEPS.map(({ key }) => step(page, { fault, index }, key, max)),
      outcome(fault),
    ],
    rowClass: ({ fault }) => (isBad(fault) ? 'fail' : ''),
    empty: page.report.faults.length === 0 ? 'No fault was planned.' : 'None.',
    omitted: page.omitted['faults'] ?? 0,
  });
}

function longestStep(faults: readonly ReportFault[]): number {
  let max = 1;
  for (const { recovery } of faults) {
    for (const { key } of RECOVERY_STEPS) max = Math.max(max, recovery[key] ?? 0);
  }
  return max;
}

function faultName({ palette }: Page, fault: ReportFault): HTMLElement {
  const dot = styled(h('span', { class: 'dot', 'aria-hidden': 'true' }), {
    background: palette.kindColor(fault.kind),
  });
  const evidence = Object.entries(fault.evidence)
    .slice(0, 12)
    .map(([key, value]) => `${foreign(key)} ${foreign(String(value))}`)
    .join(', ');
  return h(
    'span',
    { class: 'fault-name', title: evidence === '' ? 'no evidence' : `evidence: ${evidence}` },
    dot,
    h('strong', {}, foreign(fault.id)),
    // Most ids begin with their kind, and the dot has its colour.
    fault.id.startsWith(fault.kind)
      ? null
      : h('span', { class: 'note' }, foreign(palette.kindLabel(fault.kind))),
  );
}

function step(
  { num }: Page,
  { fault, index }: Row,
  key: (typeof RECOVERY_STEPS)[number]['key'],
  max: number,
): HTMLElement {
  const value = fault.recovery[key];
  const bar =
    value === null
      ? null
      : styled(h('span', { class: 'bar', 'aria-hidden': 'true' }), {
          width: `max(2px, ${100 * Math.sqrt(Math.min(1, Math.max(0, value / max)))}%)`,
        });
  return h('span', { class: 'step' }, num(['faults', index, 'recovery', key], 'ms', '–'), bar);
}

function outcome(fault: ReportFault): HTMLElement {
  const mark = isBad(fault) ? '✗ ' : fault.recovered === true ? '✓ ' : '';
  return h(
    'span',
    { class: 'outcome' },
    `${mark}${recoveredText(fault)}`,
    fault.reason === null ? null : h('span', { class: 'note' }, foreign(fault.reason)),
  );
}
