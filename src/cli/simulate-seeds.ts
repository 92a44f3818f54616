import { Worker } from 'node:worker_threads';
import type { JobData, JobReport } from '../simulate/job.ts';
import { addTotals, NOTHING, type Totals } from '../simulate/many.ts';

/** Worlds that a thread plays between two reports. */
const CHUNK = 250;

export interface Played {
  readonly totals: Totals;
  /** The lowest seed known to break a rule. */
  readonly brokenSeed: number | null;
}

/** Plays many worlds, in as many threads as `jobs` says; all stop when one finds a broken rule. */
export async function playInThreads(given: {
  readonly from: number;
  readonly count: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly onProgress: (totals: Totals) => void;
}): Promise<Played> {
  let totals = NOTHING;
  let brokenSeed: number | null = null;
  const until = given.from + given.count;
  const stride = Math.max(1, Math.min(given.jobs, Math.ceil(given.count / CHUNK)));
  const threads: Worker[] = [];
  const play = (index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const { from, seconds } = given;
      const workerData: JobData = { from, until, seconds, chunk: CHUNK, stride, index };
      const thread = new Worker(new URL('../simulate/job.js', import.meta.url), {
        workerData,
        // Worlds are short-lived garbage: with room for many of them, collecting it is cheap.
        resourceLimits: { maxYoungGenerationSizeMb: 32 },
      });
      threads.push(thread);
      thread.on('message', (report: JobReport) => {
        totals = addTotals(totals, report.totals);
        given.onProgress(totals);
        if (report.brokenSeed === null) return;
        brokenSeed = Math.min(brokenSeed ?? report.brokenSeed, report.brokenSeed);
        for (const other of threads) void other.terminate();
      });
      thread.on('error', reject);
      thread.on('exit', () => resolve());
    });
  await Promise.all(Array.from({ length: stride }, (_, index) => play(index)));
  return { totals, brokenSeed };
}
