/** Memory spikes: retained on the V8 heap or outside of it, taken in slices so that the process goes on serving. */
import type * as V8 from 'node:v8';
import type * as Vm from 'node:vm';
import type { Inside } from './inside.cts';
import type { WireRecord } from './protocol.cts';

const v8 = require('node:v8') as typeof V8;
const vm = require('node:vm') as typeof Vm;
const { nowMs } = require('./inside.cjs') as Inside;

const later = setImmediate;

/** One array of small integers, 8 bytes each, goes into V8's large-object space and is freed as a whole. */
const HEAP_CHUNK_BYTES = 1024 * 1024;
const OFF_HEAP_CHUNK_BYTES = 16 * 1024 * 1024;
/** Allocating no longer than this at a stretch adds no more than this to a request's latency. */
const SLICE_MS = 10;

interface Spike {
  chunks: unknown[];
  retainedBytes: number;
  stopped: boolean;
}

const spikes = new Map<string, Spike>();

/** Retains `bytes` (`null`: until V8 gives up), chunk by chunk, from now on. */
function startSpike(id: string, bytes: number | null, allocate: (left: number) => [unknown, number]): void {
  if (spikes.has(id)) throw new Error(`a spike ${id} is already there`);
  const spike: Spike = { chunks: [], retainedBytes: 0, stopped: false };
  spikes.set(id, spike);
  const limitBytes = bytes ?? Number.POSITIVE_INFINITY;
  const step = (): void => {
    const sliceEndMs = nowMs() + SLICE_MS;
    while (!spike.stopped && spike.retainedBytes < limitBytes) {
      const [chunk, size] = allocate(limitBytes - spike.retainedBytes);
      spike.chunks.push(chunk);
      spike.retainedBytes += size;
      if (nowMs() >= sliceEndMs) return void later(step);
    }
  };
  later(step);
}

function heapChunk(left: number): [unknown, number] {
  const size = Math.min(HEAP_CHUNK_BYTES, Math.max(8, left));
  // Filled, because untouched pages are not resident.
  return [Array<number>(Math.ceil(size / 8)).fill(1), size];
}

function offHeapChunk(touched: boolean): (left: number) => [unknown, number] {
  return (left) => {
    const size = Math.min(OFF_HEAP_CHUNK_BYTES, Math.max(1, left));
    return [touched ? Buffer.alloc(size, 1) : new ArrayBuffer(size), size];
  };
}

function heapSpike(id: string, bytes: number | null): void {
  startSpike(id, bytes, heapChunk);
}

function offHeapSpike(id: string, bytes: number, touched: boolean): void {
  startSpike(id, bytes, offHeapChunk(touched));
}

/** Without a forced collection the heap stays as large as it was: V8 sees no reason to collect. */
function collectGarbage(): void {
  try {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc') as () => void;
    v8.setFlagsFromString('--no-expose-gc');
    gc();
  } catch {
    // Harmless: the memory is no longer retained, V8 will collect it in its own time.
  }
}

/** Drops what the spike retained, or all spikes; returns the bytes that were dropped. */
function release(id: string | null): number {
  let freed = 0;
  for (const [key, spike] of id === null ? [...spikes] : [...spikes].filter(([key]) => key === id)) {
    spikes.delete(key);
    spike.stopped = true;
    spike.chunks = [];
    freed += spike.retainedBytes;
  }
  if (freed > 0) collectGarbage();
  return freed;
}

function usage(): WireRecord {
  const memory = process.memoryUsage();
  let retainedBytes = 0;
  for (const spike of spikes.values()) retainedBytes += spike.retainedBytes;
  return {
    atMs: nowMs(),
    rssBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    heapLimitBytes: v8.getHeapStatistics().heap_size_limit,
    externalBytes: memory.external,
    retainedBytes,
  };
}

const memory = { heapSpike, offHeapSpike, release, usage };
export type MemoryFaults = typeof memory;
module.exports = memory;
