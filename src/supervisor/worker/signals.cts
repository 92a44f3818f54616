/**
 * Ctrl-C and a service manager's signals reach every process of the group. The primary decides what they mean: a
 * worker that died of one at once would drop what it was doing.
 */
import type * as Threads from 'node:worker_threads';
import type { Channel } from './channel.cts';

const { send } = require('./channel.cjs') as Channel;

const listenerCount = process.listenerCount.bind(process);
const kill = process.kill.bind(process);
const exit = process.exit.bind(process);

/** An app's 'exit' listeners get this long after the primary is gone. */
const EXIT_MAX_MS = 300;

function onSigterm(): void {
  // To this worker alone, or to the group: replaced and drained by the primary in either case.
  send({ t: 'retire', reason: 'SIGTERM' });
}

/** With no listener the kernel's default would end us at once. The app's own listeners run as ever. */
function installSignals(): void {
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  // A closed terminal; for the primary it means reload.
  process.on('SIGHUP', ignore);
  process.on('SIGTERM', onSigterm);
}

/** Sends SIGTERM to ourselves if the app listens to it. False if it does not. */
function runAppsSigterm(): boolean {
  // Without ours, whoever counts listeners to decide (signal-exit does) decides as if it ran alone.
  process.removeListener('SIGTERM', onSigterm);
  if (listenerCount('SIGTERM') === 0) return false;
  kill(process.pid, 'SIGTERM');
  return true;
}

/** The primary is gone, or has cut us off: there is nobody to serve for. */
function exitWithPrimary(exitListenersBefore: number, onGone: () => void): void {
  process.prependListener('disconnect', () => {
    onGone();
    // They run synchronously and can hang; only another thread can end the process then.
    if (listenerCount('exit') > exitListenersBefore) killLater();
    exit(0);
  });
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

const signals = { installSignals, runAppsSigterm, exitWithPrimary };
export type Signals = typeof signals;
module.exports = signals;
