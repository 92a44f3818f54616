/** How a worker leaves: it finishes what it has, tells the app, and ends. Nothing that it accepted is dropped. */
import type Cluster from 'node:cluster';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';
import type { LastResponses } from './last-responses.cts';
import type { LastStreams } from './last-streams.cts';
import type { Listen } from './listen.cts';
import type { Signals } from './signals.cts';
import type { SweepModule, SweepTimes } from './sweep.cts';

const cluster = require('node:cluster') as typeof Cluster;
const { farewell, later, nowMs } = require('./channel.cjs') as Channel;
const { open } = require('./connections.cjs') as Connections;
const { closeAfterResponses } = require('./last-responses.cjs') as LastResponses;
const { closeAfterStreams } = require('./last-streams.cjs') as LastStreams;
const { stopAccepting, unrefAll } = require('./listen.cjs') as Listen;
const { disconnectForApp, runAppsSignal } = require('./signals.cjs') as Signals;
const { sweepUntil } = require('./sweep.cjs') as SweepModule;

const exit = process.exit.bind(process);

/**
 * A request that was under way when the drain began has arrived after this long even if its packet was lost once:
 * the first retransmission comes after 1 s (RFC 6298). Half of the 5 s for which Node promises to keep a connection.
 */
const QUIET_MS = 2500;
/** Reconnects of WebSocket clients are spread over this time. */
const SPREAD_MS = 5000;
/** Kept of the grace for ending what did not end by itself, for hooks and for the exit. */
const RESERVE_MS = 2000;
const FAREWELL_MS = 200;
/** What holds a process that has disconnected may be a cleanup, or a pool that nobody ends. */
const LINGER_MS = 1000;
const SIGNAL_MS = 100;

type Hook = () => unknown;

const hooks: Hook[] = [];
const state: { deadlineMs: number | null; leaving: boolean } = { deadlineMs: null, leaving: false };

/** Runs before this worker ends on purpose, after its HTTP and plain connections are gone. */
function beforeExit(hook: Hook): void {
  hooks.push(hook);
}

function isDraining(): boolean {
  return state.deadlineMs !== null;
}

/** All hooks at once; one that throws or never settles does not keep the worker. */
async function runHooks(untilMs: number): Promise<void> {
  const all = Promise.allSettled(hooks.map(async (hook) => hook()));
  for (const result of await withLimit(all, untilMs)) {
    if (result.status === 'rejected')
      console.error('cluster-chaos: a beforeExit hook failed:', result.reason);
  }
}

function withLimit<T>(promise: Promise<readonly T[]>, untilMs: number): Promise<readonly T[]> {
  return new Promise((resolve, reject) => {
    const timer = later.setTimeout(() => resolve([]), Math.max(0, untilMs - nowMs()));
    promise.then(resolve, reject).finally(() => later.clearTimeout(timer));
  });
}

function spreadFrom(fromMs: number, graceMs: number, untilMs: number): NonNullable<SweepTimes['spread']> {
  return { fromMs, toMs: Math.min(fromMs + Math.min(graceMs / 2, SPREAD_MS), untilMs) };
}

/**
 * Drains once; asked again, with the shorter deadline of the two. With hooks, upgraded sockets are left to them
 * first: an app that knows its protocol says goodbye better than an end of the stream does.
 */
async function drain(graceMs: number): Promise<void> {
  const fromMs = nowMs();
  const deadlineMs = fromMs + graceMs;
  if (state.deadlineMs !== null) return hurry(deadlineMs);
  state.deadlineMs = deadlineMs;
  stopAccepting();
  closeAfterResponses();
  closeAfterStreams();
  const endAtMs = deadlineMs - Math.min(RESERVE_MS, graceMs / 4);
  const quietMs = Math.min(QUIET_MS, graceMs / 4);
  const spread = hooks.length > 0 ? null : spreadFrom(fromMs, graceMs, endAtMs);
  const onlyUpgraded = (): boolean => open.every((it) => it.upgraded);
  const none = (): boolean => open.length === 0;
  const times: SweepTimes = { fromMs, quietMs, endAtMs, spread };
  await sweepUntil(spread ? none : onlyUpgraded, times, deadlineMs);
  if (hooks.length > 0) {
    await runHooks(deadlineMs);
    await sweepUntil(none, { ...times, spread: spreadFrom(nowMs(), graceMs, endAtMs) }, deadlineMs);
  }
  await leave();
}

/** The primary asks again with less time, as when a stop follows a reload. */
function hurry(deadlineMs: number): void {
  if (state.deadlineMs === null || deadlineMs >= state.deadlineMs) return;
  state.deadlineMs = deadlineMs;
  later.setTimeout(() => void leave(), Math.max(0, deadlineMs - nowMs()));
}

/** Lets an app that handles SIGTERM or SIGINT end itself; ends it otherwise, or when the grace is over. */
async function leave(): Promise<void> {
  if (state.leaving) return;
  state.leaving = true;
  // As under node:cluster: it was meant to go.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
  const handled = runAppsSignal();
  if (!handled) return goodbye();
  later.setTimeout(() => void goodbye(), leftMs()).unref();
  // A signal takes its time to arrive, and holds no process meanwhile.
  later.setTimeout(() => {
    // Listening and the channel hold it no longer: it may end by having nothing left to do.
    unrefAll();
    process.channel?.unref();
  }, SIGNAL_MS);
}

function leftMs(): number {
  return Math.max(0, (state.deadlineMs ?? 0) - nowMs());
}

/** The end; where the app listens for it, by having nothing left to do, so that it sees what plain node:cluster shows it. */
async function goodbye(): Promise<void> {
  await farewell(FAREWELL_MS);
  if (!disconnectForApp()) exit(0);
  unrefAll();
  later.setTimeout(() => exit(0), Math.min(LINGER_MS, leftMs())).unref();
}

const draining = { drain, beforeExit, isDraining };
export type Draining = typeof draining;
module.exports = draining;
