import { ChaosError, unreachable } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { parseDuration, parseSize } from '../base/units.ts';
import { type Objective, OPERATORS, type Operator } from '../model/objective.ts';
import { WINDOWS, type WindowName } from '../model/phase.ts';
import type { CheckUnit } from '../model/report.ts';

/** What the parser must know of a metric; the catalogue is given to it, since it belongs to the judges. */
export interface ObjectiveMetric {
  readonly metric: string;
  readonly unit: CheckUnit;
  /** The windows it can be judged over; the first is its default. */
  readonly windows: readonly WindowName[];
}

type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const SYNTAX = "'<metric>[@<window>] <op> <limit>', such as 'outage.longest < 200ms'";
const PATTERN = /^\s*([\w.-]+)\s*(?:@\s*(\w+))?\s*([<>=!]+)\s*(\S.*?)\s*$/;

/**
 * Parses `'<metric>[@<window>] <op> <limit>'`, e.g. `'availability@chaos >= 99.9%'`; without a window, the metric's
 * first. The limit has the metric's unit: a duration, a size, a percentage or share, or a number.
 *
 * @throws ChaosError 'usage' that says what is wrong and what is allowed
 */
export function parseObjective(text: string, metrics: readonly ObjectiveMetric[]): Objective {
  const read = readObjective(text, metrics);
  if (!read.ok) throw new ChaosError('usage', `objective '${text}': ${read.problem}`);
  return read.value;
}

/** As `parseObjective`, with the problem as a value; the level is `error`. */
export function readObjective(text: string, metrics: readonly ObjectiveMetric[]): Read<Objective> {
  const match = PATTERN.exec(text);
  if (!match) return problem(`does not read as ${SYNTAX}`);
  const [, name = '', windowName, opText = '', limitText = ''] = match;
  const known = metrics.find(({ metric }) => metric === name);
  if (!known) {
    const names = metrics.map(({ metric }) => metric);
    return problem(`unknown metric '${name}'; ${suggest(name, names, '`chaos run --help` lists them')}`);
  }
  const window = readWindow(windowName, known);
  if (!window.ok) return window;
  const op = OPERATORS.find((candidate) => candidate === opText);
  if (!op) {
    const hint = opText === '=' ? "; did you mean '=='?" : '';
    return problem(`unknown operator '${opText}'; allowed: ${OPERATORS.join(' ')}${hint}`);
  }
  const limit = readLimit(limitText, known.unit);
  if (!limit.ok) return limit;
  return { ok: true, value: objective(text, name, window.value, op, limit.value) };
}

function objective(text: string, metric: string, window: WindowName, op: Operator, limit: number): Objective {
  return { text: text.trim(), metric, window, op, limit, level: 'error' };
}

function readWindow(name: string | undefined, { metric, windows }: ObjectiveMetric): Read<WindowName> {
  const window = name === undefined ? windows[0] : windows.find((candidate) => candidate === name);
  if (window !== undefined) return { ok: true, value: window };
  const known = WINDOWS.some((candidate) => candidate === name);
  const what = known ? `${metric} is not measured over '${name}'` : `unknown window '${name}'`;
  return problem(`${what}; ${suggest(name ?? '', windows, `allowed: ${windows.join(', ')}`)}`);
}

function readLimit(text: string, unit: CheckUnit): Read<number> {
  const { value, allowed } = inUnit(text, unit);
  if (value === undefined) return problem(`limit '${text}' is not ${allowed}`);
  return { ok: true, value };
}

function inUnit(text: string, unit: CheckUnit): { value: number | undefined; allowed: string } {
  switch (unit) {
    case 'ms':
      return { value: parseDuration(text), allowed: "a duration, such as '250ms' or '1.5s'" };
    case 'bytes':
      return { value: parseSize(text), allowed: "a size, such as '64MB' or '1.5GiB'" };
    case 'share':
      return { value: share(text), allowed: "a share from 0 to 1, such as '99.9%' or 0.999" };
    case 'count':
      return { value: plainNumber(text), allowed: 'a number >= 0' };
    case 'per-second':
      return { value: plainNumber(text), allowed: 'a number a second, >= 0' };
    case 'factor':
      return { value: plainNumber(text), allowed: 'a factor, such as 0.95 or 3' };
    default:
      return unreachable(unit);
  }
}

function share(text: string): number | undefined {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
  // The decimal point is moved in the text: 99.9 / 100 is not 0.999 in binary.
  const value = percent ? Number(`${percent[1]}e-2`) : plainNumber(text);
  return value !== undefined && value <= 1 ? value : undefined;
}

function plainNumber(text: string): number | undefined {
  return /^(\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : undefined;
}

function suggest(name: string, known: readonly string[], otherwise: string): string {
  const near = nearest(name, known);
  return near === undefined ? otherwise : `did you mean '${near}'?`;
}

function problem(text: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: text };
}
