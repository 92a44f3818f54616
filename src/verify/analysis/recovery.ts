import { formatMs } from '../../base/format.ts';
import type { Episode, FaultRecord } from './faults.ts';
import type { Goodput } from './goodput.ts';
import type { StepLine } from './step-line.ts';
import type { WorkerRows } from './worker-rows.ts';
import type { WorkerLife } from './workers.ts';

/** The steps of one recovery, ms after the injection; `null` where it never came. */
export interface RecoverySteps {
  readonly noticedMs: number | null;
  readonly exitMs: number | null;
  readonly forkMs: number | null;
  readonly onlineMs: number | null;
  readonly listeningMs: number | null;
  readonly firstResponseMs: number | null;
  readonly goodputMs: number | null;
}

/** What became of one fault. */
export interface Recovery {
  /** Whether what was demanded happened; `null` where nothing was, or the evidence ends too early to tell. */
  readonly recovered: boolean | null;
  /** Injection to the last replacement ready, ms. */
  readonly recoveryMs: number | null;
  /** Of `recoveryMs`, what no supervisor could have changed: the time that the fault itself took to end the victim. */
  readonly unavoidableMs: number;
  /** Where it is not recovered: it took at least this long, ms; Infinity if it never will. */
  readonly atLeastMs: number;
  readonly reason: string | null;
  readonly steps: RecoverySteps;
}

/** Past this, on top of three boots and the hold, who has not come back will not. */
const NEVER_AFTER_MS = 10_000;

export interface RecoveryInput {
  readonly faults: readonly FaultRecord[];
  readonly workers: readonly WorkerLife[];
  readonly workerRows: WorkerRows;
  /** How many workers the server should have. */
  readonly wanted: StepLine;
  readonly goodput: Goodput;
  readonly bootMs: number;
  /** When the last worker event could have been recorded, ms. */
  readonly evidenceEndMs: number;
  /** The supervisor had all the time that the scenario gives, or its server had ended. */
  readonly ranToEnd: boolean;
}

const NO_STEPS: RecoverySteps = {
  noticedMs: null,
  exitMs: null,
  forkMs: null,
  onlineMs: null,
  listeningMs: null,
  firstResponseMs: null,
  goodputMs: null,
};

/** One recovery a fault, in the order of the faults. */
export function recoveries(input: RecoveryInput): readonly Recovery[] {
  const taken = new Set<WorkerLife>();
  return input.faults.map((fault) => recoveryOf(input, fault, taken));
}

function recoveryOf(input: RecoveryInput, fault: FaultRecord, taken: Set<WorkerLife>): Recovery {
  const nothing = {
    recovered: null,
    recoveryMs: null,
    unavoidableMs: 0,
    atLeastMs: 0,
    reason: fault.problem,
  };
  if (fault.injectedAtMs === null || fault.episodes.length === 0) return { ...nothing, steps: NO_STEPS };
  const goodputMs = input.goodput.backAfterMs(fault.injectedAtMs);
  const each = fault.episodes.map((episode) => victimRecovery(input, fault, episode, taken));
  const slowest = each.reduce((a, b) => (rank(b) > rank(a) ? b : a));
  const steps = { ...slowest.steps, goodputMs };
  if (fault.expect === 'any' || (fault.expect === 'replaced' && !fault.effective))
    return { ...nothing, steps };
  return { ...slowest, steps };
}

/** The worst victim stands for its fault. */
function rank({ recovered, recoveryMs, atLeastMs }: Recovery): number {
  if (recovered === false) return Number.POSITIVE_INFINITY;
  return recovered === null ? 1e9 + atLeastMs : (recoveryMs ?? 0);
}

function victimRecovery(
  input: RecoveryInput,
  fault: FaultRecord,
  episode: Episode,
  taken: Set<WorkerLife>,
): Recovery {
  const { injectedAtMs, exitAtMs, noticedAtMs, worker } = episode;
  const after = (atMs: number | null): number | null =>
    atMs === null || Number.isNaN(atMs) ? null : Math.max(0, atMs - injectedAtMs);
  const next = worker && exitAtMs !== null ? replacement(input, worker, episode, taken) : null;
  if (next) taken.add(next);
  const first = next ? (input.workerRows.firstOkMs[input.workers.indexOf(next)] ?? null) : null;
  const steps: RecoverySteps = episode.tookPrimary
    ? restartSteps(input, episode)
    : {
        noticedMs: after(exitAtMs === null ? null : noticedAtMs),
        exitMs: after(exitAtMs),
        forkMs: after(next?.spawnedAtMs ?? null),
        onlineMs: after(next?.onlineAtMs ?? null),
        listeningMs: after(next?.listeningAtMs ?? null),
        firstResponseMs: after(first),
        goodputMs: null,
      };
  if (fault.expect === 'survives') return survival(input, fault, episode, steps);
  // To fill a heap takes seconds, and only then is there anything to recover from.
  const dies = fault.kind === 'memory-spike' && exitAtMs !== null;
  const recoveryMs = steps.listeningMs;
  const unavoidableMs = dies ? exitAtMs - injectedAtMs : barredMs(fault, episode, recoveryMs);
  if (recoveryMs !== null && !episode.healedByUs) {
    return { recovered: true, recoveryMs, unavoidableMs, atLeastMs: recoveryMs, reason: null, steps };
  }
  return notRecovered(input, fault, episode, { steps, unavoidableMs });
}

