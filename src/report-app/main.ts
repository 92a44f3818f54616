import './language-guard.ts';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import type { PageData } from '../report/bound.ts';
import { h, numbersOf } from './dom.ts';
import { createHashState } from './hash-state.ts';
import type { Page, Section } from './page.ts';
import { createPalette } from './palette.ts';
import { banner } from './section-banner.ts';
import { errorsSection } from './section-errors.ts';
import { eventsSection } from './section-events.ts';
import { faultsSection } from './section-faults.ts';
import { objectivesSection } from './section-objectives.ts';
import { outagesSection } from './section-outages.ts';
import { phasesSection } from './section-phases.ts';
import { repeatsSection } from './section-repeats.ts';
import { timelineSection } from './section-timeline.ts';
import { trustSection } from './section-trust.ts';
import { workersSection } from './section-workers.ts';
import { startTheme, themeButton } from './theme.ts';

/** In the order in which a reader asks: is it good, what broke, when, how did it come back, why, and is that true. */
const SECTIONS: readonly Section[] = [
  objectivesSection,
  timelineSection,
  faultsSection,
  errorsSection,
  outagesSection,
  phasesSection,
  workersSection,
  repeatsSection,
  trustSection,
  eventsSection,
];

function main(): void {
  const root = document.getElementById('app');
  const data = JSON.parse(document.getElementById('report-data')?.textContent ?? '{}') as PageData;
  if (root === null) return;
  const hash = createHashState();
  startTheme(hash);
  const page: Page = {
    report: data.report,
    omitted: data.omitted,
    num: numbersOf(data.report),
    palette: createPalette(data.report),
    hash,
  };
  const built = SECTIONS.map((section) => ({ section, content: guarded(section, page) })).filter(
    ({ content }) => content !== null,
  );
  const links = built.map(({ section }) =>
    h('a', { href: `#${section.id}` }, section.short ?? section.title),
  );
  root.append(
    h('a', { class: 'skip', href: '#objectives' }, 'Skip to the objectives'),
    h(
      'header',
      { class: 'top' },
      h('span', { class: 'brand' }, 'cluster-chaos'),
      h('nav', { 'aria-label': 'Sections' }, ...links),
      themeButton(hash),
    ),
    h(
      'main',
      {},
      banner(page),
      ...built.map(({ section, content }) =>
        h(
          'section',
          { id: section.id, class: 'card', 'aria-labelledby': `${section.id}-title` },
          h('h2', { id: `${section.id}-title` }, section.title),
          ...(content ?? []),
        ),
      ),
    ),
  );
  // The element did not exist yet when the browser looked for the anchor.
  if (hash.section() !== '') document.getElementById(hash.section())?.scrollIntoView();
  // The charts are drawn once the layout is known, which is before the second frame.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      root.dataset['ready'] = 'true';
    }),
  );
}

/** One section that a strange document breaks must not take the others along. */
function guarded(section: Section, page: Page): readonly (Node | null)[] | null {
  try {
    return section.build(page);
  } catch (error) {
    const text = `This part could not be drawn: ${String(error)}`;
    return [h('p', { class: 'none', 'data-broken': section.id }, text)];
  }
}

main();
