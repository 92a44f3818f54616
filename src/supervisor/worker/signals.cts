/**
 * Ctrl-C and a service manager's signals reach every process of the group. The primary decides what they mean: a
 * worker that died of one at once would drop what it was doing.
 */
import type Cluster from 'node:cluster';
import type * as Threads from 'node:worker_threads';
import type { Channel } from './channel.cts';

const cluster = require('node:cluster') as typeof Cluster;
const { send } = require('./channel.cjs') as Channel;

const listenerCount = process.listenerCount.bind(process);
const kill = process.kill.bind(process);
const exit = process.exit.bind(process);
const nextTick = process.nextTick.bind(process);
const disconnect = process.disconnect?.bind(process);

/** An app's listeners get this long after the primary is gone. */
const EXIT_MAX_MS = 300;

const state = { hearingBefore: 0, leaving: false };

function ignore(): void {}

function onSigterm(): void {
  // To this worker alone, or to the group: replaced and drained by the primary in either case.
  send({ t: 'retire', reason: 'SIGTERM' });
}

/** With no listener the kernel's default would end us at once. The app's own listeners run as ever. */
function installSignals(): void {
  process.on('SIGINT', ignore);
  // A closed terminal; for the primary it means reload.
  process.on('SIGHUP', ignore);
  process.on('SIGTERM', onSigterm);
}

/** Sends ourselves the signal that the app listens to: SIGTERM, else SIGINT, which is pm2's. False if to neither. */
function runAppsSignal(): boolean {
  // Without ours, whoever counts listeners to decide (signal-exit does) decides as if it ran alone.
  process.removeListener('SIGTERM', onSigterm);
  if (listenerCount('SIGTERM') > 0) return kill(process.pid, 'SIGTERM');
  process.on('SIGTERM', ignore);
  process.removeListener('SIGINT', ignore);
  if (listenerCount('SIGINT') > 0) return kill(process.pid, 'SIGINT');
  process.on('SIGINT', ignore);
  return false;
}

/** So many listen for the end of the channel, or for there being nothing left to do. */
function hearing(): number {
  const ofWorker = cluster.worker?.listenerCount('disconnect') ?? 0;
  return ofWorker + listenerCount('disconnect') + listenerCount('beforeExit');
}

/** Disconnects, as the primary of plain node:cluster does with a worker that is to end, if the app listens. False if it does not. */
function disconnectForApp(): boolean {
  if (hearing() <= state.hearingBefore || disconnect === undefined || !process.connected) return false;
  state.leaving = true;
  disconnect();
  return true;
}

/** The primary is gone, or has cut us off: there is nobody to serve for. */
function exitWithPrimary(exitListenersBefore: number, onGone: () => void): void {
  process.prependListener('disconnect', () => {
    onGone();
    if (state.leaving) return;
    // The app's listeners run synchronously and can hang; only another thread can end the process then.
    if (listenerCount('exit') > exitListenersBefore || hearing() > state.hearingBefore) killLater();
    // After them, unless node:cluster's own listener, which follows `cluster.worker`'s, is first.
    nextTick(() => exit(0));
  });
  state.hearingBefore = hearing();
}

function killLater(): void {
  try {
    const { Worker } = require('node:worker_threads') as typeof Threads;
    const code = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${EXIT_MAX_MS}); process.kill(process.pid, 'SIGKILL');`;
    new Worker(code, { eval: true, execArgv: [], env: {} }).unref();
  } catch {
    // No thread to be had: the guardian of the primary is left.
  }
}

const signals = { installSignals, runAppsSignal, disconnectForApp, exitWithPrimary };
export type Signals = typeof signals;
module.exports = signals;
