/** What users write. The table in `table.ts` says how each is read; this says it to the editor. */

/** `'250ms'`, `'1.5s'`, `'10m'`, `'1h'`; a bare number is milliseconds. */
export type Duration = string | number;

/** `'64MB'` (10^6) or `'64MiB'` (2^20); a bare number is bytes. */
export type Size = string | number;

/** Options of one service. Bounds are inclusive; what is left out has its default. */
export interface ServiceOptions {
  /** The app's entry file, as one would give it to node. Relative to the config file, else to the working directory. Required. */
  readonly entry?: string;
  /** Arguments of the app. Default: none. */
  readonly args?: readonly string[];
  /** Options of node itself, such as `--max-old-space-size=512`. Default: none. */
  readonly nodeArgs?: readonly string[];
  /** Working directory of the workers. Default: that of the supervisor. */
  readonly cwd?: string;
  /** What logs, status and metrics call the service: letters, digits, `.`, `_`, `-`. Default: the entry's file name. */
  readonly name?: string;
  /** Told to the app as PORT, 0 to 65535. Default: PORT of the environment; without one the app decides. */
  readonly port?: number;
  /**
   * Variables for the app, on top of the supervisor's own environment. Those of a service come on top of those at the top, those
   * of flags on top of both. Default: none.
   */
  readonly env?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Variables of single slots, by slot number from 1: `{ 1: { SHARD: 'a' }, 2: { SHARD: 'b' } }`. Ties each worker to its
   * slot, so there can be no standbys. Default: none.
   */
  readonly slotEnv?: Readonly<Record<number, Readonly<Record<string, string | number | boolean>>>>;

  /** Workers in rotation: 1 to 1024, or `'cores'`, as many as this container may use. Default: `'cores'`. */
  readonly workers?: number | 'cores';
  /** Booted workers out of rotation that take a dead one's place at once, 0 to 64. Default: 1; 0 with `slotEnv`. */
  readonly standbys?: number;
  /** Workers beyond `workers` and `standbys` while one replaces another, 1 to 64. Default: 1. */
  readonly surge?: number;
  /** Workers of the service that boot at the same time, 1 to 1024. Default: the number of cores. */
  readonly bootsMax?: number;
  /** When a worker is ready: it listens, it runs, or it says so by `cluster-chaos/worker`. Default: `'listening'`. */
  readonly ready?: 'listening' | 'online' | 'signal';
  /** A worker that is not ready after this is ended, 100 ms to 24 h. Default: 30 s. */
  readonly bootTimeout?: Duration;
  /**
   * How long a draining worker has, 0 to 24 h; then it is killed. The last quarter, at most 2 s, is for ending what is still
   * open, so requests have the time before that. Default: 30 s.
   */
  readonly drainTimeout?: Duration;
  /** Failed boots in a row after which a reload is given up and the old workers go on, 1 to 100. Default: 2. */
  readonly reloadTries?: number;
  /** How deaths in a row are slowed down. */
  readonly backoff?: BackoffOptions;

  /**
   * Who gets a connection. `'none'` leaves it to the operating system: it is refused while no worker lives, and lost with the
   * worker that accepted it. Default: `'round-robin'`.
   */
  readonly balance?: 'round-robin' | 'least-connections' | 'none';
  /** Clients come back to the same slot, by address or by cookie; `null` turns it off. Default: `null`. */
  readonly sticky?: 'address' | 'cookie' | { readonly cookie: string } | null;
  /** How long a sticky connection waits for its own slot, 0 to 60 s. Default: 2 s. */
  readonly stickyHold?: Duration;
  /** Connections that wait in the primary for a worker, 0 to 1,000,000; more are closed. Default: 4096. */
  readonly waitingMax?: number;
  /** Connections on their way to one worker at a time, 1 to 1024. Default: 8. */
  readonly handsMax?: number;
  /** After a mass death nobody gets more than a fair share for this long, 0 to 60 s. Default: 500 ms. */
  readonly spread?: Duration;

