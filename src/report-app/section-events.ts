import type { ReportEvent } from '../model/report.ts';
import { foreign, h } from './dom.ts';
import type { Section } from './page.ts';
import { table } from './table.ts';

const LEVELS = ['info', 'warn', 'error'] as const;

/** What happened, in order, with a filter that lives in the address. */
export const eventsSection: Section = {
  id: 'events',
  title: 'Events',
  build({ report, num, omitted, hash }) {
    const level = h(
      'select',
      { id: 'event-level', 'aria-label': 'Least level' },
      h('option', { value: 'info' }, 'all events'),
      h('option', { value: 'warn' }, 'warnings and errors'),
      h('option', { value: 'error' }, 'errors'),
    );
    const query = h('input', {
      id: 'event-query',
      type: 'search',
      placeholder: 'Filter, e.g. kill-6',
      'aria-label': 'Filter events by text',
    });
    const count = h('span', { class: 'muted', id: 'event-count', role: 'status' });
    const list = h('div', {});
    const all = report.events.map((event, index) => ({ event, index }));
    const show = (): void => {
      const least = LEVELS.findIndex((name) => name === level.value);
      const words = query.value.toLowerCase().trim();
      const rows = all.filter(
        ({ event }) => LEVELS.indexOf(event.level) >= least && event.text.toLowerCase().includes(words),
      );
      count.textContent =
        rows.length === all.length ? `${all.length} events` : `${rows.length} of ${all.length}`;
      list.replaceChildren(
        table({
          caption: 'Events of the run',
          columns: [{ title: 'At', right: true }, { title: 'Level' }, { title: 'Event' }],
          rows,
          cells: ({ event, index }) => [
            num(['events', index, 'atMs'], 'ms'),
            levelTag(event),
            foreign(event.text),
          ],
          rowClass: ({ event }) => `event ${event.level}`,
          empty: all.length === 0 ? 'No event was recorded.' : 'No event matches.',
          omitted: omitted['events'] ?? 0,
        }),
      );
    };
    level.value = LEVELS.find((name) => name === hash.get('level')) ?? 'info';
    query.value = hash.get('q');
    const changed = (): void => {
      hash.set('level', level.value === 'info' ? '' : level.value);
      hash.set('q', query.value.trim());
      show();
    };
    level.addEventListener('change', changed);
    query.addEventListener('input', changed);
    show();
    return [h('div', { class: 'filters' }, query, level, count), list];
  },
};

function levelTag(event: ReportEvent): HTMLElement {
  return h('span', { class: `tag ${event.level}` }, event.level);
}
