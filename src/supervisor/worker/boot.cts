/**
 * What `--require` loads into a worker before the app. Processes and threads that the app starts inherit the option:
 * there, and wherever no supervisor forked us, it does nothing.
 */
import type Cluster from 'node:cluster';
import type { ToPrimary, Wire, WorkerSettings } from '../wire.cts';
import type { WorkerModule } from './worker.cts';

const { CMD, SETTINGS } = require('../wire.cjs') as Wire;

function boot(): void {
  const text = process.env[SETTINGS];
  // Not for the app's own children.
  delete process.env[SETTINGS];
  const cluster = require('node:cluster') as typeof Cluster;
  if (text === undefined || !cluster.isWorker) return;
  const exitListeners = process.listenerCount('exit');
  try {
    const { startWorker } = require('./worker.cjs') as WorkerModule;
    startWorker(JSON.parse(text) as WorkerSettings, exitListeners);
  } catch (error) {
    // The app comes first: it runs under plain node:cluster, and the primary is told why.
    const plain: ToPrimary = {
      t: 'plain',
      detail: error instanceof Error ? (error.stack ?? '') : String(error),
    };
    process.send?.({ cmd: CMD, ...plain }, undefined, undefined, () => {});
  }
}

boot();
