// Loaded before each test file. One file judges servers by what their users usually ask of them, and needs the machine's
// time when it asks for it; all others, and the processes that they start, take what it leaves.
import { constants, setPriority } from 'node:os';

if (!process.argv[1]?.endsWith('/test/e2e/verdicts.test.ts')) {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
}
