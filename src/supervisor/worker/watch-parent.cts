/** Ends a worker that hangs when its primary is gone: a thread sees what a blocked main thread can't. */
import type * as Threads from 'node:worker_threads';

const { Worker, isMainThread, workerData } = require('node:worker_threads') as typeof Threads;

const LOOK_MS = 250;

/** In the main thread: starts the thread, which does not keep the process alive. */
function watchParent(): void {
  // Without our own preloads: the thread needs nothing but this file.
  new Worker(__filename, { workerData: { parent: process.ppid }, execArgv: [], env: {} }).unref();
}

function watch(parent: number): void {
  setInterval(() => {
    // A process whose parent has died gets another one.
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  }, LOOK_MS);
}

const given = workerData as { readonly parent?: unknown } | null;
if (!isMainThread && typeof given?.parent === 'number') watch(given.parent);

const parentWatch = { watchParent };
export type ParentWatch = typeof parentWatch;
module.exports = parentWatch;