function survival(
  input: RecoveryInput,
  fault: FaultRecord,
  episode: Episode,
  steps: RecoverySteps,
): Recovery {
  const common = { recoveryMs: null, unavoidableMs: 0, atLeastMs: 0, steps };
  const endedBy = episode.worker?.exit?.expected ?? null;
  if (steps.exitMs !== null && endedBy !== null && endedBy !== fault.id) {
    return { ...common, recovered: null, reason: `${who(episode)} was ended by ${endedBy} in the meantime` };
  }
  if (steps.exitMs !== null) {
    const reason = `${who(episode)} did not survive ${fault.id}: it ended ${formatMs(steps.exitMs)} after the injection`;
    return { ...common, recovered: false, reason };
  }
  const seen = fault.healedAtMs !== null || input.ranToEnd;
  return {
    ...common,
    recovered: seen ? true : null,
    reason: seen ? null : `the evidence ends while ${fault.id} was still held`,
  };
}

function notRecovered(
  input: RecoveryInput,
  fault: FaultRecord,
  episode: Episode,
  { steps, unavoidableMs }: { readonly steps: RecoverySteps; readonly unavoidableMs: number },
): Recovery {
  const common = { recoveryMs: null, unavoidableMs, steps };
  const elapsedMs = input.evidenceEndMs - episode.injectedAtMs;
  const fail = (reason: string): Recovery => ({
    ...common,
    recovered: false,
    atLeastMs: Number.POSITIVE_INFINITY,
    reason,
  });
  if (episode.healedByUs) {
    const heldMs = episode.endMs - episode.injectedAtMs;
    return fail(
      `nobody noticed: ${who(episode)} was still hung when it was healed after ${formatMs(heldMs)} (${fault.id})`,
    );
  }
  const heldMs = episode.hang ? (fault.holdMs ?? 0) : episode.replaceableAtMs - episode.injectedAtMs;
  const boundMs = NEVER_AFTER_MS + 3 * input.bootMs + heldMs;
  if (input.ranToEnd || elapsedMs > boundMs) {
    const deed = episode.hang ? `the ${fault.kind} of ` : '';
    const what =
      steps.exitMs === null ? `${deed}${who(episode)} never ended` : `${who(episode)} never came back`;
    const atMs = formatMs(episode.injectedAtMs);
    return fail(`${what} after ${fault.id} (${fault.kind} at ${atMs})`);
  }
  return {
    ...common,
    recovered: null,
    atLeastMs: elapsedMs,
    reason: `the evidence ends ${formatMs(elapsedMs)} after ${fault.id}, before ${who(episode)} was back`,
  };
}

/** While boots crash, or until chaos has started the server again, no supervisor can bring anybody back. */
function barredMs(
  { kind }: FaultRecord,
  { tookPrimary, replaceableAtMs, injectedAtMs }: Episode,
  recoveryMs: number | null,
): number {
  if (kind !== 'crash-loop' && !tookPrimary) return 0;
  return Math.min(replaceableAtMs - injectedAtMs, recoveryMs ?? Number.POSITIVE_INFINITY);
}

/** A new primary has recovered when as many of its workers listen as there should be. */
function restartSteps(
  { workers, workerRows, wanted }: RecoveryInput,
  { injectedAtMs, exitAtMs, noticedAtMs }: Episode,
): RecoverySteps {
  const after = (atMs: number | null | undefined): number | null =>
    atMs === null || atMs === undefined || Number.isNaN(atMs) ? null : Math.max(0, atMs - injectedAtMs);
  const next = workers.flatMap((life, index) =>
    life.spawnedAtMs >= (exitAtMs ?? Number.POSITIVE_INFINITY) ? [{ life, index }] : [],
  );
  /** When so many of them had come so far. */
  const nth = (count: number, read: (life: WorkerLife) => number | null): number | undefined =>
    next
      .flatMap(({ life }) => read(life) ?? [])
      .sort((a, b) => a - b)
      .at(count - 1);
  const all = Math.max(1, wanted.at(injectedAtMs));
  const firstOks = next.map(({ index }) => workerRows.firstOkMs[index] ?? Number.NaN).filter((ms) => ms >= 0);
  return {
    noticedMs: after(noticedAtMs),
    exitMs: after(exitAtMs),
    forkMs: after(nth(1, (life) => life.spawnedAtMs)),
    onlineMs: after(nth(all, (life) => life.onlineAtMs)),
    listeningMs: after(nth(all, (life) => life.listeningAtMs)),
    firstResponseMs: firstOks.length === 0 ? null : after(Math.min(...firstOks)),
    goodputMs: null,
  };
}

/** The next generation of the slot that listened; else the one that was started; else a new worker in a slot of its own. */
function replacement(
  { workers }: RecoveryInput,
  victim: WorkerLife,
  { injectedAtMs }: Episode,
  taken: ReadonlySet<WorkerLife>,
): WorkerLife | null {
  const later = workers.filter((life) => life.slot === victim.slot && life.generation > victim.generation);
  const slots = new Set(workers.filter((life) => !life.respawned).map((life) => life.slot));
  // A supervisor that starts the next worker before it ends the hung one has one more for a moment.
  const extra = workers.filter(
    (life) => !slots.has(life.slot) && !taken.has(life) && life.spawnedAtMs >= injectedAtMs,
  );
  return later.find((life) => life.listeningAtMs !== null) ?? extra[0] ?? later[0] ?? null;
}

function who({ worker }: Episode): string {
  return worker ? `slot ${worker.slot}` : 'the primary';
}
