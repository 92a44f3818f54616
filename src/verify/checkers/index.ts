import type { VerifyChecker } from '../checker.ts';
import { balanceCheckers } from './balance.ts';
import { errorCheckers } from './errors.ts';
import { generationCheckers } from './generations.ts';
import { instrumentCheckers } from './instrument.ts';
import { latencyCheckers } from './latency.ts';
import { outageCheckers } from './outages.ts';
import { primaryCheckers } from './primary.ts';
import { recoveryCheckers } from './recovery.ts';
import { supervisionCheckers } from './supervision.ts';
import { throughputCheckers } from './throughput.ts';
import { workerCheckers } from './workers.ts';

/** Every checker, in the order in which they are listed for people. */
export const CHECKERS: readonly VerifyChecker[] = [
  ...errorCheckers,
  ...outageCheckers,
  ...recoveryCheckers,
  ...latencyCheckers,
  ...throughputCheckers,
  ...workerCheckers,
  ...generationCheckers,
  ...primaryCheckers,
  ...supervisionCheckers,
  ...balanceCheckers,
  ...instrumentCheckers,
];
