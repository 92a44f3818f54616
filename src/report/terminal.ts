import type { Reporter } from '../model/ports.ts';

export const terminalReporter: Reporter = { name: 'terminal', render: () => undefined };