  /** How often a worker's event loop says that it lives, 5 ms to 60 s. Default: a third of `suspectAfter`. */
  readonly beat?: Duration;
  /** Silence after which a worker gets no new connections, at least 3 beats, at most 1 h. Default: 250 ms. */
  readonly suspectAfter?: Duration;
  /** Silence after which a worker is killed and replaced, more than `suspectAfter`, at most 1 h. Default: 1 s. */
  readonly deadAfter?: Duration;
  /** A connection older than this on arrival is handed back by the worker, 1 ms to 1 h. Default: 40 % of `suspectAfter`. */
  readonly claim?: Duration;
  /** A connection not taken by a suspect worker for this long goes to another, more than `claim`. Default: 80 % of `suspectAfter`. */
  readonly withdraw?: Duration;

  /**
   * Resident memory after which a worker is replaced, 32 MB and up; `null` is no limit. Default: with a memory limit on the
   * container, 90 % of it shared among all processes, if that is 64 MB or more; else none.
   */
  readonly maxMemory?: Size | null;
  /** Share of V8's heap limit after which a worker is replaced, 0.1 to 1; `null` is no limit. Default: 0.8. */
  readonly maxHeap?: number | null;
  /** Requests after which a worker is replaced, 1 and up; `null` is no limit. Default: `null`. */
  readonly maxRequests?: number | null;
  /** Age after which a worker is replaced, 1 s to 24 days; `null` is no limit. Default: `null`. */
  readonly maxAge?: Duration | null;
  /** Each worker's own share of `maxRequests` and `maxAge` is drawn from [1 - stagger, 1], 0 to 0.9. Default: 0.2. */
  readonly stagger?: number;

  /** Bounds on messages between workers and primary. */
  readonly ipc?: IpcOptions;
  /** A worker that sends more messages a second is replaced, 1 and up. Default: 10,000. */
  readonly messagesPerSecondMax?: number;
}

export interface BackoffOptions {
  /** Early deaths that are replaced without delay, 0 to 1000. Default: 2. */
  readonly free?: number;
  /** The first delay, 1 ms to 1 h; each further one is twice as long. Default: 1 s. */
  readonly first?: Duration;
  /** The longest delay, `first` to 1 h. Default: 1.7 s. */
  readonly cap?: Duration;
  /** Delays are drawn from [1 - jitter, 1] of their length, 0 to 1. Default: 0.1. */
  readonly jitter?: number;
  /** A worker that lived this long after it was ready did not die early, 0 to 1 h. Default: 1 s. */
  readonly stable?: Duration;
}

export interface IpcOptions {
  /** Largest message, 1 KiB to 256 MiB of JSON. Default: 1 MiB. */
  readonly messageSize?: Size;
  /** Requests without an answer yet, on each side of a channel, 1 to 1,000,000. Default: 1000. */
  readonly outstanding?: number;
  /** Bytes that may wait in a channel, `messageSize` to 4 GiB. Default: 16 MiB. */
  readonly queuedSize?: Size;
}

/**
 * Options of a supervisor. One service: write its options at the top. Several: name them in `services`; options at the
 * top are then defaults for all of them.
 *
 * @example
 * await startSupervisor({ entry: 'server.js', workers: 4, maxMemory: '512MB' });
 * @example
 * await startSupervisor({
 *   drainTimeout: '10s',
 *   services: { web: { entry: 'web.js', port: 3000 }, api: { entry: 'api.js', port: 3001, workers: 2 } },
 * });
 */
export interface SupervisorOptions extends ServiceOptions {
  readonly services?: Readonly<Record<string, Omit<ServiceOptions, 'name'>>>;
  /**
   * Where status and steering are served: path of a unix socket, a port of 127.0.0.1, or `null` for nowhere.
   * Default: a socket below the temp folder (/tmp where its path would have more than 107 bytes), private to the user, one for
   * each working directory.
   */
  readonly admin?: string | number | null;
  /** Serve Prometheus metrics at the admin address; needs the package prom-client. Default: false. */
  readonly metrics?: boolean;
}
