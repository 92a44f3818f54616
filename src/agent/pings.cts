/** Measures from the control thread how long the main thread takes to hear a word. */
import type { Inside } from './inside.cts';
import type { WireRecord } from './protocol.cts';

const { nowMs } = require('./inside.cjs') as Inside;

type Answer = (evidence: WireRecord) => void;

interface Pings {
  /** Answers with `delayMs` once the main thread ran, or after `waitMs` with how long it has not. */
  ask(waitMs: number, answer: Answer): void;
  /** The main thread heard ping `n`. */
  answered(n: number, atMs: number): void;
  close(): void;
}

/** One ping is under way at a time; whoever asks meanwhile waits for the same one, which is the older and stricter. */
function createPings(ping: (n: number) => void): Pings {
  let n = 0;
  let sentAtMs: number | null = null;
  const waiting = new Set<{ readonly answer: Answer; readonly timer: NodeJS.Timeout }>();
  return {
    ask(waitMs, answer) {
      const fromMs = sentAtMs ?? nowMs();
      if (sentAtMs === null) {
        sentAtMs = fromMs;
        ping(++n);
      }
      const timer = setTimeout(() => {
        waiting.delete(entry);
        answer({ answered: false, unansweredMs: nowMs() - fromMs });
      }, waitMs);
      const entry = { answer, timer };
      waiting.add(entry);
    },
    answered(heard, atMs) {
      if (heard !== n || sentAtMs === null) return;
      const delayMs = Math.max(0, atMs - sentAtMs);
      sentAtMs = null;
      for (const { answer, timer } of waiting) {
        clearTimeout(timer);
        answer({ answered: true, delayMs });
      }
      waiting.clear();
    },
    close() {
      for (const { timer } of waiting) clearTimeout(timer);
      waiting.clear();
    },
  };
}

const pings = { createPings };
export type PingsModule = typeof pings;
module.exports = pings;
