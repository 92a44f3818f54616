import { type AppAddress, ask, askFresh, openLine, type Who } from './app-client.ts';
import type { Served } from './serve.ts';

const KEPT_PAUSE_MS = 3;

/**
 * When this process got no time for so long, its connection may have been idle for as long, and a draining worker may
 * close it: a client that comes after that must expect a reset. Well below the 2.5 s for which our workers wait.
 */
const STALLED_MS = 1000;

/** Anything takes less, unless it hangs. */
const SUCCEEDED_MS = 90_000;

export interface Attempt {
  readonly startedMs: number;
  /** Null while and unless it succeeded. */
  readonly error: string | null;
  readonly pid: number | null;
}

export interface Load {
  /** Ends the load; resolves with every attempt once the last one has its answer. */
  readonly stop: () => Promise<readonly Attempt[]>;
  /** Resolves when that many attempts more have succeeded. */
  readonly succeeded: (count: number) => Promise<void>;
}

/** A new connection every few ms, whatever became of the ones before, until it is stopped or the supervisor ends. */
export function freshLoad(served: Served, address: AppAddress, everyMs: number): Load {
  const log = attemptLog();
  const timer = setInterval(() => void log.attempt(() => askFresh(address)), everyMs);
  void served.ended.then(() => clearInterval(timer));
  return {
    stop() {
      clearInterval(timer);
      return log.finish();
    },
    succeeded: log.succeeded,
  };
}

/** Kept connections, each with one request after the other, until it is stopped or the supervisor ends. */
export function keptLoad(served: Served, address: AppAddress, lines: number): Load {
  const log = attemptLog();
  let on = true;
  void served.ended.then(() => (on = false));
  for (let i = 0; i < lines; i++) {
    let line = openLine(address);
    let askedMs = performance.now();
    const next = async (): Promise<void> => {
      if (!on) return line.close();
      if (performance.now() - askedMs > STALLED_MS) {
        line.close();
        line = openLine(address);
      }
      askedMs = performance.now();
      await log.attempt(() => ask(line));
      // Short moments of idleness too: a connection must not be closed in them just as a request comes.
      setTimeout(() => void next(), KEPT_PAUSE_MS);
    };
    void next();
  }
  return {
    stop() {
      on = false;
      return log.finish();
    },
    succeeded: log.succeeded,
  };
}

function attemptLog() {
  const done: Attempt[] = [];
  const running = new Set<Promise<void>>();
  let successes = 0;
  const waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  const record = async (startedMs: number, attempt: () => Promise<Who>): Promise<void> => {
    try {
      const { pid } = await attempt();
      done.push({ startedMs, error: null, pid });
      successes += 1;
      for (const waiter of waiting) if (successes >= waiter.at) waiter.resolve();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      done.push({ startedMs, error: code ?? String(error), pid: null });
      // A load that only fails must not run hot.
      await new Promise((wake) => setTimeout(wake, 10));
    }
  };
  return {
    attempt(what: () => Promise<Who>): Promise<void> {
      const one = record(performance.now(), what).finally(() => running.delete(one));
      running.add(one);
      return one;
    },
    async finish(): Promise<readonly Attempt[]> {
      while (running.size > 0) await Promise.all(running);
      return done;
    },
    succeeded: (count: number) =>
      new Promise<void>((resolve, reject) => {
        const tooLate = () =>
          reject(new Error(`no ${count} more successes: ${JSON.stringify(done.slice(-5))}`));
        const timer = setTimeout(tooLate, SUCCEEDED_MS);
        waiting.push({
          at: successes + count,
          resolve: () => {
            clearTimeout(timer);
            resolve();
          },
        });
      }),
  };
}
