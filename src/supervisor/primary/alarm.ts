import { nowMs } from './now.ts';

/** A wake that comes a little early costs one look; one that comes late costs time. */
const SLACK_MS = 0.5;

/** Wakes the policy when it wants to be: once for each time that was set, not later than the earliest. */
export class Alarm {
  readonly #onWake: () => void;
  #timer: NodeJS.Timeout | null = null;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(onWake: () => void) {
    this.#onWake = onWake;
  }

  /** Moves only to an earlier time: connections come far more often than deadlines, and each puts them off a little. */
  set(atMs: number): void {
    if (atMs >= this.#atMs - SLACK_MS) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#atMs = atMs;
    this.#timer = setTimeout(
      () => {
        this.#atMs = Number.POSITIVE_INFINITY;
        this.#onWake();
      },
      Math.max(0, atMs - nowMs()),
    );
  }

  /** For good. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
