// 2. All workers are SIGKILLed at once, standbys too.
import { list, medianOf, spread, sum, times } from './figures.mjs';
import { sleep } from './processes.mjs';
import {
  BURST,
  capacityBackMs,
  failuresBy,
  longestGapMs,
  outcomesOf,
  startTraffic,
  wasInFlight,
} from './traffic.mjs';

const SETTLE_MS = 800;
const BACK_MS = 4000;
/** The gap is looked for in this time after the kill. */
const WATCH_MS = 700;

async function run(target, { isQuick }) {
  const traffic = await startTraffic(target);
  const kills = [];
  for (let i = 0; i < (isQuick ? 1 : 2); i++) {
    const victims = new Set(target.workers());
    kills.push({ atMs: await traffic.signal([...victims], 'SIGKILL', [BURST]), victims });
    await sleep(SETTLE_MS);
    if (!(await traffic.steady(BACK_MS))) break;
    await sleep(300);
  }
  const rows = await traffic.stop();
  const failures = failuresBy(
    rows,
    kills.map(({ atMs }) => atMs),
  );
  return kills.map((kill, i) => ({
    failed: failures[i].length,
    kinds: outcomesOf(failures[i]),
    refused: failures[i].filter(({ outcome }) => outcome === 'REFUSED').length,
    beyond: failures[i].filter((row) => !wasInFlight(row, kill)).length,
    gapMs: longestGapMs(rows, kill.atMs, kill.atMs + WATCH_MS),
    backMs: capacityBackMs(rows, kill),
  }));
}

const column = (samples, key) => samples.map((sample) => sample[key]);

export const killAll = {
  id: 'kill-all',
  title: 'SIGKILL of all workers at once',
  rounds: () => 2,
  run,
  head: [
    'failed, times ours',
    'refused',
    'failed',
    'not in flight',
    'longest gap ms',
    'N serve again ms',
    'last kill',
  ],
  row: (samples, ours) => [
    times(ours && medianOf(column(ours, 'failed')), medianOf(column(samples, 'failed'))),
    ...['refused', 'failed', 'beyond', 'gapMs', 'backMs'].map((key) => spread(column(samples, key))),
    list(samples.at(-1).kinds),
  ],
  demands: (ours) => [
    {
      text: 'no connection is refused',
      got: `${sum(column(ours, 'refused'))} in ${ours.length} kills`,
      holds: sum(column(ours, 'refused')) === 0,
    },
    {
      text: 'only requests in flight at the kill fail',
      got: `${sum(column(ours, 'beyond'))} others in ${ours.length} kills`,
      holds: sum(column(ours, 'beyond')) === 0,
    },
  ],
};
