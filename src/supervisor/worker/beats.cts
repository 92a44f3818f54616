/**
 * The pulse of the event loop: a worker whose main thread hangs writes none, and the primary notices. It is written into
 * a file in memory that all share: a message would wake the primary each time.
 */
import type * as Fs from 'node:fs';
import type * as Hooks from 'node:perf_hooks';
import type * as V8 from 'node:v8';
import type { Beat, Wire, WorkerSettings } from '../wire.cts';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';

const { writeSync } = require('node:fs') as typeof Fs;
const { performance } = require('node:perf_hooks') as typeof Hooks;
const v8 = require('node:v8') as typeof V8;
const { send, later, nowMs } = require('./channel.cjs') as Channel;
const { open, counts } = require('./connections.cjs') as Connections;
const { PULSE_FIELDS } = require('../wire.cjs') as Wire;

const eventLoopUtilization = performance.eventLoopUtilization.bind(performance);
const memoryUsage = process.memoryUsage.bind(process);
const cpuUsage = process.cpuUsage.bind(process);

/** Reading the figures of memory and CPU time costs some 20 µs; limits on memory are judged over seconds. */
const SAMPLE_EVERY_MS = 250;

type Sample = Omit<Beat, 'open' | 'taken' | 'requests' | 'loopDelayMs'>;

/** Samples of a window, and so many windows ahead (2 s): time for a drain, while V8 collects ever harder. */
const WINDOW = 2;
const WINDOWS_AHEAD = 4;

/**
 * Follows the low water mark of the heap, from window to window. Garbage makes it rise and fall, and an app that boots
 * makes it rise once: only what it rose by in both of the last two steps counts as growth.
 */
function createTrend(): (heapUsedBytes: number) => number {
  const samples: number[] = [];
  return (heapUsedBytes) => {
    samples.push(heapUsedBytes);
    if (samples.length > 3 * WINDOW) samples.shift();
    if (samples.length < 3 * WINDOW) return heapUsedBytes;
    const [first = 0, second = 0, third = 0] = [0, 1, 2].map((window) =>
      Math.min(...samples.slice(window * WINDOW, (window + 1) * WINDOW)),
    );
    return third + Math.max(0, Math.min(second - first, third - second)) * WINDOWS_AHEAD;
  };
}

/** What V8's own figure has beyond the old space: three times the default `--max-semi-space-size`, in MB by Node's version. */
const YOUNG_MB: Readonly<Record<string, number>> = { 20: 48, 22: 48, 24: 192, 26: 96 };
const YOUNG_MB_MAX = 192;
const MB = 2 ** 20;

/**
 * At this, V8 ends the process: the limit of its old space. V8 tells only the sum with the young one, which is much more
 * for a small heap. Fixed for the life of a process.
 */
function oldSpaceLimitBytes(): number {
  const bothBytes = v8.getHeapStatistics().heap_size_limit;
  const flags = `${process.env['NODE_OPTIONS'] ?? ''} ${process.execArgv.join(' ')}`;
  const asked = [...flags.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1];
  const askedBytes = Number(asked ?? 0) * MB;
  if (askedBytes > 0 && askedBytes <= bothBytes) return askedBytes;
  const youngBytes = (YOUNG_MB[process.versions.node.split('.')[0] ?? ''] ?? YOUNG_MB_MAX) * MB;
  return Math.max(bothBytes / 2, bothBytes - youngBytes);
}

/** The figures are read from a file, which an app that has used up its descriptors leaves no room for: then they are as before. */
function memoryOf({ rssBytes, heapUsedBytes }: Sample): { readonly rss: number; readonly heapUsed: number } {
  try {
    return memoryUsage();
  } catch {
    return { rss: rssBytes, heapUsed: heapUsedBytes };
  }
}

function createSampler(): (atMs: number) => Sample {
  const heapLimitBytes = oldSpaceLimitBytes();
  let sampledAtMs = Number.NEGATIVE_INFINITY;
  let loopBefore = eventLoopUtilization();
  const soonOf = createTrend();
  let sample: Sample = {
    rssBytes: 0,
    heapUsedBytes: 0,
    heapSoonBytes: 0,
    heapLimitBytes,
    cpuMs: 0,
    cpu: 0,
    utilisation: 0,
  };
  return (atMs) => {
    const sinceMs = atMs - sampledAtMs;
    if (sinceMs >= SAMPLE_EVERY_MS) {
      const { rss, heapUsed } = memoryOf(sample);
      const { user, system } = cpuUsage();
      const cpuMs = (user + system) / 1000;
      // The first covers no time that we know the length of.
      const cpu = (cpuMs - sample.cpuMs) / sinceMs;
      const heapSoonBytes = soonOf(heapUsed);
      const loop = eventLoopUtilization();
      const { utilization: utilisation } = eventLoopUtilization(loop, loopBefore);
      sample = {
        rssBytes: rss,
        heapUsedBytes: heapUsed,
        heapSoonBytes,
        heapLimitBytes,
        cpuMs,
        cpu,
        utilisation,
      };
      loopBefore = loop;
      sampledAtMs = atMs;
    }
    return sample;
  };
}

/** A stall of the event loop is over before anybody asks for it, so the longest of the last one to two windows is told. */
const DELAY_WINDOW_MS = 5000;

function createDelayPeak(): (delayMs: number, atMs: number) => number {
  let untilMs = Number.NEGATIVE_INFINITY;
  let before = 0;
  let now = 0;
  return (delayMs, atMs) => {
    if (atMs >= untilMs) {
      before = now;
      now = 0;
      untilMs = atMs + DELAY_WINDOW_MS;
    }
    now = Math.max(now, delayMs);
    return Math.max(before, now);
  };
}

/** Writes numbered records, each over the one before. */
function createPen({
  fd,
  offset,
}: WorkerSettings['pulse']): (values: Readonly<Record<string, number>>) => void {
  const record = new Float64Array(PULSE_FIELDS.length + 2);
  let number = 0;
  return (values) => {
    number++;
    record[0] = number;
    for (let i = 0; i < PULSE_FIELDS.length; i++) record[i + 1] = values[PULSE_FIELDS[i] ?? ''] ?? 0;
    record[record.length - 1] = number;
    writeSync(fd, record, 0, record.byteLength, offset);
  };
}

/** Writes the first beat at once, then one every `beatMs`. The timer does not keep the app alive. */
function startBeats({ worker, beatMs, pulse }: WorkerSettings): void {
  const sample = createSampler();
  const peakOf = createDelayPeak();
  const write = createPen(pulse);
  let dueMs = nowMs();
  const beat = (): void => {
    const atMs = nowMs();
    const loopDelayMs = peakOf(Math.max(0, atMs - dueMs), atMs);
    dueMs = atMs + beatMs;
    const { taken, requests } = counts;
    const values: Beat = { open: open.length, taken, requests, ...sample(atMs), loopDelayMs };
    try {
      write({ worker, atMs, ...values });
    } catch (error) {
      // Who closes descriptors that are not its own: it cannot be watched, and the log shall say why it goes.
      later.clearInterval(timer);
      send({ t: 'health', ok: false, detail: `no heartbeat: ${String(error)}` });
    }
  };
  const timer = later.setInterval(beat, beatMs).unref();
  beat();
}

const beats = { startBeats };
export type Beats = typeof beats;
module.exports = beats;
