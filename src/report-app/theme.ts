import { h } from './dom.ts';
import type { HashState } from './hash-state.ts';

const listeners: (() => void)[] = [];

/** Called after every change of the colours: what was drawn must be drawn again. */
export function onThemeChange(listener: () => void): void {
  listeners.push(listener);
}

/** Dark or light as the address says, else as the system does; paper is always light. */
export function startTheme(hash: HashState): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const wanted = (): string => hash.get('theme') || (system.matches ? 'dark' : 'light');
  apply(wanted());
  system.addEventListener('change', () => apply(wanted()));
  addEventListener('beforeprint', () => apply('light'));
  addEventListener('afterprint', () => apply(wanted()));
}

export function themeButton(hash: HashState): HTMLElement {
  return h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      id: 'theme',
      'aria-label': 'Switch between dark and light',
      title: 'Switch between dark and light',
      onclick: () => {
        const next = document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark';
        hash.set('theme', next);
        apply(next);
      },
    },
    '◐',
  );
}

function apply(theme: string): void {
  const value = theme === 'dark' ? 'dark' : 'light';
  if (document.documentElement.dataset['theme'] === value) return;
  document.documentElement.dataset['theme'] = value;
  for (const listener of listeners) listener();
}
