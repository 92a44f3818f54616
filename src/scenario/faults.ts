import { parseDuration, parseSize } from '../base/units.ts';
import type { Expectation, Selector } from '../model/fault.ts';
import type { Duration, FaultInput, Size } from './inputs.ts';

interface CommonOptions {
  /** Who is hit; default: one random worker. */
  readonly select?: Selector;
  /** What a good supervisor does about it; default: see each fault. */
  readonly expect?: Expectation;
}

export interface KillOptions extends CommonOptions {
  /** `SIGKILL` (default), `SIGTERM`, `exit` (process.exit) or `uncaught` (an uncaught exception). */
  readonly signal?: 'SIGKILL' | 'SIGTERM' | 'exit' | 'uncaught';
  /** With `exit`: the exit code, default 1. */
  readonly code?: number;
}

export interface HoldOptions extends CommonOptions {
  /** How long it lasts unless the supervisor ends it; `'end'`: until the chaos phase ends. */
  readonly hold: Duration;
}

export interface BlockOptions extends HoldOptions {
  /** `busy` (default) burns a core; `idle` waits as in a deadlock. */
  readonly mode?: 'busy' | 'idle';
}

export interface MemorySpikeOptions extends CommonOptions {
  /** `heap` (default): objects in the V8 heap. `off-heap`: touched buffers. */
  readonly where?: 'heap' | 'off-heap';
  /** How much; `'limit'`: until the worker dies of it. */
  readonly size: Size;
  /** How long the memory is kept; to the limit: how long the worker may take to die of it, default 15 s. */
  readonly hold?: Duration;
}

/** The signals that a primary can be asked by. */
export type AskingSignal = 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGWINCH' | 'SIGTTIN' | 'SIGTTOU';

export interface ReloadOptions {
  /** What the supervisor reloads on; default `SIGHUP`. */
  readonly signal?: AskingSignal;
  /** By then every worker must have been replaced, else nothing is proven; default 15 s. */
  readonly within?: Duration;
}

export interface ScaleOptions {
  /** How many workers more (or fewer, with a minus sign): one signal each. */
  readonly by: number;
  /** Default: `SIGTTIN` for more, `SIGTTOU` for fewer. */
  readonly signal?: AskingSignal;
  /** By then their number must be right, else nothing is proven; default 15 s. */
  readonly within?: Duration;
}

export interface CrashLoopOptions extends CommonOptions {
  /** How long boots crash; default 10 s. */
  readonly hold?: Duration;
}

export interface PrimaryKillOptions {
  /** From the kill to no process left and the port free; what is left then are orphans. Default 2 s. */
  readonly within?: Duration;
}

/** Ends a worker. A good supervisor replaces it. */
export function kill(options: KillOptions = {}): FaultInput {
  const { signal = 'SIGKILL', code = signal === 'exit' ? 1 : null, ...common } = options;
  return { kind: 'kill', params: { signal, code }, hold: null, ...common };
}

/** Stops a worker's process (SIGSTOP … SIGCONT). Held for 2 s or more, a good supervisor replaces it. */
export function freeze(options: HoldOptions): FaultInput {
  return { kind: 'freeze', params: {}, ...options };
}

/** Blocks a worker's event loop. Held for 2 s or more, a good supervisor replaces the worker. */
export function blockEventLoop(options: BlockOptions): FaultInput {
  const { mode = 'busy', ...common } = options;
  return { kind: 'block', params: { mode }, ...common };
}

/** Makes a worker's memory grow. Below its limit the service stays unharmed; at the limit the worker is replaced. */
export function memorySpike(options: MemorySpikeOptions): FaultInput {
  const { where = 'heap', size, hold = size === 'limit' ? '15s' : '3s', ...common } = options;
  // An unreadable size is kept as it is, for validation to name it.
  const bytes = size === 'limit' ? null : (parseSize(size) ?? size);
  return { kind: 'memory-spike', params: { where, bytes }, hold, ...common };
}

/** Asks the supervisor to replace all its workers. A good one does so without a failed request. */
export function reload(options: ReloadOptions = {}): FaultInput {
  const { signal = 'SIGHUP', within } = options;
  return {
    kind: 'signal',
    params: { signal, does: 'reload', by: null, ...bound(within) },
    select: { pick: 'primary' },
    hold: null,
  };
}

/** Asks the supervisor for more or fewer workers. A good one does so without a failed request. */
export function scale(options: ScaleOptions): FaultInput {
  const { by, signal = by < 0 ? 'SIGTTOU' : 'SIGTTIN', within } = options;
  return {
    kind: 'signal',
    params: { signal, does: 'scale', by, ...bound(within) },
    select: { pick: 'primary' },
    hold: null,
  };
}

/** Kills a worker and lets all that is started in its place crash at boot. The others go on, and it comes back after. */
export function crashLoop(options: CrashLoopOptions = {}): FaultInput {
  return { kind: 'crash-loop', params: {}, hold: '10s', ...options };
}

/** Kills the primary, and starts the server again once it is gone. Its workers must not outlive it. */
export function primaryKill(options: PrimaryKillOptions = {}): FaultInput {
  return {
    kind: 'primary-kill',
    params: bound(options.within),
    select: { pick: 'primary' },
    hold: null,
  };
}

/** An unreadable duration is kept as it is, for validation to name it. */
function bound(within: Duration | undefined): { readonly withinMs?: string | number } {
  return within === undefined ? {} : { withinMs: parseDuration(within) ?? within };
}
