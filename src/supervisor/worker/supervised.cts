/**
 * What the preload offers to the app, under a global name: the app may resolve another copy of this package than the
 * one that was preloaded.
 */
import type { AskOptions, Handler } from './bus.cts';
import type { HealthOptions } from './health.cts';

/** Version 1; a copy of another version finds nothing here and runs as if unsupervised. */
const KEY = Symbol.for('cluster-chaos.worker.v1');

export interface Supervised {
  readonly service: string;
  readonly generation: number;
  readonly slot: () => number | null;
  readonly onServe: (listener: (slot: number) => void) => void;
  readonly ready: () => void;
  readonly health: (check: () => unknown, options?: HealthOptions) => () => void;
  readonly beforeExit: (hook: () => unknown) => void;
  readonly retire: (reason: string) => void;
  readonly ask: (topic: string, body: unknown, options?: AskOptions) => Promise<unknown>;
  readonly handle: (topic: string, handler: Handler) => void;
  readonly broadcast: (topic: string, body: unknown) => void;
}

type Globals = { [KEY]?: Supervised };

function publish(value: Supervised): void {
  Object.defineProperty(globalThis, KEY, { value, configurable: true });
}

/** Null in a process that no supervisor started. */
function supervised(): Supervised | null {
  return (globalThis as Globals)[KEY] ?? null;
}

const shared = { publish, supervised };
export type SupervisedModule = typeof shared;
module.exports = shared;
