import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChaosError } from '../../base/errors.ts';
import type { Beat, PulsePlace, Wire } from '../wire.cts';

const { PULSE_FIELDS } = createRequire(import.meta.url)('../wire.cjs') as Wire;
/** Doubles of a record: the fields between two copies of its number. */
const RECORD = PULSE_FIELDS.length + 2;
const RECORD_BYTES = RECORD * Float64Array.BYTES_PER_ELEMENT;
/** In memory, where writing never waits for a disk; the other for systems without it. */
const FOLDERS = ['/dev/shm', tmpdir()];

/** A beat, and when the worker wrote it down. */
export interface Heard {
  readonly worker: number;
  readonly atMs: number;
  readonly beat: Beat;
}

/**
 * The workers' heartbeats. Each writes its own into its place in one file, which every worker inherits open; the primary
 * reads them all at once. Neither wakes the other for it, as a message over the channel would.
 * The file has no name any more, so nothing is left when we are killed.
 */
export class Pulse {
  readonly #fd: number;
  readonly #everyMs: () => number;
  readonly #onBeats: (heard: readonly Heard[]) => void;
  /** Of each worker: where it writes, and the number of the last record read. */
  readonly #places = new Map<number, { readonly index: number; number: number }>();
  #view = new Float64Array(0);
  #timer: NodeJS.Timeout | null = null;

  /** @throws ChaosError 'usage' when there is no place for the file */
  constructor(everyMs: () => number, onBeats: (heard: readonly Heard[]) => void) {
    this.#fd = openUnnamed();
    this.#everyMs = everyMs;
    this.#onBeats = onBeats;
  }

  /** A place for a worker to come. */
  place(worker: number): PulsePlace {
    const taken = new Set([...this.#places.values()].map(({ index }) => index));
    let index = 0;
    while (taken.has(index)) index++;
    this.#places.set(worker, { index, number: 0 });
    if (this.#view.length < (index + 1) * RECORD) this.#view = new Float64Array((index + 1) * RECORD);
    return { fd: this.#fd, offset: index * RECORD_BYTES };
  }

  /** It is gone: its place is another's. */
  forget(worker: number): void {
    this.#places.delete(worker);
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.look();
      // Not when a beat led to the end.
      if (this.#timer !== null) this.start();
    }, this.#everyMs());
  }

  /** To be called before silence is held against anybody. */
  look(): void {
    if (this.#timer === null) return;
    const view = this.#view;
    readSync(this.#fd, view, 0, view.byteLength, 0);
    const heard: Heard[] = [];
    for (const [worker, place] of this.#places) {
      const at = place.index * RECORD;
      const number = view[at] ?? 0;
      // A place that was another's, one not written since, or one that is being written just now.
      if (view[at + 1] !== worker || number === place.number || number !== view[at + RECORD - 1]) continue;
      place.number = number;
      heard.push(recordAt(view, at));
    }
    if (heard.length > 0) this.#onBeats(heard);
  }

  close(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    closeSync(this.#fd);
  }
}

function recordAt(view: Float64Array, at: number): Heard {
  const values: Record<string, number> = {};
  for (const [index, field] of PULSE_FIELDS.entries()) values[field] = view[at + 1 + index] ?? 0;
  const { worker = 0, atMs = 0, ...beat } = values;
  return { worker, atMs, beat: beat as unknown as Beat };
}

function openUnnamed(): number {
  const name = `cluster-chaos-${process.pid}-${randomUUID()}`;
  const failures: string[] = [];
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    try {
      const fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return fd;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ChaosError('usage', `no place for the workers' heartbeats: ${failures.join('; ')}`, {
    hint: 'Make /dev/shm or the folder that TMPDIR names writable.',
  });
}
