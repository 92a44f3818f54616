import type { AgentRole, SchedulingPolicy } from '../agent/protocol.cts';
import type { AgentLink, RunClock } from '../model/ports.ts';

/** Who a process of the target is, as its agent said; times on the run's clock, ms. */
export interface AgentHello {
  readonly pid: number;
  readonly ppid: number;
  /** `single` until the first cluster fork makes it a `primary`. */
  readonly role: AgentRole;
  readonly workerId: number | null;
  readonly node: string;
  readonly argv1: string | null;
  readonly loadedAtMs: number;
  /** `null` unless the role is `primary`. */
  readonly scheduling: SchedulingPolicy | null;
}

/** What the agents tell. `pid` is the process that speaks, `atMs` when it happened, on the run's clock. */
export type AgentEvent =
  /** An agent is connected, or its role has changed since. */
  | { readonly type: 'hello'; readonly pid: number; readonly atMs: number; readonly hello: AgentHello }
  | {
      readonly type: 'listening';
      readonly pid: number;
      readonly atMs: number;
      readonly address: string;
      readonly port: number;
    }
  | {
      readonly type: 'fork' | 'online' | 'disconnect';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
    }
  | {
      readonly type: 'worker-listening';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly port: number | null;
    }
  | {
      readonly type: 'worker-exit';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly code: number | null;
      readonly signal: string | null;
    }
  /** The line is gone: the process died, or only its control thread did. A hint, to be confirmed. */
  | { readonly type: 'closed'; readonly pid: number; readonly atMs: number };

export interface AgentHubOptions {
  /** Short private directory (0700): the socket's path must fit into 107 bytes. */
  readonly privateDir: string;
  readonly clock: RunClock;
  readonly onEvent: (event: AgentEvent) => void;
}

/** The harness' end of the lines to all agents of one target. */
export interface AgentHub {
  /** What the target's NODE_OPTIONS must end with to preload the agent. */
  readonly nodeOptions: string;
  /** The line to the agent in that process, `null` without one. */
  link(pid: number): AgentLink | null;
  hello(pid: number): AgentHello | null;
  /** Closes all lines, which heals every fault that an agent still holds. */
  close(): Promise<void>;
}

/** Listens for agents and writes the file that preloads them. */
export async function startAgentHub(options: AgentHubOptions): Promise<AgentHub> {
  await Promise.resolve(options);
  throw new Error('not yet');
}
