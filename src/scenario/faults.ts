import { parseSize } from '../base/units.ts';
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
