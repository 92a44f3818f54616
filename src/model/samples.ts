/**
 * How a request ended. `ok` is an answer that arrived whole; whether it was the right one is for the judge to say.
 * `refused`: no listener. `reset`: RST. `closed`: FIN before the first byte of an answer. `cut`: the answer broke off.
 * `timeout`: sent, no whole answer in time. `expired`: due, but no connection came free in time, so never sent.
 * `aborted`: still in flight when the load was stopped; counts neither as an answer nor as a failure.
 */
export const OUTCOMES = [
  'ok',
  'refused',
  'reset',
  'closed',
  'cut',
  'timeout',
  'expired',
  'aborted',
  'other',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** `flags` bit: the request had a connection of its own. */
export const FLAG_FRESH = 1;

/**
 * One row a request, in the order in which the requests ended. Typed columns, never objects: a million rows are 33 MB.
 * All `*Ms` are milliseconds on the run's clock (0 = start of the run) or differences on it.
 */
export interface SampleColumns {
  readonly count: number;
  /** When the request should have been sent. In closed mode, when it was. */
  readonly dueMs: Float64Array;
  /** Sent minus due; NaN where it was never sent. */
  readonly sendDelayMs: Float32Array;
  /** End minus due: what a user would have waited. */
  readonly latencyMs: Float32Array;
  /** Index into `OUTCOMES`. */
  readonly outcome: Uint8Array;
  /** HTTP status, 0 without an answer. */
  readonly status: Uint16Array;
  /** Pid of the worker that serves this connection, 0 while unknown. */
  readonly worker: Uint32Array;
  /** Local port of the connection, 0 if it never had one. */
  readonly port: Uint16Array;
  /** Index into `load.requests`. */
  readonly request: Uint8Array;
  readonly flags: Uint8Array;
  /** Index into the table of bodies, 0 for none. */
  readonly body: Uint16Array;
}

/** A body that was seen; entry 0 stands for "no body recorded". */
export interface BodyEntry {
  /** Two bodies have one shape if they differ only in numbers, ids and times. */
  readonly shape: number;
  readonly bytes: number;
  /** The first 200 characters. */
  readonly preview: string;
  /** Whether the request's own `expectBody` accepts it; `null` where it has none. */
  readonly accepted: boolean | null;
}

export interface Samples {
  readonly columns: SampleColumns;
  readonly bodies: readonly BodyEntry[];
}
