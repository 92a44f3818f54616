import type { ProcessFacts } from '../model/ports.ts';

/** How a wait ended. */
export type Waited<T> =
  | { readonly how: 'done'; readonly value: T }
  | { readonly how: 'failed'; readonly error: unknown }
  | { readonly how: 'deadline' | 'aborted' };

/** Waits for the promise, no longer than `deadlineMs` nor than the signal allows; never rejects. */
export function until<T>(
  promise: Promise<T>,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal | null },
): Promise<Waited<T>> {
  return new Promise((resolve) => {
    const end = (waited: Waited<T>): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      resolve(waited);
    };
    const onAbort = (): void => end({ how: 'aborted' });
    const timer = setTimeout(() => end({ how: 'deadline' }), deadlineMs);
    promise.then(
      (value) => end({ how: 'done', value }),
      (error: unknown) => end({ how: 'failed', error }),
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}

/** Makes a healer safe to call twice: one success is enough, a failure may be tried again. */
export function once<T>(heal: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () => {
    running ??= heal().catch((error: unknown) => {
      running = null;
      throw error;
    });
    return running;
  };
}

/** No longer there, or dying: a zombie can be neither harmed nor healed. */
export function isGone(facts: ProcessFacts | null): boolean {
  return facts === null || facts.state === 'Z' || facts.state === 'X';
}

export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
