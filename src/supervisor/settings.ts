/** What the supervisor runs by: complete and validated. `options/` makes it from what users write. */

import type { Phase, PolicyConfig, Reason } from './policy/model.ts';
import type { Beat, IpcLimits, WorkerSettings } from './wire.cts';

export interface ServiceSettings {
  readonly name: string;
  /** Absolute path of the app's entry file. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Options of node itself, such as `--max-old-space-size=512`. */
  readonly nodeArgs: readonly string[];
  readonly cwd: string;
  /** Told to the app as PORT; null leaves the environment as it is. */
  readonly port: number | null;
  readonly env: Readonly<Record<string, string>>;
  /** Environment of single slots, by slot number; null when no slot has its own. */
  readonly slotEnv: Readonly<Record<number, Readonly<Record<string, string>>>> | null;
  readonly ready: WorkerSettings['ready'];
  readonly sticky: Sticky | null;
  readonly beatMs: number;
  readonly claimMs: number;
  readonly policy: PolicyConfig;
  readonly ipc: IpcLimits;
  /** A worker that sends more messages a second than this, for a second, is replaced. */
  readonly messagesPerSecondMax: number;
}

export type Sticky = { readonly by: 'address' } | { readonly by: 'cookie'; readonly name: string };

export type AdminAddress =
  | { readonly path: string }
  /** Loopback only. */
  | { readonly port: number };

export interface SupervisorSettings {
  readonly services: readonly ServiceSettings[];
  readonly admin: AdminAddress | null;
  /** Serve Prometheus metrics at the admin address; needs prom-client. */
  readonly metrics: boolean;
}

/** The status document, served as JSON by the admin address and printed by `chaos serve --status`. */
export interface SupervisorStatus {
  readonly version: 1;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly services: readonly ServiceStatus[];
}

export interface ServiceStatus {
  readonly name: string;
  readonly entry: string;
  readonly goal: 'run' | 'stop' | 'stopped';
  readonly generation: number;
  readonly reloading: boolean;
  readonly workersWanted: number;
  readonly serving: number;
  readonly standbys: number;
  /** Connections that wait in the primary for a worker. */
  readonly waiting: number;
  readonly listeners: readonly string[];
  /** Boots failed in a row. */
  readonly bootFailures: number;
  /** Forks are slowed down: boots fail, or workers die soon after they were ready. */
  readonly breakerOpen: boolean;
  readonly counters: ServiceCounters;
  readonly workers: readonly WorkerStatus[];
}

/** Since the supervisor started. */
export interface ServiceCounters {
  readonly forks: number;
  readonly connections: number;
  /** Given to another worker because the first died, hung or came too late. */
  readonly regiven: number;
  readonly shed: number;
  readonly reloads: number;
  readonly reloadsAborted: number;
  /** Exits nobody asked for. */
  readonly crashes: number;
  /** Drained or killed by us, by reason. */
  readonly ended: Readonly<Partial<Record<Reason, number>>>;
}

export interface WorkerStatus {
  readonly worker: number;
  readonly pid: number | null;
  readonly slot: number | null;
  readonly generation: number;
  readonly phase: Phase;
  readonly suspect: boolean;
  readonly retire: Reason | null;
  readonly ageMs: number;
  readonly silentMs: number;
  readonly beat: Beat | null;
}

/** Errors of `Supervisor.ask`: no such service or worker, no answer in time, refused by limits, or what the handler threw. */
export interface AskOptions {
  /** 1 to 2^31-1 ms. Default 5,000 ms. */
  readonly timeoutMs?: number;
}

export type Handler = (body: unknown, from: number) => unknown;

/** A running supervisor: what the cli, the admin address and library users steer. */
export interface Supervisor {
  readonly status: () => SupervisorStatus;
  /**
   * Replaces all workers one by one. With new settings, services take them over (the one of that name, else on that port);
   * new ones come up, and then missing ones stop. Resolves when done. Rejects when a service does not boot: the old
   * generation goes on, new services are stopped and missing ones stay.
   */
  readonly reload: (settings?: SupervisorSettings) => Promise<void>;
  /** Workers: 1 to 1,024. Throws ChaosError 'usage' for anything else, and when there is no such service. */
  readonly scale: (service: string, workers: number) => void;
  /** Drains and ends all workers; resolves when none is left. */
  readonly stop: () => Promise<void>;
  /** SIGKILLs all workers. */
  readonly force: () => void;
  /** Resolves once every service has all its workers serving. */
  readonly ready: Promise<void>;
  /** Settles when the supervisor has stopped. Rejects when a service could not listen at its first start. */
  readonly stopped: Promise<void>;
  readonly ask: (
    to: { readonly service: string; readonly slot: number },
    topic: string,
    body: unknown,
    options?: AskOptions,
  ) => Promise<unknown>;
  /**
   * To every worker of a service, standbys included. Throws an error with code IPC_BUSY (channels are full) or IPC_TOO_LARGE when
   * some could not take it, and says how many; it was sent to all others then.
   */
  readonly broadcast: (service: string, topic: string, body: unknown) => void;
  /** Answers requests from workers on a topic. */
  readonly handle: (topic: string, handler: Handler) => void;
}
