/**
 * The worker's end of the cluster channel. Everything is captured when the worker boots: an app may replace
 * `process.send`, timers or clocks later (fake timers, pm2's shims) and must not move ours.
 */
import type { ToPrimary, ToWorker, Wire } from '../wire.cts';

const { CMD, HANDLE } = require('../wire.cjs') as Wire;

const hrtime = process.hrtime.bigint.bind(process.hrtime);
const rawSend: NodeJS.Process['send'] = process.send?.bind(process);

type RawSend = (message: object, handle: undefined, options: undefined, done: () => void) => boolean;
type Receive = (message: ToWorker, handle: unknown) => void;

/** What 'internalMessage' carries: messages whose `cmd` starts with NODE_, one with a handle inside of another. */
interface Internal {
  cmd?: string | null;
  readonly msg?: Internal;
}

/** Timers as they were when the worker booted. */
const later = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate };

/** CLOCK_MONOTONIC, ms: the same clock in primary and workers. */
function nowMs(): number {
  return Number(hrtime()) / 1e6;
}

function nothing(): void {}

/** False when the channel is gone. `done`: written, or failed. */
function send(message: ToPrimary, done: () => void = nothing): boolean {
  if (!process.connected || rawSend === undefined) return false;
  // Always with a callback: without one, a channel that broke is an 'error' event on the app's process.
  (rawSend as RawSend)({ cmd: CMD, ...message }, undefined, undefined, done);
  return true;
}

/** The last word: resolves when it and all before it have been given to the kernel, or after `limitMs`. */
function farewell(limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    later.setTimeout(resolve, limitMs).unref();
    if (!send({ t: 'drained' }, resolve)) resolve();
  });
}

function onMessage(receive: Receive): void {
  // 'internalMessage' is not in Node's types.
  const events: NodeJS.EventEmitter = process;
  events.prependListener('internalMessage', (message: Internal, handle: unknown) => {
    if (message.cmd !== HANDLE || message.msg?.cmd !== CMD || !handle) return;
    // Node's own listener, which comes next, would deliver it later, and acknowledge it: our primary does not wait for that.
    message.cmd = null;
    receive(message.msg as unknown as ToWorker, handle);
  });
  events.on('internalMessage', (message: Internal, handle: unknown) => {
    if (message.cmd === CMD) receive(message as unknown as ToWorker, handle);
  });
}

const channel = { nowMs, later, send, farewell, onMessage };
export type Channel = typeof channel;
module.exports = channel;
