/** The faults that only the main thread can do to itself, run on the control thread's word. */
import type { Inside, ToControl, ToMain } from './inside.cts';
import type { MemoryFaults } from './memory.cts';
import type { WireRecord, WireValue } from './protocol.cts';

const { nowMs, SLOT_BLOCK, SLOT_BEATS, SLOT_FLUSHED, LEASE_MS } = require('./inside.cjs') as Inside;
const memory = require('./memory.cjs') as MemoryFaults;

const later = setImmediate;
const exit = process.exit.bind(process);

/** A result reaches the kernel in far less; a control thread that is gone must not hold up an exit. */
const FLUSH_WAIT_MS = 100;
/** A sleeping block looks this often whether the control thread still lives. */
const IDLE_SLICE_MS = 250;
/** Turns of the busy loop between two looks at the shared cells. */
const SPIN_TURNS = 2000;

type Run = Extract<ToMain, { k: 'run' }>;
type Post = (message: ToControl) => void;

export interface MainFaults {
  run(message: Run): void;
  healAll(): void;
}

function createMainFaults(cells: Int32Array, post: Post): MainFaults {
  const answer = (id: number, evidence: WireRecord): void => post({ k: 'result', id, ok: true, evidence });

  /** Answers first: after the deed there is nobody left to answer. */
  const announce = (id: number): void => {
    answer(id, { atMs: nowMs() });
    const endMs = nowMs() + FLUSH_WAIT_MS;
    for (let seen = Atomics.load(cells, SLOT_FLUSHED); seen !== id && nowMs() < endMs; ) {
      Atomics.wait(cells, SLOT_FLUSHED, seen, endMs - nowMs());
      seen = Atomics.load(cells, SLOT_FLUSHED);
    }
  };

  const block = (message: Run): void => {
    if (Atomics.load(cells, SLOT_BLOCK) !== message.serial) throw new Error('healed before it began');
    const fromMs = nowMs();
    answer(message.id, { atMs: fromMs });
    const untilMs = fromMs + (numberOf(message.params['forMs']) ?? Number.POSITIVE_INFINITY);
    hold(cells, message.serial, untilMs, message.params['idle'] === true);
    post({ k: 'block-ended', serial: message.serial, blockedMs: nowMs() - fromMs });
  };

  const deeds: Readonly<Record<string, (message: Run, id: string) => void>> = {
    exit: ({ id, params }) => {
      announce(id);
      exit(numberOf(params['code']) ?? 1);
    },
    throw: ({ id }) => {
      announce(id);
      // Outside of our own try/catch, as an error of the app's own would be.
      later(() => {
        throw new Error('injected by cluster-chaos: an uncaught exception');
      });
    },
    block,
    'heap-spike': ({ id: command, params }, id) => {
      const before = memory.usage();
      memory.heapSpike(id, numberOf(params['bytes']));
      answer(command, before);
    },
    'off-heap-spike': ({ id: command, params }, id) => {
      const bytes = numberOf(params['bytes']);
      if (bytes === null) throw new Error('bytes: expected a number');
      const before = memory.usage();
      memory.offHeapSpike(id, bytes, params['touched'] !== false);
      answer(command, before);
    },
    memory: ({ id }) => answer(id, memory.usage()),
    heal: ({ id: command }, id) => {
      const freedBytes = memory.release(id);
      answer(command, { ...memory.usage(), freedBytes });
    },
    'heal-all': ({ id }) => answer(id, { freedBytes: memory.release(null) }),
  };

  return {
    run(message) {
      try {
        const deed = deeds[message.name];
        if (!deed) throw new Error(`unknown command ${message.name}`);
        deed(message, String(message.params['id'] ?? ''));
      } catch (error) {
        post({ k: 'result', id: message.id, ok: false, error: String(error) });
      }
    },
    healAll: () => void memory.release(null),
  };
}

/**
 * Holds the main thread until its serial number leaves the cell, the time is over, or no frame of the hub arrived
 * for two leases: then the control thread, which would have released us after one, is itself gone.
 */
function hold(cells: Int32Array, serial: number, untilMs: number, idle: boolean): void {
  let beats = Atomics.load(cells, SLOT_BEATS);
  let beatAtMs = nowMs();
  for (let atMs = nowMs(); atMs < untilMs; atMs = nowMs()) {
    if (Atomics.load(cells, SLOT_BLOCK) !== serial) return;
    const seen = Atomics.load(cells, SLOT_BEATS);
    if (seen !== beats) {
      beats = seen;
      beatAtMs = atMs;
    } else if (atMs - beatAtMs > 2 * LEASE_MS) return;
    if (idle) Atomics.wait(cells, SLOT_BLOCK, serial, Math.min(IDLE_SLICE_MS, untilMs - atMs));
    else for (let turn = 0; turn < SPIN_TURNS; turn++);
  }
}

function numberOf(value: WireValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

const mainFaults = { createMainFaults };
export type MainFaultsModule = typeof mainFaults;
module.exports = mainFaults;
