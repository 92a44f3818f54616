import type { PolicyState, WorkerBeat } from '../policy/model.ts';

/** Several workers' beats in one step of the policy: a step for each would be most of what an idle primary does. */
const GATHER_MS = 50;

/** Beats that were read and that the policy has not been told yet. */
export class PendingBeats {
  readonly #deliver: (beats: readonly WorkerBeat[]) => void;
  #beats: WorkerBeat[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(deliver: (beats: readonly WorkerBeat[]) => void) {
    this.#deliver = deliver;
  }

  add(beat: WorkerBeat, { workers }: PolicyState): void {
    this.#beats.push(beat);
    // Who was silent is heard again: it may be just who is missed.
    if (workers.some(({ id, suspect }) => suspect && id === beat.worker)) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** To be called before silence is held against anybody. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const beats = this.#beats;
    if (beats.length === 0) return;
    this.#beats = [];
    this.#deliver(beats);
  }
}
