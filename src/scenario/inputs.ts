import type { Expectation, FaultParams, Selector } from '../model/fault.ts';

/** A duration such as `'250ms'`, `'1.5s'`, `'10m'`; a number is milliseconds. */
export type Duration = string | number;
/** A size such as `'64MB'` (10^6) or `'64MiB'` (2^20); a number is bytes. */
export type Size = string | number;

/** The server under test. */
export interface TargetInput {
  /** A command line for `/bin/sh`; `null` (default) is the example server that ships with the package. */
  readonly command?: string | null;
  /** Working directory, relative to where `chaos` is started; default: there. */
  readonly cwd?: string;
  /** Added to the server's environment. */
  readonly env?: Readonly<Record<string, string | number | boolean>>;
  /** Where it answers, if it ignores PORT: `'http://127.0.0.1:8080'`. */
  readonly url?: string | null;
  /** Workers to ask for and wait for; default: what the server starts. */
  readonly workers?: number | null;
  /** From start to all workers answering; default 60 s. */
  readonly readyTimeout?: Duration;
  /** From SIGTERM to SIGKILL at the end; default 10 s. */
  readonly stopGrace?: Duration;
  /** Preload the agent (default); without it, only faults that need no agent are possible. */
  readonly agent?: boolean;
}

/** What a body must be: equal to a text, or matched by a pattern. */
export type BodyExpectation = string | RegExp | { readonly matches: string; readonly flags?: string };

export interface RequestInput {
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
  /** Relative share of the requests, > 0; default 1. */
  readonly weight?: number;
  /** Default: what the baseline shows to be constant is expected in chaos too. */
  readonly expect?: { readonly status?: number | readonly number[]; readonly body?: BodyExpectation };
}

export interface LoadInput {
  /** `open` (default): a constant arrival rate, latency from the due time. `closed`: one request after the other. */
  readonly mode?: 'open' | 'closed';
  /** Requests a second in open mode; default: a rate that the server sustains. */
  readonly rate?: number | null;
  /** Default 20. */
  readonly connections?: number;
  /** Share of the requests that get a connection of their own, 0..1; default 0.5. */
  readonly freshShare?: number;
  /** A request without an answer after this time has failed; default 5 s, at least 1 s. */
  readonly timeout?: Duration;
  /** Default: GET /. */
  readonly requests?: readonly RequestInput[];
}

export interface PhasesInput {
  /** Default 3 s. */
  readonly warmup?: Duration;
  /** Default 5 s. */
  readonly baseline?: Duration;
  /** Default 30 s. */
  readonly chaos?: Duration;
  /** At most, default 15 s; ends as soon as all workers are back. */
  readonly settle?: Duration;
  /** Default 5 s. */
  readonly recovery?: Duration;
}

/** A fault as `kill()`, `freeze()`, `reload()` and the like make it, or as plain JSON. */
export interface FaultInput {
  readonly kind: string;
  readonly params?: FaultParams;
  /** Default: one random worker. */
  readonly select?: Selector;
  /** How long it is held before chaos heals it; `'end'`: until the chaos phase ends; `null`: over at once. */
  readonly hold?: Duration | null;
  /** What a good supervisor does about it; each kind has a default. */
  readonly expect?: Expectation;
}

/** When a fault fires, from the start of the chaos phase: made by `at`, `every`, `poisson`, `burst`. */
export type ScheduleInput =
  | { readonly type: 'at'; readonly at: readonly Duration[] }
  | {
      readonly type: 'every';
      readonly every: Duration;
      readonly start?: Duration;
      readonly jitter?: number;
    }
  | { readonly type: 'poisson'; readonly mean: Duration; readonly minGap?: Duration }
  | {
      readonly type: 'burst';
      readonly at: Duration;
      readonly count: number;
      readonly spread?: Duration;
    };

/** The part of the chaos phase in which a fault may fire. */
export interface WindowInput {
  /** Default: the start. */
  readonly from?: Duration;
  /** Default: the end. With a minus sign, `'-2s'`, it counts back from the end. */
  readonly to?: Duration;
}

export interface ScheduledFaultInput {
  /** Unique in the scenario: it names the fault's own stream of random numbers. */
  readonly name: string;
  readonly fault: FaultInput;
  readonly schedule: ScheduleInput;
  readonly window?: WindowInput | null;
}

/** `'<metric>[@<window>] <op> <limit>'`; with level `warn` it is shown, and does not fail the run. */
export type ObjectiveInput = string | { readonly objective: string; readonly level?: 'error' | 'warn' };

/** A scenario as users write it; everything has a default. */
export interface ScenarioInput {
  /** For the editor only. */
  readonly $schema?: string;
  /** Default: the name of the file. */
  readonly name?: string;
  readonly description?: string;
  /** Default: a fresh one for each run. `--seed` goes before. */
  readonly seed?: string | number | null;
  readonly target?: TargetInput;
  readonly load?: LoadInput;
  readonly phases?: PhasesInput;
  readonly faults?: readonly ScheduledFaultInput[];
  /** Default: `resilienceObjectives()`. */
  readonly objectives?: readonly ObjectiveInput[];
}
