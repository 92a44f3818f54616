/**
 * What primary and worker say to each other over the cluster channel. Node hands messages whose `cmd` starts with `NODE_`
 * to 'internalMessage' instead of 'message', so an app's own `process.on('message')` never sees ours.
 */
const wire = {
  CMD: 'NODE_CLUSTER_CHAOS',
  /** Node's own words: a message that comes with a handle, and the answer to it, until which Node sends nothing else. */
  HANDLE: 'NODE_HANDLE',
  HANDLE_ACK: 'NODE_HANDLE_ACK',
  HANDLE_NACK: 'NODE_HANDLE_NACK',
  /** In the environment of every worker: the `WorkerSettings`, as JSON. */
  SETTINGS: 'CLUSTER_CHAOS_WORKER',
  /**
   * A record of a heartbeat, in doubles of this machine's byte order: its number, these, and its number again. The two
   * differ in a record that is being written while it is read.
   */
  PULSE_FIELDS: [
    'worker',
    'atMs',
    'open',
    'taken',
    'requests',
    'rssBytes',
    'heapUsedBytes',
    'heapSoonBytes',
    'heapLimitBytes',
    'utilisation',
    'cpuMs',
    'cpu',
    'loopDelayMs',
  ] satisfies readonly (keyof Beat | 'worker' | 'atMs')[],
};

/** What a worker is told when it is forked. */
export interface WorkerSettings {
  readonly service: string;
  readonly worker: number;
  readonly generation: number;
  /** Beats are written this often by the worker's event loop. */
  readonly beatMs: number;
  readonly pulse: PulsePlace;
  /** A connection older than this on arrival is dropped unread: the primary may give it to another worker. */
  readonly claimMs: number;
  readonly ready: 'listening' | 'online' | 'signal';
  /** A worker of this service has listened through the primary. */
  readonly hasListened: boolean;
  /** `none`: listening handles are shared and the operating system balances (SCHED_NONE). */
  readonly balance: 'round-robin' | 'least-connections' | 'none';
  /** Name of the cookie that names the slot; set on responses that lack it. */
  readonly stickyCookie: string | null;
  /** SIGKILL ourselves when the primary is gone and we hang: only where no guardian could be started. */
  readonly watchParent: boolean;
  readonly ipc: IpcLimits;
}

/** Where a worker writes its heartbeat: a descriptor that it inherits, and the offset of its record in bytes. */
export interface PulsePlace {
  readonly fd: number;
  readonly offset: number;
}

export interface IpcLimits {
  /** Largest message in bytes of JSON. */
  readonly messageBytesMax: number;
  /** Requests without an answer yet, for each side of a channel. */
  readonly outstandingMax: number;
  /** Bytes that may wait in the channel before `send` refuses. */
  readonly queuedBytesMax: number;
}

/** Where an app wants to listen, as `net` asks node:cluster for it. */
export interface ListenQuery {
  readonly address: string | null;
  /** A port number; -1 for a path in `address`. */
  readonly port: number;
  /** 4, 6, or -1 for a path. */
  readonly addressType: number | string;
  readonly backlog: number;
  readonly flags: number;
  /** An inherited descriptor (socket activation); absent otherwise. */
  readonly fd?: number;
  /** Tells several `listen(0)` of one worker apart. */
  readonly index: number;
  /** Of a path: may every user connect? */
  readonly readableAll?: boolean;
  readonly writableAll?: boolean;
  /** The server is for HTTP, so its clients speak first. With TLS, too. */
  readonly isHttp: boolean;
}

/** What a worker knows about itself; counters since it started. */
export interface Beat {
  /** Connections that the app holds now, upgraded ones included. */
  readonly open: number;
  /** Connections taken over since the start. */
  readonly taken: number;
  readonly requests: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** What the heap will have in use in two seconds, garbage aside, if it goes on growing as it did of late. */
  readonly heapSoonBytes: number;
  /** Of V8's old space: at this it ends the process. */
  readonly heapLimitBytes: number;
  /** Share of time the event loop was busy of late, 0 to 1. Over at least a quarter of a second. */
  readonly utilisation: number;
  /** CPU time used since the start, all threads, user and system. */
  readonly cpuMs: number;
  /** CPU time used of late, of one core: above 1 when several threads work. Over at least a quarter of a second. */
  readonly cpu: number;
  /** By how much a beat was late at most in the last 5 to 10 s: the delay of the event loop. */
  readonly loopDelayMs: number;
}

export type ToPrimary =
  | { readonly t: 'hello' }
  /** `data`: the TLS server's ticket keys. The primary keeps the first of each listener and answers with it. */
  | { readonly t: 'listen'; readonly seq: number; readonly query: ListenQuery; readonly data?: unknown }
  /** The app closed its server. */
  | { readonly t: 'unlisten'; readonly listener: string }
  /** SCHED_NONE: node:cluster made the app listen; for readiness and status. */
  | { readonly t: 'listens'; readonly address: string | null; readonly port: number }
  | { readonly t: 'taken'; readonly id: number; readonly open: number }
  | { readonly t: 'stale'; readonly id: number }
  /** Dropped unread: the server has as many connections as it may. */
  | { readonly t: 'full'; readonly id: number }
  /** A standby warms up, and wants a handle to drop: the first that comes over a channel takes several times as long. */
  | { readonly t: 'rehearse' }
  | { readonly t: 'ready' }
  /** The worker asks to be replaced: SIGTERM to it alone, or the app asked. */
  | { readonly t: 'retire'; readonly reason: string }
  | { readonly t: 'health'; readonly ok: boolean; readonly detail: string }
  /** Said once: this Node's internals are not as expected, so plain node:cluster serves here. */
  | { readonly t: 'plain'; readonly detail: string }
  /** The last word of a worker that ends because it was drained. */
  | { readonly t: 'drained' }
  | BusMessage;

export type ToWorker =
  | {
      readonly t: 'listening';
      readonly seq: number;
      readonly listener: string;
      readonly sockname: SockName;
      readonly data?: unknown;
    }
  | { readonly t: 'listen-error'; readonly seq: number; readonly errno: number; readonly code: string }
  /**
   * Comes with a handle. `headBase64`: what the primary already read of it (sticky by cookie). In a rehearsal `sentAtMs` is 0,
   * so it is dropped as too late.
   */
  | {
      readonly t: 'connection';
      readonly id: number;
      readonly listener: string;
      readonly sentAtMs: number;
      readonly headBase64: string | null;
    }
  /** In rotation from now on. */
  | { readonly t: 'serve'; readonly slot: number }
  | { readonly t: 'drain'; readonly graceMs: number; readonly reason: string }
  | BusMessage;

export interface SockName {
  readonly address?: string;
  readonly family?: string;
  readonly port?: number;
}

/** Requests, their replies, and broadcasts; the same in both directions. `from`: slot of a worker, 0 for the primary. */
export type BusMessage =
  | {
      readonly t: 'ask';
      readonly id: number;
      readonly topic: string;
      readonly body: unknown;
      readonly from: number;
      /** How long an answer is waited for. */
      readonly timeoutMs: number;
    }
  | { readonly t: 'reply'; readonly id: number; readonly ok: boolean; readonly body: unknown }
  | { readonly t: 'cast'; readonly topic: string; readonly body: unknown; readonly from: number };

export type Wire = typeof wire;
module.exports = wire;
