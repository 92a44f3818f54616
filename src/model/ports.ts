import type { z } from 'zod';
import type { FaultParams } from './fault.ts';
import type { Evidence, JournalEntry, JournalEvent, Visibility } from './journal.ts';
import type { Objective } from './objective.ts';
import type { PhaseName, WindowName } from './phase.ts';
import type { CheckUnit, Report } from './report.ts';
import type { Samples } from './samples.ts';
import type { LoadSpec, TargetSpec } from './scenario.ts';
import type { Verdict } from './verdict.ts';

/** Monotonic time of the run, ms; 0 is the start of the run. The same clock in every process. */
export interface RunClock {
  now(): number;
  /** CLOCK_MONOTONIC at the run's 0, ms: what another process subtracts from its own hrtime. */
  readonly zeroMs: number;
  /** Something is about to happen that has to be on time: what can wait, should. */
  isQuiet?(): boolean;
}

/** Writes an event to the journal; `atMs` defaults to now, and may be earlier for what was seen late. */
export type Recorder = (entry: JournalEntry, atMs?: number) => void;

// ---------------------------------------------------------------------------------------------- target

/** A process that we may signal: the pid alone can be reused, with its start time it cannot. */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  readonly startTime: string;
}

/** A line to the agent inside one process of the target. Rejects when the process or the line is gone. */
export interface AgentLink {
  /** Sends a command and waits for its result; rejects after `timeoutMs` (default 2000). */
  command(name: string, params: Evidence, timeoutMs?: number): Promise<Evidence>;
  /** Resolves when the line closed: the process died, or its control thread did. */
  readonly closed: Promise<void>;
}

export interface WorkerView extends ProcessId {
  readonly slot: number;
  readonly generation: number;
  readonly state: 'starting' | 'ready' | 'gone';
  readonly spawnedAtMs: number;
  readonly agent: AgentLink | null;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly atMs: number;
}

export interface TargetReady {
  readonly origin: string;
  readonly workers: number;
  readonly visibility: Visibility;
}

export interface LeftoverReport {
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  readonly ports: readonly number[];
  readonly stuck: readonly number[];
}

/** Boots that are made to crash, until `stop`. */
export interface BootCrashes {
  /** When each of them crashed so far, in order. */
  seen(): readonly number[];
  /** From now on boots succeed again. Safe to call twice. */
  stop(): void;
}

/** What is left of a target after its primary died. */
export interface Orphans {
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  /** Something still accepts connections where the service was. */
  readonly portHeld: boolean;
}

/** What a fault kind may see of the target as a whole, and ask of it. */
export interface TargetControl {
  /** The newest worker of each slot. */
  workers(): readonly WorkerView[];
  primary(): (ProcessId & { readonly agent: AgentLink | null }) | null;
  /**
   * From now on exits of these workers are their supervisor's own doing, as it was asked to replace them, or to do
   * with fewer (`forGood`). The function that it gives takes that back for those that live on.
   */
  expectRetired(pids: readonly number[], how: 'replaced' | 'forGood'): () => void;
  /**
   * From now on what the primary starts ends before its program runs.
   * @throws ChaosError 'unhealthy' without an agent in the target
   */
  crashBoots(faultId: string): BootCrashes;
  /**
   * The primary is about to be ended on purpose: until `restart`, the end of the whole target is not that of the run.
   * @throws ChaosError 'unhealthy' for a target that cannot be followed over a restart
   */
  announceRestart(): void;
  /** What still lives of the primary's descendants, as they were when they were last seen, and of its port. */
  orphans(): Promise<Orphans>;
  /**
   * What systemd or Docker do once the main process has died: ends what is left, and starts the same command again.
   * @throws ChaosError 'leftover' if something of the old one survives SIGKILL
   */
  restart(faultId: string): Promise<ProcessId>;
}

export interface TargetHandle extends TargetControl {
  /** Waits until all workers listen and each gave an answer; rejects with a ChaosError 'unhealthy'. */
  ready(signal: AbortSignal): Promise<TargetReady>;
  /** From now on an exit of this pid is this fault's doing. */
  expectExit(pid: number, faultId: string): void;
  /** Resolves when that process is dead, whoever ended it. */
  exited(pid: number): Promise<ProcessExit>;
  /** Resolves if the whole target ends before `stop` was called. */
  readonly ended: Promise<ProcessExit>;
  /** TERM, grace, KILL; then proves that no process and no port is left. Never rejects. */
  stop(): Promise<LeftoverReport>;
}

export interface TargetContext {
  readonly clock: RunClock;
  readonly record: Recorder;
  readonly guardian: Guardian;
  /** Short private directory (0700) of this run. */
  readonly privateDir: string;
  /** Where the target's own output goes. */
  readonly logFile: string;
  /** WORKERS and WEB_CONCURRENCY. */
  readonly workers: number;
  /** The path that is asked to find out whether the server answers. */
  readonly probePath: string;
  readonly runId: string;
}

export interface TargetAdapter {
  start(spec: TargetSpec, context: TargetContext): Promise<TargetHandle>;
}

