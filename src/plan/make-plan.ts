import { ChaosError, unreachable } from '../base/errors.ts';
import type { ScheduledFault, Selector } from '../model/fault.ts';
import type { Plan, PlannedFault, Victims } from '../model/plan.ts';
import type { Scenario } from '../model/scenario.ts';
import { canonicalJson, sha256Hex } from './canonical-json.ts';
import { PLANNED_FAULTS_MAX, scheduleTimes } from './schedule-times.ts';
import { drawSubset, type Rng, seededRng } from './seeded-rng.ts';

/** The parts of a scenario that its plan depends on. */
export type PlanSource = Pick<Scenario, 'name' | 'faults'> & {
  readonly phases: { readonly chaosMs: number };
};

/**
 * What is injected and when: a pure function of scenario, seed and number of workers.
 *
 * Every fault draws from streams named after it, one for times and one for victims, so that adding, removing or
 * reordering faults leaves the others as they were, and another number of workers leaves all times as they were.
 *
 * @throws ChaosError 'usage' where a fault names a slot that does not exist, or there are too many injections
 */
export function makePlan(source: PlanSource, seed: string | number, workers: number): Plan {
  const rng = seededRng(seed);
  const chaosMs = Math.round(source.phases.chaosMs);
  const faults = source.faults
    .flatMap((fault) => planFault(fault, { chaosMs, workers, rng: rng.fork(fault.name) }))
    .sort(byTimeThenId);
  if (faults.length > PLANNED_FAULTS_MAX) {
    throw new ChaosError(
      'usage',
      `scenario ${source.name} plans ${faults.length} injections; at most ${PLANNED_FAULTS_MAX} are allowed`,
      { hint: 'Make the schedules sparser or the chaos phase shorter.' },
    );
  }
  const body = { version: 1, scenario: source.name, seed: String(seed), workers, chaosMs, faults } as const;
  return { ...body, hash: hashPlan(body) };
}

/** SHA-256 of the canonical JSON of a plan's fields without `hash`, hex. */
export function hashPlan(plan: Omit<Plan, 'hash'>): string {
  const { version, scenario, seed, workers, chaosMs, faults } = plan;
  return sha256Hex(canonicalJson({ version, scenario, seed, workers, chaosMs, faults }));
}

interface Context {
  readonly chaosMs: number;
  readonly workers: number;
  readonly rng: Rng;
}

function planFault(scheduled: ScheduledFault, { chaosMs, workers, rng }: Context): PlannedFault[] {
  const { name, fault, schedule } = scheduled;
  const { fromMs, toMs } = openWindow(scheduled, chaosMs);
  return scheduleTimes(schedule, chaosMs, rng.fork('time'))
    .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    .map(({ index, atMs }, position) => ({
      id: `${name}-${position + 1}`,
      name,
      kind: fault.kind,
      params: fault.params,
      atMs,
      holdMs: fault.holdMs,
      victims: drawVictims(fault.select, workers, rng.fork('select').fork(String(index)), name),
      expect: fault.expect,
    }));
}

/** The part of the chaos phase in which a fault may be injected: from inclusive, to exclusive. */
function openWindow({ window }: ScheduledFault, chaosMs: number): { fromMs: number; toMs: number } {
  if (window === null) return { fromMs: 0, toMs: chaosMs };
  const toMs = window.toMs > 0 ? window.toMs : chaosMs + window.toMs;
  return { fromMs: window.fromMs, toMs: Math.min(toMs, chaosMs) };
}

function drawVictims(select: Selector, workers: number, rng: Rng, name: string): Victims {
  const slots = Array.from({ length: workers }, (_, index) => index + 1);
  switch (select.pick) {
    case 'all':
      return { by: 'slots', slots };
    case 'random':
      return { by: 'slots', slots: drawSubset(rng, slots, select.count) };
    case 'slot':
      return { by: 'slots', slots: knownSlots(select.slots, workers, name) };
    case 'primary':
      return { by: 'primary' };
    case 'last-started':
      return { by: 'last-started' };
    default:
      return unreachable(select);
  }
}

function knownSlots(slots: readonly number[], workers: number, name: string): readonly number[] {
  const unknown = slots.filter((slot) => slot > workers);
  if (unknown.length > 0) {
    throw new ChaosError(
      'usage',
      `fault ${name} is for slot ${unknown.join(', ')}, but there are only ${workers} workers`,
      { hint: 'Ask for more workers (--workers, target.workers), or select random() or all().' },
    );
  }
  return [...new Set(slots)].sort((a, b) => a - b);
}

function byTimeThenId(a: PlannedFault, b: PlannedFault): number {
  if (a.atMs !== b.atMs) return a.atMs - b.atMs;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  // Compared by length first: `kill-2` comes before `kill-10`.
  return a.id.length - b.id.length || (a.id < b.id ? -1 : 1);
}
