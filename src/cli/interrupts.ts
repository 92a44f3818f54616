import type { ExitName } from './exit-codes.ts';

export interface Interrupts {
  /** Aborts at the first SIGINT or SIGTERM: heal, stop, end. */
  readonly signal: AbortSignal;
  /** What the run ends with if it was interrupted. */
  exitName(): ExitName | null;
  dispose(): void;
}

/**
 * The first SIGINT or SIGTERM ends the run in good order, the second one at once; the guardian then cleans up after us.
 */
export function onInterrupts(tell: (text: string) => void): Interrupts {
  const controller = new AbortController();
  let name: ExitName | null = null;
  const handler = (signal: NodeJS.Signals): void => {
    if (name !== null) {
      tell('forced: the guardian kills what is left');
      // oxlint-disable-next-line unicorn/no-process-exit -- the user asked twice; the guardian sees our end and cleans up.
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    name = signal === 'SIGINT' ? 'interrupted' : 'terminated';
    tell(`${signal}: healing and stopping the server; once more to force`);
    controller.abort();
  };
  process.on('SIGINT', handler);
  process.on('SIGTERM', handler);
  return {
    signal: controller.signal,
    exitName: () => name,
    dispose() {
      process.off('SIGINT', handler);
      process.off('SIGTERM', handler);
    },
  };
}
