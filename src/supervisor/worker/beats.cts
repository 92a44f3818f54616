/** The pulse of the event loop: a worker whose main thread hangs sends none, and the primary notices. */
import type * as Hooks from 'node:perf_hooks';
import type * as V8 from 'node:v8';
import type { Beat } from '../wire.cts';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';

const { performance } = require('node:perf_hooks') as typeof Hooks;
const v8 = require('node:v8') as typeof V8;
const { send, later, nowMs } = require('./channel.cjs') as Channel;
const { open, counts } = require('./connections.cjs') as Connections;

const eventLoopUtilization = performance.eventLoopUtilization.bind(performance);
const memoryUsage = process.memoryUsage.bind(process);

/** Reading memory figures costs some 20 µs; limits on memory are judged over seconds. */
const MEMORY_EVERY_MS = 250;

function createSampler(): () => Pick<Beat, 'rssBytes' | 'heapUsedBytes' | 'heapLimitBytes'> {
  // Fixed for the life of a process.
  const heapLimitBytes = v8.getHeapStatistics().heap_size_limit;
  let sampledAtMs = Number.NEGATIVE_INFINITY;
  let sample = { rssBytes: 0, heapUsedBytes: 0, heapLimitBytes };
  return () => {
    const atMs = nowMs();
    if (atMs - sampledAtMs >= MEMORY_EVERY_MS) {
      const { rss, heapUsed } = memoryUsage();
      sample = { rssBytes: rss, heapUsedBytes: heapUsed, heapLimitBytes };
      sampledAtMs = atMs;
    }
    return sample;
  };
}

/** Sends the first beat at once, then one every `beatMs`. The timer does not keep the app alive. */
function startBeats(beatMs: number): void {
  const memory = createSampler();
  let dueMs = nowMs();
  let before = eventLoopUtilization();
  let written = true;
  const beat = (): void => {
    const atMs = nowMs();
    const loopDelayMs = Math.max(0, atMs - dueMs);
    dueMs = atMs + beatMs;
    // The channel is stuck: more beats would only queue up behind this one.
    if (!written) return;
    const now = eventLoopUtilization();
    const { utilization: utilisation } = eventLoopUtilization(now, before);
    before = now;
    written = false;
    const { taken, requests } = counts;
    const message: Beat = { open: open.size, taken, requests, ...memory(), utilisation, loopDelayMs };
    send({ t: 'beat', beat: message }, () => {
      written = true;
    });
  };
  beat();
  later.setInterval(beat, beatMs).unref();
}

const beats = { startBeats };
export type Beats = typeof beats;
module.exports = beats;
