/**
 * What the agent inside a process of the target and the hub of the harness say to each other: one JSON object a
 * line on a unix socket. Types only, so that both sides agree at compile time and nothing is loaded for it.
 */

/** Of this protocol; a hub refuses any other. */
export type ProtocolVersion = 1;

/** `single`: neither forked by node:cluster nor (yet) forking; a launcher such as npm is one too. */
export type AgentRole = 'primary' | 'worker' | 'single';

/** node:cluster's way to share connections, as the primary had it at its first fork. */
export type SchedulingPolicy = 'rr' | 'none';

export type WireValue = string | number | boolean | null;
export type WireRecord = Readonly<Record<string, WireValue>>;

/** Who the process is. All `*AtMs` on the wire are CLOCK_MONOTONIC, ms. */
export interface WireIdentity {
  readonly pid: number;
  readonly ppid: number;
  readonly role: AgentRole;
  /** `cluster.worker.id`, `null` outside of a worker. */
  readonly workerId: number | null;
  readonly node: string;
  /** `process.argv[1]`, cut to 1000 characters. */
  readonly argv1: string | null;
  readonly loadedAtMs: number;
  /** `null` unless the role is `primary`. */
  readonly scheduling: SchedulingPolicy | null;
}

/** Something that happened in the process; queued with its true time until the line is up. */
export type WireEvent =
  /** The process forked its first cluster worker: from now on it is a primary. */
  | { readonly type: 'primary'; readonly atMs: number; readonly scheduling: SchedulingPolicy }
  /** A TCP server of this process listens. */
  | { readonly type: 'listening'; readonly atMs: number; readonly address: string; readonly port: number }
  | {
      readonly type: 'fork' | 'online' | 'disconnect';
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
    }
  | {
      readonly type: 'worker-listening';
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly port: number | null;
    }
  | {
      readonly type: 'worker-exit';
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** The primary itself had asked the worker to go. */
      readonly retired: boolean;
    };

/** Agent to hub. `hello` comes first and proves the right to speak. */
export type AgentFrame =
  | {
      readonly t: 'hello';
      readonly v: ProtocolVersion;
      readonly token: string;
      readonly identity: WireIdentity;
    }
  | { readonly t: 'event'; readonly event: WireEvent }
  | { readonly t: 'result'; readonly id: number; readonly ok: true; readonly evidence: WireRecord }
  | { readonly t: 'result'; readonly id: number; readonly ok: false; readonly error: string };

/** Hub to agent. Each frame renews the lease; `beat` does nothing else. */
export type HubFrame =
  | { readonly t: 'beat' }
  | { readonly t: 'command'; readonly id: number; readonly name: string; readonly params: WireRecord };
