// 4. Reload under load, with keep-alive connections.
import { list, medianOf, spread, sum, times } from './figures.mjs';
import { alive, nowMs, sleep, until } from './processes.mjs';
import { canReload } from './targets.mjs';
import { failuresBy, outcomesOf, startTraffic } from './traffic.mjs';

const DONE_MS = 20_000;
const SETTLE_MS = 150;
const RELOADS = 20;

async function run(target, { isQuick }) {
  const traffic = await startTraffic(target);
  const reloads = [];
  const count = isQuick ? 2 : target.name === 'ours' ? RELOADS : 3;
  for (let i = 0; i < count; i++) {
    const old = target.workers();
    const atMs = nowMs();
    const ordered = target.reload();
    const isDone = await until(() => old.every((pid) => alive(pid) === null), { deadlineMs: DONE_MS });
    const doneMs = isDone ? nowMs() - atMs : null;
    await ordered;
    await sleep(SETTLE_MS);
    reloads.push({ atMs, doneMs });
    if (doneMs === null || !(await traffic.steady())) break;
  }
  const rows = await traffic.stop();
  const failures = failuresBy(
    rows,
    reloads.map(({ atMs }) => atMs),
  );
  return reloads.map(({ doneMs }, i) => ({
    doneMs,
    failed: failures[i].length,
    kinds: outcomesOf(failures[i]),
  }));
}

const column = (samples, key) => samples.map((sample) => sample[key]);
const kindsOf = (samples) => {
  const total = {};
  for (const { kinds } of samples)
    for (const [name, count] of Object.entries(kinds)) total[name] = (total[name] ?? 0) + count;
  return total;
};

export const reload = {
  id: 'reload',
  title: 'Reload under load, keep-alive on',
  rounds: (name) => (canReload(name) ? 1 : 0),
  run,
  head: [
    'done, times ours',
    'failed a reload: median (worst)',
    'failed in all',
    'old ones gone ms',
    'reloads',
  ],
  row: (samples, ours) => [
    times(ours && medianOf(column(ours, 'doneMs')), medianOf(column(samples, 'doneMs'))),
    spread(column(samples, 'failed')),
    list(kindsOf(samples)),
    spread(column(samples, 'doneMs')),
    String(samples.length),
  ],
  demands: (ours) => [
    {
      text: `no request fails in ${ours.length} reloads`,
      got: list(kindsOf(ours)),
      holds: sum(column(ours, 'failed')) === 0,
    },
    {
      text: 'each reload replaces all workers',
      got: `${column(ours, 'doneMs').filter((ms) => ms === null).length} did not end`,
      holds: column(ours, 'doneMs').every((ms) => ms !== null),
    },
  ],
};
