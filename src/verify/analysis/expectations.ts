import { OUTCOMES, type Samples } from '../../model/samples.ts';

/** What warm-up and baseline show to hold for each request of the load. */
export interface Expectations {
  statusFits(request: number, status: number): boolean;
  bodyFits(row: number): boolean;
}

/** Fewer answers than this show nothing about a body; a request that is seldom sent is judged by its status alone. */
const BODY_ANSWERS_MIN = 20;
const STATUS_ANSWERS_MIN = 3;
/** A set of shapes is closed if it is small and none of them is rare. */
const SHAPES_MAX = 16;
const SHAPE_ANSWERS_MIN = 5;
const SET_ANSWERS_MIN = 200;
/**
 * A body outside of a closed set is wrong if its worker gives it so often that baseline would have shown it: at this
 * many expected sightings, the chance to see none is below 0.1 % (e^-7).
 */
const SIGHTINGS_MIN = 7;

const OK = OUTCOMES.indexOf('ok');

/** What was seen of one request before the first fault. */
interface Seen {
  answers: number;
  status: number | null;
  statusVaries: boolean;
  recorded: number;
  body: number | null;
  bodyVaries: boolean;
  readonly workers: Set<number>;
  readonly shapes: Map<number, number>;
  /** The one shape that a worker gives; `null` once it has given two. */
  readonly shapeOfWorker: Map<number, number | null>;
}

type BodyRule =
  | { readonly type: 'exact'; readonly body: number }
  | { readonly type: 'shapes'; readonly shapes: ReadonlySet<number>; readonly answers: number }
  | null;

/**
 * Learns from all whole answers that were due before `untilMs`. A status is expected if it was always the same and
 * not a 5xx, which is never right; a body if it was always the same, on two workers or more (else it may name the one
 * that gave it); else the shapes of the bodies, if they are few and none is rare; else nothing.
 */
export function learnExpectations(samples: Samples, untilMs: number): Expectations {
  const { columns, bodies } = samples;
  const seen = watch(samples, untilMs);
  const rules = seen.map((it) => (it === undefined ? null : bodyRule(it)));
  const shapeOf = (row: number): number => bodies[columns.body[row] ?? 0]?.shape ?? 0;
  const isNovel = (row: number, rule: BodyRule): boolean =>
    rule !== null &&
    columns.body[row] !== 0 &&
    (rule.type === 'exact' ? columns.body[row] !== rule.body : !rule.shapes.has(shapeOf(row)));
  const often = oftenNovel(samples, rules, isNovel);
  return {
    statusFits(request, status) {
      if (status >= 500) return false;
      const it = seen[request];
      if (it === undefined || it.statusVaries || it.answers < STATUS_ANSWERS_MIN) return true;
      return it.status === status;
    },
    bodyFits(row) {
      const rule = rules[columns.request[row] ?? 0] ?? null;
      if (!isNovel(row, rule)) return true;
      return rule?.type === 'shapes' && rule.shapes.size > 1 && !often.has(cell(samples, row));
    },
  };
}

function watch({ columns, bodies }: Samples, untilMs: number): (Seen | undefined)[] {
  const seen: (Seen | undefined)[] = [];
  for (let row = 0; row < columns.count; row++) {
    const status = columns.status[row] ?? 0;
    // A 5xx is a failure in itself, and no model of a good answer.
    if (columns.outcome[row] !== OK || (columns.dueMs[row] ?? 0) >= untilMs || status >= 500) continue;
    const request = columns.request[row] ?? 0;
    seen[request] ??= nothingSeen();
    const it = seen[request];
    it.answers++;
    it.status ??= status;
    if (it.status !== status) it.statusVaries = true;
    const body = columns.body[row] ?? 0;
    if (body === 0) continue;
    it.recorded++;
    it.body ??= body;
    if (it.body !== body) it.bodyVaries = true;
    const shape = bodies[body]?.shape ?? 0;
    it.shapes.set(shape, (it.shapes.get(shape) ?? 0) + 1);
    const worker = columns.worker[row] ?? 0;
    if (worker === 0) continue;
    it.workers.add(worker);
    const own = it.shapeOfWorker.get(worker);
    if (own === undefined) it.shapeOfWorker.set(worker, shape);
    else if (own !== shape) it.shapeOfWorker.set(worker, null);
  }
  return seen;
}

function nothingSeen(): Seen {
  return {
    answers: 0,
    status: null,
    statusVaries: false,
    recorded: 0,
    body: null,
    bodyVaries: false,
    workers: new Set(),
    shapes: new Map(),
    shapeOfWorker: new Map(),
  };
}

function bodyRule(seen: Seen): BodyRule {
  if (seen.recorded < BODY_ANSWERS_MIN || seen.body === null) return null;
  if (!seen.bodyVaries && seen.workers.size > 1) return { type: 'exact', body: seen.body };
  const shapes = new Set(seen.shapes.keys());
  if (shapes.size === 1) return { type: 'shapes', shapes, answers: seen.recorded };
  const rarest = Math.min(...seen.shapes.values());
  const closed = shapes.size <= SHAPES_MAX && rarest >= SHAPE_ANSWERS_MIN && seen.recorded >= SET_ANSWERS_MIN;
  // Each worker with a shape of its own names itself in the body: a new worker has a new name, and that is right.
  const namesWorker = seen.workers.size > 1 && [...seen.shapeOfWorker.values()].every((own) => own !== null);
  return closed && !namesWorker ? { type: 'shapes', shapes, answers: seen.recorded } : null;
}

/** The (request, worker) cells that give novel bodies too often for chance. */
function oftenNovel(
  samples: Samples,
  rules: readonly BodyRule[],
  isNovel: (row: number, rule: BodyRule) => boolean,
): ReadonlySet<number> {
  const { columns } = samples;
  const often = new Set<number>();
  if (!rules.some((rule) => rule?.type === 'shapes' && rule.shapes.size > 1)) return often;
  const answers = new Map<number, number>();
  const novel = new Map<number, number>();
  for (let row = 0; row < columns.count; row++) {
    if (columns.outcome[row] !== OK) continue;
    const key = cell(samples, row);
    answers.set(key, (answers.get(key) ?? 0) + 1);
    if (isNovel(row, rules[columns.request[row] ?? 0] ?? null)) novel.set(key, (novel.get(key) ?? 0) + 1);
  }
  for (const [key, count] of novel) {
    const rule = rules[key % 256];
    const shown = rule?.type === 'shapes' ? rule.answers : 0;
    if ((count / (answers.get(key) ?? 1)) * shown >= SIGHTINGS_MIN) often.add(key);
  }
  return often;
}

/** Request and worker of a row as one number. */
function cell({ columns }: Samples, row: number): number {
  return (columns.worker[row] ?? 0) * 256 + (columns.request[row] ?? 0);
}
