import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from './clock.ts';

/** Settles like the promise, or rejects after `deadlineMs`. */
export async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, what = 'it'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Looks every `everyMs` until `look` gives something else than `undefined`.
 * @returns what it gave, or `undefined` once `deadlineMs` have passed or the signal aborted
 */
export async function poll<T>(
  look: () => T | undefined | Promise<T | undefined>,
  options: { readonly everyMs: number; readonly deadlineMs: number; readonly signal?: AbortSignal },
): Promise<T | undefined> {
  const end = monotonicMs() + options.deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (monotonicMs() >= end || options.signal?.aborted) return undefined;
    await delay(Math.min(options.everyMs, Math.max(0, end - monotonicMs())));
  }
}

/** Sleeps; ends early, without an error, when the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(Math.max(0, ms), undefined, signal ? { signal } : {}).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
  });
}
