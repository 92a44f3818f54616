import { parentPort, workerData } from 'node:worker_threads';
import { playSeeds, type Totals } from './many.ts';

/** What a thread is started with. Of each `stride` chunks of seeds it plays one. */
export interface JobData {
  readonly from: number;
  readonly until: number;
  readonly seconds: number;
  readonly chunk: number;
  readonly stride: number;
  readonly index: number;
}

export interface JobReport {
  readonly totals: Totals;
  readonly brokenSeed: number | null;
}

const { from, until, seconds, chunk, stride, index } = workerData as JobData;
for (let first = from + index * chunk; first < until; first += stride * chunk) {
  const { totals, brokenSeed } = playSeeds({ from: first, until: Math.min(first + chunk, until), seconds });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin.
  parentPort?.postMessage({ totals, brokenSeed } satisfies JobReport);
  if (brokenSeed !== null) break;
}
