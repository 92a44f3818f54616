/** The page's state in the address: `#events&level=warn&q=kill` is the section, then filters. */
export interface HashState {
  get(name: string): string;
  /** Sets or, with an empty value, removes; leaves no entry in the browser's history. */
  set(name: string, value: string): void;
  section(): string;
}

export function createHashState(): HashState {
  const read = (): { section: string; filters: URLSearchParams } => {
    const raw = location.hash.replace(/^#/, '');
    const [first = '', ...rest] = raw.split('&');
    const named = first !== '' && !first.includes('=');
    return {
      section: named ? decode(first) : '',
      filters: new URLSearchParams(named ? rest.join('&') : raw),
    };
  };
  return {
    get: (name) => read().filters.get(name) ?? '',
    set(name, value) {
      const { section, filters } = read();
      if (value === '') filters.delete(name);
      else filters.set(name, value);
      const hash = [encodeURIComponent(section), filters.toString()].filter((part) => part !== '').join('&');
      history.replaceState(
        null,
        '',
        `${location.pathname}${location.search}${hash === '' ? '' : `#${hash}`}`,
      );
    },
    section: () => read().section,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return ''; // Not one of our addresses, so it names none of our sections.
  }
}
