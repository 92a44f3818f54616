// 6. One worker's heap grows by 80 MB/s towards V8's limit of 160 MB.
import { list, medianOf, spread, sum, times } from './figures.mjs';
import { alive, nowMs, sleep, until } from './processes.mjs';
import { startTarget } from './targets.mjs';
import { failuresBy, outcomesOf, startTraffic } from './traffic.mjs';

const LIMIT_MB = 160;
const WATCH_MS = 8000;

async function run(name) {
  const target = await startTarget(name, { env: { NODE_OPTIONS: `--max-old-space-size=${LIMIT_MB}` } });
  try {
    const traffic = await startTraffic(target);
    const { pid, atMs } = await traffic.order('/leak');
    const isGone = await until(() => alive(pid) === null, { deadlineMs: WATCH_MS, everyMs: 5 });
    const goneMs = isGone ? nowMs() - atMs : null;
    await sleep(500);
    await traffic.steady(2000);
    const [failures] = failuresBy(await traffic.stop(), [atMs]);
    return [
      {
        goneMs,
        failed: failures.length,
        kinds: outcomesOf(failures),
        isOom: target.log().includes('heap out of memory'),
      },
    ];
  } finally {
    await target.stop();
  }
}

const column = (samples, key) => samples.map((sample) => sample[key]);
const ooms = (samples) => samples.filter(({ isOom }) => isOom).length;

export const memory = {
  id: 'memory',
  title: 'Memory growth of one worker',
  startsItself: true,
  rounds: (name, isQuick) => (name === 'ours' && !isQuick ? 3 : 1),
  run,
  head: ['failed, times ours', 'failed', 'last run', 'died of the limit', 'victim gone ms'],
  row: (samples, ours) => [
    times(ours && medianOf(column(ours, 'failed')), medianOf(column(samples, 'failed'))),
    spread(column(samples, 'failed')),
    list(samples.at(-1).kinds),
    `${ooms(samples)} of ${samples.length}`,
    spread(column(samples, 'goneMs')),
  ],
  demands: (ours) => [
    {
      text: 'memory: replaced before the limit',
      got: `${ooms(ours)} of ${ours.length} died of it, ${column(ours, 'goneMs').filter((ms) => ms === null).length} stayed`,
      holds: ooms(ours) === 0 && column(ours, 'goneMs').every((ms) => ms !== null),
    },
    {
      text: 'memory: no request fails',
      got: `${sum(column(ours, 'failed'))} in ${ours.length} runs`,
      holds: sum(column(ours, 'failed')) === 0,
    },
  ],
};
