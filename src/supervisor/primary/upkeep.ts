import type { Logger } from 'pino';
import type { Event, PolicyState } from '../policy/model.ts';
import { isBreakerOpen, isSettled } from '../policy/tally.ts';
import type { Listeners } from './listeners.ts';
import { nowMs } from './now.ts';
import type { WorkerProcess } from './worker-process.ts';

interface Kept {
  readonly state: () => PolicyState;
  readonly workers: ReadonlyMap<number, WorkerProcess>;
  readonly messagesPerSecondMax: () => number;
  readonly listeners: Listeners;
  readonly log: () => Logger;
  readonly onEvent: (event: Event) => void;
}

/** What is looked at once a second, as no event tells of it. */
export class Upkeep {
  readonly #kept: Kept;
  #timer: NodeJS.Timeout | null = null;
  #wasBreakerOpen = false;

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#countMessages();
      this.#closeLeftBehind();
      this.#noteBreaker();
    }, 1000);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #countMessages(): void {
    const { workers, messagesPerSecondMax, onEvent } = this.#kept;
    for (const [id, worker] of workers) {
      if (worker.messages > messagesPerSecondMax()) onEvent({ type: 'ipc-flood', worker: id });
      worker.messages = 0;
    }
  }

  /** Listeners that nobody has and nobody comes for, and the connections that wait for one that is closed. */
  #closeLeftBehind(): void {
    const { state, listeners, onEvent } = this.#kept;
    if (isSettled(state())) listeners.sweep();
    for (const listener of new Set(state().waiting.map((connection) => connection.listener))) {
      if (!listeners.has(listener)) onEvent({ type: 'closed', listener });
    }
  }

  #noteBreaker(): void {
    const { state, log } = this.#kept;
    const isOpen = isBreakerOpen(state(), nowMs());
    if (isOpen === this.#wasBreakerOpen) return;
    this.#wasBreakerOpen = isOpen;
    const { bootFailures, earlyDeaths } = state();
    if (isOpen) log().warn({ bootFailures, earlyDeaths }, 'crash-loop breaker opens: forks are slowed down');
    else log().info('crash-loop breaker closes');
  }
}
