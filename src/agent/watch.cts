/** What the main thread sees and reports: its own TCP listeners, and as a primary its workers. */

import type Cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import type * as Net from 'node:net';
import type { Inside } from './inside.cts';
import type { SchedulingPolicy, WireEvent } from './protocol.cts';

const cluster = require('node:cluster') as typeof Cluster;
const net = require('node:net') as typeof Net;
const { nowMs } = require('./inside.cjs') as Inside;

type Report = (event: WireEvent) => void;

/** Reports each TCP listener. Pipes are left out: launchers such as tsx listen on one. */
function watchListeners(report: Report): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with the server as `this` below.
  const original = net.Server.prototype.listen as (this: Net.Server, ...args: unknown[]) => Net.Server;
  const listen = function listen(this: Net.Server, ...args: unknown[]): Net.Server {
    this.once('listening', () => {
      const atMs = nowMs();
      const address = this.address();
      if (typeof address !== 'object' || address === null) return;
      report({ type: 'listening', atMs, address: address.address, port: address.port });
    });
    return original.apply(this, args);
  };
  net.Server.prototype.listen = listen as typeof net.Server.prototype.listen;
}

function schedulingOf(): SchedulingPolicy {
  return cluster.schedulingPolicy === cluster.SCHED_NONE ? 'none' : 'rr';
}

/** Reports the life of the workers that this process forks. Listeners only: `cluster` itself stays as it is. */
function watchWorkers(report: Report, onFirstFork: () => void): void {
  let forked = false;
  const about = (worker: Worker): { workerPid: number; workerId: number; atMs: number } | null => {
    const workerPid = worker.process.pid;
    // A fork that failed has no pid.
    return workerPid === undefined ? null : { workerPid, workerId: worker.id, atMs: nowMs() };
  };
  const simple = (type: 'fork' | 'online' | 'disconnect') => (worker: Worker) => {
    const who = about(worker);
    if (who) report({ type, ...who });
  };
  cluster.on('fork', (worker) => {
    if (!forked) {
      forked = true;
      report({ type: 'primary', atMs: nowMs(), scheduling: schedulingOf() });
      onFirstFork();
    }
    simple('fork')(worker);
  });
  cluster.on('online', simple('online'));
  cluster.on('disconnect', simple('disconnect'));
  cluster.on('listening', (worker, address) => {
    const who = about(worker);
    const port = address.port > 0 ? address.port : null;
    if (who) report({ type: 'worker-listening', ...who, port });
  });
  cluster.on('exit', (worker, code, signal) => {
    const who = about(worker);
    if (!who) return;
    // `disconnect()` and `kill()` of the worker set it: its own primary meant it to go.
    const { exitedAfterDisconnect: retired } = worker;
    report({ type: 'worker-exit', ...who, code: code ?? null, signal: signal ?? null, retired });
  });
}

const watch = { watchListeners, watchWorkers };
export type Watch = typeof watch;
module.exports = watch;
