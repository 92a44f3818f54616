/**
 * `cluster-chaos/worker`: for apps that want more than to be served. All of it is harmless without a supervisor, so
 * the same file runs alone.
 */
import type { AskOptions, BusModule, Handler } from './bus.cts';
import type { HealthOptions } from './health.cts';
import type { SupervisedModule } from './supervised.cts';
import type { Times } from './times.cts';

const { supervised } = require('./supervised.cjs') as SupervisedModule;
const { busError } = require('./bus.cjs') as BusModule;
const { everyMsOf, timeoutMsOf } = require('./times.cjs') as Times;

export type { AskOptions, BusError, BusErrorCode, Handler } from './bus.cts';
export type { HealthOptions } from './health.cts';

// What `module.exports` below holds; Node finds the names there for `import { ready } from …` too.

/** Whether this process is a worker of a supervisor. */
export declare const isSupervised: boolean;
/** Name of the service; null without a supervisor. */
export declare const service: string | null;
/** Counts reloads; null without a supervisor. */
export declare const generation: number | null;
/** This worker's place in rotation, 1 to N, the same over generations; null until it serves. */
export declare const slot: () => number | null;
/** Calls `listener` once this worker is in rotation; at once if it is. */
export declare const onServe: (listener: (slot: number) => void) => void;
/** This worker can serve. Counts where the service is configured with `ready: 'signal'`; `process.send('ready')` does the same. */
export declare const ready: () => void;
/**
 * Asks `check` again and again. When it has answered `false`, thrown, or not settled within `everyMs` (default 5,000)
 * three times in a row, the supervisor replaces this worker. Returns what ends the asking. Throws a `RangeError` or
 * `TypeError` when `everyMs` is not from 10 to 2^31-1.
 */
export declare const health: (check: () => unknown, options?: HealthOptions) => () => void;
/**
 * Runs `hook`, and waits for it, when this worker is drained and its connections are gone. WebSockets are then still
 * open, for the hook to say goodbye on.
 */
export declare const beforeExit: (hook: () => unknown) => void;
/** Asks to be replaced and drained. The reason is for the log, which keeps its first 200 characters. */
export declare const retire: (reason: string) => void;
/**
 * Asks the primary, which answers by its own `handle`. Rejects with `BusError`, or with what the handler threw.
 * `timeoutMs` is from 1 to 2^31-1, default 5,000; anything else rejects with a `RangeError` or `TypeError`.
 */
export declare const ask: (topic: string, body?: unknown, options?: AskOptions) => Promise<unknown>;
/** Answers requests and hears broadcasts on a topic; a later handler replaces an earlier one. */
export declare const handle: (topic: string, handler: Handler) => void;
/** To all other workers of the service and to the primary. Throws `BusError`. */
export declare const broadcast: (topic: string, body?: unknown) => void;

const nothing = (): void => {};

// The preload comes before the app: what is known is known by now.
module.exports.isSupervised = supervised() !== null;
module.exports.service = supervised()?.service ?? null;
module.exports.generation = supervised()?.generation ?? null;
module.exports.slot = (): number | null => supervised()?.slot() ?? null;
module.exports.onServe = (listener: (slot: number) => void): void => supervised()?.onServe(listener);
module.exports.ready = (): void => supervised()?.ready();
module.exports.health = (check: () => unknown, options?: HealthOptions): (() => void) => {
  // Also where nobody listens: a mistake shall show before it runs under a supervisor.
  const everyMs = everyMsOf(options);
  return supervised()?.health(check, { everyMs }) ?? nothing;
};
module.exports.beforeExit = (hook: () => unknown): void => supervised()?.beforeExit(hook);
module.exports.retire = (reason: string): void => supervised()?.retire(reason);
module.exports.ask = async (topic: string, body?: unknown, options?: AskOptions): Promise<unknown> => {
  const timeoutMs = timeoutMsOf(options);
  const here = supervised();
  if (here === null) throw busError('IPC_CLOSED', `${topic}: this process has no supervisor to ask`);
  return here.ask(topic, body, { timeoutMs });
};
module.exports.handle = (topic: string, handler: Handler): void => supervised()?.handle(topic, handler);
module.exports.broadcast = (topic: string, body?: unknown): void => supervised()?.broadcast(topic, body);