/** The helper process that heals and cleans up even when we are killed. */
export interface Guardian {
  /** On our death: continue this process before anything else. */
  addStopped(id: ProcessId): void;
  removeStopped(id: ProcessId): void;
  /** On our death: kill these and the process group. */
  track(ids: readonly ProcessId[]): void;
  setGroup(pgid: number): void;
  /** The run ended in good order: the guardian leaves without doing anything. */
  release(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- faults

/** Everything a fault kind may touch of its one victim. */
export interface Victim extends ProcessId {
  readonly role: 'worker' | 'primary';
  readonly slot: number | null;
  readonly agent: AgentLink | null;
  /** Resolves when the victim is dead, whoever ended it. */
  readonly exited: Promise<ProcessExit>;
}

export interface FaultContext {
  readonly faultId: string;
  readonly clock: RunClock;
  readonly guardian: Guardian;
  readonly target: TargetControl;
  /** Aborts when the run is being ended: give up waiting within 1 s. */
  readonly signal: AbortSignal;
  /** Signals the victim if it is still the same process (pid and start time). */
  kill(victim: ProcessId, signal: NodeJS.Signals): boolean;
  /** State letter, resident bytes, CPU ms and threads from the process table; `null` when it is gone. */
  inspect(victim: ProcessId): ProcessFacts | null;
}

export interface ProcessFacts {
  /** R, S, D, T, Z, … */
  readonly state: string;
  readonly rssBytes: number;
  readonly cpuMs: number;
  readonly threads: number;
}

export type Effect =
  | {
      readonly effective: true;
      readonly evidence: Evidence;
      /** The service has this many workers more (or fewer) from now on, because it was asked to. */
      readonly workersBy?: number;
    }
  | { readonly effective: false; readonly evidence: Evidence; readonly reason: string };

export interface Injection {
  /** When the fault was really done, on the run's clock: taken right at the deed. */
  readonly atMs: number;
  /** Resolves with the proof that it took effect, or with what was seen instead, within a deadline of its own. */
  readonly effect: Promise<Effect>;
  /** Undoes the fault. Safe to call twice, and after the victim died. Evidence may correct the effect's (peak, after). */
  heal(): Promise<{ readonly how: 'healed' | 'victim-gone' | 'not-needed'; readonly evidence: Evidence }>;
}

export interface FaultKind<P extends FaultParams = FaultParams> {
  readonly kind: string;
  /** One sentence. */
  readonly summary: string;
  /** Colour (light, dark) and label in charts. */
  readonly band: { readonly light: string; readonly dark: string; readonly label: string };
  /** `process`: works from the process table. `agent`: needs the agent in the victim. */
  readonly needs: 'process' | 'agent';
  /** The fault is held although its victims are dead. */
  readonly outlivesVictims?: true;
  readonly params: z.ZodType<P>;
  inject(victim: Victim, params: P, context: FaultContext): Promise<Injection>;
}

// ---------------------------------------------------------------------------------------------- load

/** Counters since the last report, for live progress. */
export interface LoadProgress {
  readonly atMs: number;
  readonly ok: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly backlog: number;
  readonly p99Ms: number | null;
}

export interface LoadSummary {
  /** Rows written; every arrival is one. */
  readonly rows: number;
  /** Rows that could not be kept. */
  readonly dropped: number;
  readonly rssBytesMax: number;
}

export interface LoadHandle {
  readonly pid: number;
  setRate(ratePerSecond: number): void;
  /** Resolves when the row of every request that has ended is in the file. */
  flush(): Promise<void>;
  /** Sends no more, waits for what is in flight (at most the request timeout), writes the last row. */
  stop(): Promise<LoadSummary>;
  /** Resolves with a message if the load process ended by itself: the run has no witness any more. */
  readonly failed: Promise<string>;
}

export interface LoadContext {
  readonly clock: RunClock;
  readonly samplesFile: string;
  readonly origin: string;
  readonly ratePerSecond: number;
  readonly onProgress: (progress: LoadProgress) => void;
}

export interface LoadDriver {
  start(spec: LoadSpec, context: LoadContext): Promise<LoadHandle>;
}

// ---------------------------------------------------------------------------------------------- judging

/** What one metric was measured to be. `value: null` with a reason is "inconclusive". */
export type Measurement =
  | {
      readonly value: number;
      readonly samples: number;
      readonly evidence: readonly number[];
      readonly low?: number;
      readonly high?: number;
      readonly reason?: string;
    }
  | { readonly value: null; readonly reason: string };

/** A pure reading of the evidence. `A` is the analysed evidence of `verify`. */
export interface Checker<A> {
  readonly metric: string;
  readonly summary: string;
  readonly unit: CheckUnit;
  readonly windows: readonly [WindowName, ...WindowName[]];
  measure(analysis: A, window: WindowName): Measurement;
}

export interface JudgeInput {
  readonly journal: readonly JournalEvent[];
  readonly samples: Samples;
  /** In place of those of the scenario. */
  readonly objectives?: readonly Objective[];
}

// ---------------------------------------------------------------------------------------------- reporters

/** What a reporter may write to. */
export interface ReportOutput {
  /** A file in the run's folder. */
  file(name: string, content: string): void;
  /** The process's result stream. */
  stdout(text: string): void;
  /** Adds Markdown to the summary page of the CI job, where there is one. */
  stepSummary?(markdown: string): void;
  readonly color: boolean;
  readonly dir: string;
}

export interface Reporter {
  readonly name: string;
  /** Renders the judged document. Never throws on hostile content. */
  render(report: Report, output: ReportOutput): void;
}

/** Live view of a run: what the harness tells while it runs. */
export interface Progress {
  readonly phase: PhaseName | 'start' | 'stop' | 'judge';
  readonly elapsedMs: number;
  /** Of the whole run, as planned. */
  readonly leftMs: number;
  readonly rps: number;
  readonly errors: number;
  readonly workersReady: number;
  readonly workers: number;
  readonly lastFault: string | null;
  readonly verdict?: Verdict;
}
