import type { Plan } from '../model/plan.ts';
import type {
  FaultKind,
  Guardian,
  LoadContext,
  LoadDriver,
  ProcessFacts,
  ProcessId,
  Progress,
  Recorder,
  RunClock,
  TargetAdapter,
  TargetContext,
} from '../model/ports.ts';
import type { Scenario } from '../model/scenario.ts';

/** The run's clock with its timers; a test gives a virtual one. */
export interface HarnessClock extends RunClock {
  /** Ends early, without an error, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** As exact as the machine allows: wakes early and spins. */
  until(atMs: number, signal?: AbortSignal): Promise<void>;
}

/** All that a run touches of the world. */
export interface HarnessPorts {
  readonly clock: HarnessClock;
  readonly record: Recorder;
  readonly target: TargetAdapter;
  readonly load: LoadDriver;
  readonly faultKind: (name: string) => FaultKind;
  readonly guardian: Guardian;
  readonly processes: {
    signal(id: ProcessId, signal: NodeJS.Signals): boolean;
    inspect(id: ProcessId): ProcessFacts | null;
  };
  /** Whether the phase that just ended proves a steady state, from what was recorded so far. */
  readonly steadyState: (phase: 'baseline' | 'recovery') => {
    readonly proven: boolean;
    readonly reason: string;
  };
  /** Asks the machine for exact timers, and gives them back: only while faults are fired, since it takes from the rest. */
  readonly exactTimers: (wanted: boolean) => void;
  readonly onProgress: (progress: Progress) => void;
  readonly targetContext: Pick<TargetContext, 'privateDir' | 'logFile' | 'runId'>;
  readonly loadContext: Pick<LoadContext, 'samplesFile'>;
}

export interface RunInput {
  readonly scenario: Scenario;
  readonly plan: Plan;
  /** The same plan for another number of workers, where the server starts another one. */
  readonly replan: (workers: number) => Plan;
  readonly cpus: number;
  /** Aborts on the first Ctrl-C: heal, stop, end. */
  readonly signal: AbortSignal;
}
