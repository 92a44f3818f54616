import { monotonicMs } from '../../runtime/clock.ts';
import { deferred } from '../../supervisor/primary/deferred.ts';

/** What the signals of `chaos serve` ask for. */
export interface Wishes {
  readonly stop: (signal: NodeJS.Signals) => void;
  /** The second time: at once. */
  readonly force: (signal: NodeJS.Signals) => void;
  readonly reload: () => void;
  readonly scaleBy: (step: 1 | -1) => void;
}

/** A terminal's Ctrl-C reaches us, and npm passes it on once more: that is one wish, not two. */
const SAME_PRESS_MS = 300;

/**
 * Listens for signals from now on, also as PID 1, where one without a handler is ignored. Wishes that come before
 * `attach` are granted then.
 */
export function listenForSignals(): {
  /** Settles with the first wish to stop. */
  readonly stopAsked: Promise<NodeJS.Signals>;
  readonly attach: (wishes: Wishes) => void;
  readonly dispose: () => void;
} {
  let wishes: Wishes | null = null;
  let early: ((wishes: Wishes) => void)[] = [];
  const stopAsked = deferred<NodeJS.Signals>();
  let last: { readonly signal: NodeJS.Signals; readonly atMs: number } | null = null;
  const wish = (grant: (wishes: Wishes) => void): void => {
    if (wishes === null) early.push(grant);
    else grant(wishes);
  };
  const onEnd = (signal: NodeJS.Signals): void => {
    const atMs = monotonicMs();
    const before = last;
    if (before?.signal === signal && atMs - before.atMs < SAME_PRESS_MS) return;
    last = { signal, atMs };
    stopAsked.resolve(signal);
    wish((w) => (before === null ? w.stop(signal) : w.force(signal)));
  };
  const handlers: Readonly<Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>>> = {
    SIGINT: onEnd,
    SIGTERM: onEnd,
    SIGHUP: () => wish((w) => w.reload()),
    SIGTTIN: () => wish((w) => w.scaleBy(1)),
    SIGTTOU: () => wish((w) => w.scaleBy(-1)),
  };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return {
    stopAsked: stopAsked.promise,
    attach(next) {
      wishes = next;
      for (const grant of early) grant(next);
      early = [];
    },
    dispose() {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
    },
  };
}
