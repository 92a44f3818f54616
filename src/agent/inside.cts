/** What the agent's two halves inside one process share: the main thread's part and the control thread. */
import type { MessagePort } from 'node:worker_threads';
import type { WireEvent, WireIdentity, WireRecord } from './protocol.cts';

/** Where the hub is and the secret that proves that the run preloaded us. */
export interface AgentOptions {
  readonly socketPath: string;
  readonly token: string;
  /** While this file is there, boots crash: see `boot-crash.cts`. */
  readonly crashFlag?: string;
}

/** Control thread to main thread. */
export type ToMain =
  | {
      readonly k: 'run';
      readonly id: number;
      readonly name: string;
      readonly params: WireRecord;
      /** For `block`: the value that `SLOT_BLOCK` holds for as long as this block shall last. */
      readonly serial: number;
    }
  | { readonly k: 'ping'; readonly n: number }
  | { readonly k: 'heal-all' };

/** Main thread to control thread. */
export type ToControl =
  | { readonly k: 'event'; readonly event: WireEvent }
  | { readonly k: 'pong'; readonly n: number; readonly atMs: number }
  | { readonly k: 'block-ended'; readonly serial: number; readonly blockedMs: number }
  | { readonly k: 'result'; readonly id: number; readonly ok: true; readonly evidence: WireRecord }
  | { readonly k: 'result'; readonly id: number; readonly ok: false; readonly error: string };

export interface ControlData extends AgentOptions {
  /** Int32 cells: see the slots. */
  readonly cells: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly identity: WireIdentity;
}

/** Captured when the agent loads: an app may replace these later (fake timers, a changed clock). */
const hrtime = process.hrtime.bigint.bind(process.hrtime);

/** CLOCK_MONOTONIC, ms: the same clock in every process of this machine. */
function nowMs(): number {
  return Number(hrtime()) / 1e6;
}

const inside = {
  nowMs,
  /** Serial number of the block that shall last, 0 for none. */
  SLOT_BLOCK: 0,
  /** Counts the hub's frames: a busy main thread sees by it that the control thread still lives. */
  SLOT_BEATS: 1,
  /** Id of the last result that was given to the kernel: a process about to exit waits for it. */
  SLOT_FLUSHED: 2,
  CELLS: 4,
  /** Without a frame from the hub for this long every fault heals; the hub beats four times as often. */
  LEASE_MS: 2000,
};

export type Inside = typeof inside;
module.exports = inside;
