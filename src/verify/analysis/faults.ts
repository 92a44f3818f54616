import type { Expectation } from '../../model/fault.ts';
import type { Evidence, JournalEventOf } from '../../model/journal.ts';
import type { JournalIndex } from './journal-index.ts';
import type { Windows } from './windows.ts';
import type { WorkerLife } from './workers.ts';

/** A supervisor may still be ending a worker that it found hung when the fault was healed, for this long. */
const LATE_END_MS = 5000;
/** Kinds that end their victim at once. */
const ENDS = new Set(['kill', 'crash-loop', 'primary-kill']);
/** Kinds that do no harm, and only ask the primary to do something. */
const ASKS = new Set(['signal']);

/** One fault on one victim. */
export interface Episode {
  /** Index into the faults. */
  readonly fault: number;
  readonly pid: number;
  /** `null` for a primary, or a process that no record names. */
  readonly worker: WorkerLife | null;
  /** The victim is there but does not do its work: all kinds but those that end it. */
  readonly hang: boolean;
  /** It took the primary, and with it the whole service. */
  readonly tookPrimary: boolean;
  readonly injectedAtMs: number;
  /** When the victim ended because of the fault, by whomever. */
  readonly exitAtMs: number | null;
  /** When the exit was seen, by the supervisor too where that is known. */
  readonly noticedAtMs: number | null;
  /** When the fault no longer held the victim: its exit, or our heal; the end of the evidence if neither came. */
  readonly endMs: number;
  /** It was still there when we healed it. */
  readonly healedByUs: boolean;
  /** From when on a replacement can live: the victim's end, the end of a crash loop, our restart of the server. */
  readonly replaceableAtMs: number;
}

export interface FaultRecord {
  readonly id: string;
  readonly kind: string;
  readonly slots: readonly number[];
  readonly pids: readonly number[];
  readonly expect: Expectation;
  readonly holdMs: number | null;
  /** On the run's clock. */
  readonly plannedAtMs: number;
  readonly injectedAtMs: number | null;
  readonly healedAtMs: number | null;
  /** When its effect was known, for a fault without victims: what it asked for had been done by then. */
  readonly doneAtMs: number | null;
  readonly effective: boolean;
  /** Why its effect is not proven. */
  readonly problem: string | null;
  readonly evidence: Evidence;
  readonly episodes: readonly Episode[];
  /** `seq` of the records about it. */
  readonly records: readonly number[];
}

export interface FaultInput {
  readonly journal: JournalIndex;
  readonly windows: Windows;
  readonly workers: readonly WorkerLife[];
}

/**
 * The faults of the plan that were, or should have been, injected. One that was not due yet when the evidence ends
 * is left out: nothing can be said of it.
 */
export function faultRecords(input: FaultInput): readonly FaultRecord[] {
  const { journal, windows } = input;
  const chaos = windows.spans.chaos;
  const planned = journal.plan.faults.filter(
    (fault) => chaos !== null && (chaos.complete || chaos.fromMs + fault.atMs < chaos.toMs),
  );
  const known = new Set(planned.map((fault) => fault.id));
  const records = planned.map((fault, index) =>
    record(input, index, {
      ...fault,
      plannedAtMs: (chaos?.fromMs ?? 0) + fault.atMs,
      slots: fault.victims.by === 'slots' ? fault.victims.slots : [],
    }),
  );
  // A journal can hold a fault that its plan does not: it was done all the same.
  for (const inject of journal.of('fault.inject')) {
    if (known.has(inject.faultId)) continue;
    known.add(inject.faultId);
    records.push(record(input, records.length, { ...inject, id: inject.faultId }));
  }
  return records;
}

interface Outline {
  readonly id: string;
  readonly kind: string;
  readonly slots: readonly number[];
  readonly expect: Expectation;
  readonly holdMs: number | null;
  readonly plannedAtMs: number;
}

function record(input: FaultInput, index: number, outline: Outline): FaultRecord {
  const { journal } = input;
  const mine = <T extends { readonly faultId: string }>(events: readonly T[]): readonly T[] =>
    events.filter((event) => event.faultId === outline.id);
  const injects = mine(journal.of('fault.inject'));
  const effects = mine(journal.of('fault.effect'));
  const heals = mine(journal.of('fault.heal'));
  const errors = mine(journal.of('fault.error'));
  const inject = injects[0];
  const healed = heals.filter((heal) => heal.how === 'healed');
  const healedAtMs = heals.findLast((heal) => heal.how !== 'not-needed')?.atMs ?? null;
  const healedByUsAtMs = healed.at(-1)?.atMs ?? null;
  const problem =
    errors[0]?.message ??
    (inject === undefined ? 'it was never injected' : null) ??
    (effects.length === 0 ? 'no proof of its effect was recorded' : null) ??
    effects.filter((effect) => !effect.effective).map((effect) => effect.reason ?? 'it had no effect')[0] ??
    null;
  const facts: HeldFacts = {
    id: outline.id,
    index,
    kind: outline.kind,
    expect: outline.expect,
    healedByUsAtMs,
  };
  return {
    id: outline.id,
    kind: outline.kind,
    slots: inject ? [...new Set(injects.flatMap((event) => event.slots))] : outline.slots,
    pids: [...new Set(injects.flatMap((event) => event.pids))],
    expect: inject?.expect ?? outline.expect,
    holdMs: inject?.holdMs ?? outline.holdMs,
    plannedAtMs: inject?.plannedAtMs ?? outline.plannedAtMs,
    injectedAtMs: inject?.atMs ?? null,
    healedAtMs,
    doneAtMs: ASKS.has(outline.kind) ? (effects.at(-1)?.atMs ?? null) : null,
    effective: problem === null,
    problem,
    evidence: Object.assign({}, ...[...effects, ...heals].map((event) => event.evidence)) as Evidence,
    // Who is only asked to do something is nobody's victim, and nothing that goes wrong is excused by it.
    episodes: (ASKS.has(outline.kind) ? [] : injects).flatMap((event) =>
      event.pids.map((pid) => episode(input, { ...facts, injectedAtMs: event.atMs, pid })),
    ),
    records: [...injects, ...effects, ...heals, ...errors].map((event) => event.seq),
  };
}

