import { type FormatUnit, formatValue } from '../base/format.ts';
import { oneLine } from '../report/clean.ts';

type Listener = (event: Event) => void;
type Attribute = string | number | boolean | null | undefined | Listener;
export type Attributes = Readonly<Record<string, Attribute>>;
export type Child = Node | string | number | null | undefined | false;

/**
 * An HTML element. Attributes starting with `on` are listeners; text is always text, never markup. There is no
 * `style` attribute: the page's policy forbids it, see `styled`.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
  return element;
}

/** Sets properties through the object model, which the content security policy allows. */
export function styled<E extends HTMLElement | SVGElement>(
  element: E,
  properties: Readonly<Record<string, string>>,
): E {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

/** Foreign text without what could disturb the line around it. */
export function foreign(text: string): string {
  return oneLine(text);
}

export type Path = readonly (string | number)[];

/** Shows numbers of the document, each with its raw value and its place (a JSON pointer). */
export type NumberOf = (path: Path, unit: FormatUnit, absent?: string) => HTMLElement;

export function numbersOf(root: unknown): NumberOf {
  return (path, unit, absent) => {
    let value: unknown = root;
    for (const key of path) {
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string | number, unknown>)[key]
          : undefined;
    }
    const number = typeof value === 'number' ? value : null;
    return h(
      'span',
      {
        class: number === null ? 'num absent' : 'num',
        'data-path': pointer(path),
        'data-value': JSON.stringify(number),
        'data-unit': unit,
        'data-absent': absent,
        title: number === null ? undefined : String(number),
      },
      formatValue(number, unit, absent),
    );
  };
}

/** RFC 6901. */
function pointer(path: Path): string {
  return path.map((key) => `/${String(key).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}
