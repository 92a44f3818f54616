// The load on a target: the generator's process, what it is asked meanwhile, and what its rows say in the end.
import { once } from 'node:events';
import { quantile } from './figures.mjs';
import { sleep, startChild, until, watchOthers } from './processes.mjs';
import { WORKERS } from './targets.mjs';

const LOAD = { ratePerSecond: 2000, connections: 50, freshEveryMs: 10, timeoutMs: 2000 };
/** Fresh connections of this long are enough to see each of the workers several times. */
const RECENT_MS = 300;
const STEADY_MS = 10_000;
/** A load that is carried: nothing fails, and the p99 is this at most. On an idle machine it is some 5 ms. */
const CALM = { forMs: 500, p99Ms: 30, deadlineMs: 8000 };
/** Often enough to see within a few ms who serves, and not so often that it is these that keep the machine busy. */
export const BURST = { everyMs: 4, forMs: 1500 };
/** A run in which others use more of the machine than this measures them. */
const OTHERS_MAX = 0.15;

/** How late the generator itself was, the p99 of each run: how far the other figures can be trusted. */
export const lateMs = [];

export async function startTraffic(target) {
  const child = startChild('./open-loop.cjs');
  let last = 0;
  let othersShare = watchOthers();
  const pending = new Map();
  child.on('message', ({ id, answer }) => {
    pending.get(id)?.(answer);
    pending.delete(id);
  });
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`the generator of ${target.name} ended with code ${code}`);
  });
  // Whoever asks then is told; nobody may.
  gone.catch(() => {});
  const ask = (what, value) => {
    const answer = new Promise((resolve) => pending.set(++last, resolve));
    child.send({ id: last, ask: what, value });
    return Promise.race([answer, gone]);
  };
  const traffic = {
    /** Fresh connections answered of late, by pid. */
    async recent() {
      const counts = await ask('recent', RECENT_MS);
      return Object.keys(counts).map(Number);
    },
    /** A worker that serves. */
    async victim() {
      const pids = await traffic.steady();
      if (pids === null) throw new Error(`${target.name}: no worker to hit, not all serve`);
      return pids[0];
    },
    /** Sends a signal and resolves with when; `burst` adds fresh connections, to see soon who serves. */
    signal: (pids, name, burst = []) => ask('signal', { pids, name, burst }),
    /** Resolves with the pid that was hit, and when. */
    order: (path) => ask('order', path),
    /** Resolves with the workers once all serve, or with null at the deadline. */
    steady: (deadlineMs = STEADY_MS) =>
      until(
        async () => {
          const pids = await traffic.recent();
          return pids.length >= WORKERS && pids;
        },
        { deadlineMs, everyMs: 50 },
      ),
    /** Ends the load, waits for what is outstanding, and resolves with a row for each request. */
    async stop() {
      const others = othersShare();
      const rows = await ask('stop');
      child.disconnect();
      const fresh = rows.filter(({ kind }) => kind === 'fresh');
      const late = quantile(
        fresh.map(({ dueMs, sentMs }) => sentMs - dueMs),
        0.99,
      );
      lateMs.push(late);
      if (others > OTHERS_MAX)
        throw new Error(`busy machine: others use ${(others * 100).toFixed(0)} % of it`);
      return rows;
    },
  };
  await ask('start', { ...LOAD, port: target.port });
  if (!(await traffic.steady())) throw new Error(`${target.name}: not all workers serve under load`);
  let seen = '';
  const isCalm = async () => {
    const { failed, latencies } = await ask('health', CALM.forMs);
    const p99Ms = quantile(latencies, 0.99);
    seen = `${failed} failed, p99 ${p99Ms?.toFixed(0)} ms`;
    return failed === 0 && p99Ms <= CALM.p99Ms;
  };
  await sleep(CALM.forMs);
  if (await until(isCalm, { deadlineMs: CALM.deadlineMs, everyMs: 100 })) {
    othersShare = watchOthers();
    return traffic;
  }
  child.disconnect();
  throw new Error(`busy machine: without a fault the load on ${target.name} is not carried (${seen})`);
}

/** A connection that came this long before a kill may already have been on its way to the victim, and hang with it. */
const HANDED_MS = 20;

const isFailed = ({ outcome }) => outcome !== 'ok';

/** Which of several events of a run (times in order) a failed request belongs to; -1: before the first. */
function eventOf({ outcome, sentMs, endMs }, times) {
  // A hung request ends long after what hung it, a broken one right after.
  const whenMs = outcome === 'TIMEOUT' ? sentMs + HANDED_MS : endMs;
  return times.findLastIndex((atMs) => atMs <= whenMs);
}

/** Failed requests of each event. */
export function failuresBy(rows, times) {
  const lists = times.map(() => []);
  for (const row of rows.filter(isFailed)) lists[eventOf(row, times)]?.push(row);
  return lists;
}

/** Whether the kill itself took this request: nothing that any supervisor does can save it. */
export function wasInFlight({ outcome, sentMs, knownPid }, { atMs, victims }) {
  if (outcome !== 'RST' && outcome !== 'EOF') return false;
  // Written on a connection that the victim had: before its death, or before the client could see its end.
  if (knownPid !== 0) return victims.has(knownPid);
  // A fresh connection: nobody knows who had it. One that comes after the kill was read by no victim.
  return sentMs <= atMs;
}

/** Ms after `atMs` at which fresh connections begun since were answered by all N workers, the victims not counted. */
export function capacityBackMs(rows, { atMs, victims }) {
  const answered = rows
    .filter(({ kind, outcome, sentMs }) => kind === 'fresh' && outcome === 'ok' && sentMs >= atMs)
    .sort((a, b) => a.endMs - b.endMs);
  const seen = new Set();
  for (const { pid, endMs } of answered) {
    if (!victims.has(pid)) seen.add(pid);
    if (seen.size >= WORKERS) return endMs - atMs;
  }
  return null;
}

/** The longest time without a good answer between two times. */
export function longestGapMs(rows, fromMs, toMs) {
  const ends = rows.filter((row) => !isFailed(row) && row.endMs >= fromMs - 500 && row.endMs <= toMs);
  const times = [...ends.map(({ endMs }) => endMs).sort((a, b) => a - b), toMs];
  return Math.max(...times.slice(1).map((time, i) => time - times[i]));
}

export const outcomesOf = (rows) => {
  const counts = {};
  for (const { outcome } of rows) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};