interface HeldFacts {
  readonly id: string;
  readonly index: number;
  readonly kind: string;
  readonly expect: Expectation;
  readonly healedByUsAtMs: number | null;
}

function episode(
  { journal, workers }: FaultInput,
  facts: HeldFacts & { readonly injectedAtMs: number; readonly pid: number },
): Episode {
  const { pid, injectedAtMs, healedByUsAtMs } = facts;
  const hang = !ENDS.has(facts.kind);
  const worker = workers.findLast((life) => life.pid === pid && life.spawnedAtMs <= injectedAtMs) ?? null;
  const exits = worker ? [worker.exit] : journal.of('primary.exit').filter((event) => event.pid === pid);
  const exit = exits[0] ?? null;
  const exitAtMs = exit !== null && isOfFault(exit, facts) ? exit.atMs : null;
  const endMs = Math.max(
    injectedAtMs,
    Math.min(exitAtMs ?? Number.POSITIVE_INFINITY, healedByUsAtMs ?? journal.lastAtMs),
  );
  const restart = journal.of('target.restart').find((event) => event.faultId === facts.id);
  const crashing = facts.kind === 'crash-loop' ? (healedByUsAtMs ?? journal.lastAtMs) : 0;
  return {
    fault: facts.index,
    pid,
    worker,
    tookPrimary: worker === null && exitAtMs !== null,
    replaceableAtMs: Math.max(endMs, crashing, restart?.atMs ?? 0),
    hang,
    injectedAtMs,
    exitAtMs,
    noticedAtMs: exitAtMs === null ? null : Math.max(exitAtMs, worker?.noticedAtMs ?? exitAtMs),
    endMs,
    healedByUs: healedByUsAtMs !== null && (exitAtMs === null || exitAtMs > healedByUsAtMs),
  };
}

/** Whether the exit ended this fault: another fault's kill does only while this one held the victim. */
function isOfFault(
  exit: JournalEventOf<'worker.exit' | 'primary.exit'>,
  { id, injectedAtMs, healedByUsAtMs }: HeldFacts & { readonly injectedAtMs: number },
): boolean {
  if (exit.expected === 'stop' || exit.atMs < injectedAtMs - 1) return false;
  if (healedByUsAtMs === null || exit.atMs <= healedByUsAtMs) return true;
  const mayBeOurs = exit.expected === null || exit.expected === id;
  return mayBeOurs && exit.atMs <= healedByUsAtMs + LATE_END_MS;
}

/** Which fault a worker's exit is the doing of; `null`: of none that allows for it, and that is a finding. */
export function faultOfExit(faults: readonly FaultRecord[], worker: WorkerLife): FaultRecord | null {
  const { exit } = worker;
  if (exit === null) return null;
  for (const fault of faults) {
    if (fault.expect === 'survives') continue;
    if (exit.expected === fault.id) return fault;
    if (fault.episodes.some((it) => it.worker === worker && it.exitAtMs !== null)) return fault;
    // Workers end by themselves when a fault took their primary.
    if (fault.episodes.some((it) => lostItsPrimary(worker, it))) return fault;
  }
  return null;
}

/**
 * Whether this worker's primary was taken by that fault; those of a restarted primary are another's. From the kill on: what
 * a killed primary holds is closed, and its workers end by that, some ms before its own exit is seen.
 */
export function lostItsPrimary(
  worker: WorkerLife,
  { tookPrimary, hang, injectedAtMs, exitAtMs }: Episode,
): boolean {
  if (!tookPrimary || exitAtMs === null || worker.spawnedAtMs > exitAtMs) return false;
  const goneMs = hang ? exitAtMs : injectedAtMs;
  return worker.exit === null || worker.exit.atMs >= goneMs - 1;
}

/** Exits of workers before the stop that nobody asked for. */
export function unexpectedExits(
  faults: readonly FaultRecord[],
  workers: readonly WorkerLife[],
): readonly WorkerLife[] {
  return workers.filter(
    (worker) =>
      worker.exit !== null &&
      worker.exit.expected !== 'stop' &&
      !isRetired(faults, worker) &&
      faultOfExit(faults, worker) === null,
  );
}

/** Its own supervisor asked it to go, as in a recycling or a reload, and not because of a fault that it was to survive. */
function isRetired(faults: readonly FaultRecord[], worker: WorkerLife): boolean {
  const isVictim = faults.some((fault) =>
    fault.episodes.some((it) => it.worker === worker && it.exitAtMs !== null),
  );
  return worker.exit?.expected === 'supervisor' && !isVictim;
}
