import type { Reporter } from '../model/ports.ts';

export const htmlReporter: Reporter = { name: 'html', render: () => undefined };
