// 5. The app crashes at boot while a flag is up, and the cluster is one worker short.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { list, medianOf, quantile, spread, times, worstOf } from './figures.mjs';
import { nowMs, scratch, sleep } from './processes.mjs';
import { startTarget, WORKERS } from './targets.mjs';
import { BURST, capacityBackMs, failuresBy, outcomesOf, startTraffic, wasInFlight } from './traffic.mjs';

const PER_MS = 10_000;
/** "A handful": the demand of the issue as a number. */
const FORKS_MAX = 8;
const BACK_MS = 2000;
const WATCH_BACK_MS = 3500;
const STABLE_MS = 1500;

let count = 0;

/** Kills until one worker is missing in truth: a standby takes the place of the first. */
async function makeShort(traffic, target) {
  const kills = [];
  for (let i = 0; i < 3; i++) {
    const victim = await traffic.victim();
    kills.push({ atMs: await traffic.signal([victim], 'SIGKILL'), victims: new Set([victim]) });
    await sleep(400);
    if ((await traffic.recent()).length < WORKERS) return kills;
  }
  throw new Error(`${target.name}: killed workers come back although the app crashes at boot`);
}

async function run(name, { isQuick }) {
  const base = join(scratch, `crash-${++count}`);
  const [flag, boots] = [`${base}.flag`, `${base}.boots`];
  const watchMs = isQuick ? 3000 : name === 'ours' ? PER_MS : PER_MS / 2;
  const target = await startTarget(name, { env: { BENCH_CRASH: flag, BENCH_BOOTS: boots } });
  try {
    const traffic = await startTraffic(target);
    await sleep(STABLE_MS);
    const fromMs = nowMs();
    writeFileSync(flag, '');
    const kills = await makeShort(traffic, target);
    await sleep(fromMs + watchMs - nowMs());
    rmSync(flag);
    const fixedMs = nowMs();
    // A signal to nobody: only the bursts that follow it.
    await traffic.signal([], 'SIGKILL', [BURST]);
    await traffic.steady(WATCH_BACK_MS);
    await sleep(300);
    const rows = await traffic.stop();
    return [judge(rows, { fromMs, fixedMs, kills, boots, watchMs })];
  } finally {
    await target.stop();
  }
}

function judge(rows, { fromMs, fixedMs, kills, boots, watchMs }) {
  const forked = readFileSync(boots, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[1]));
  const p99 = (from, to) =>
    quantile(
      rows
        .filter(
          ({ kind, dueMs, outcome }) => kind === 'kept' && outcome === 'ok' && dueMs >= from && dueMs < to,
        )
        .map(({ dueMs, endMs }) => endMs - dueMs),
      0.99,
    );
  const beyond = failuresBy(
    rows,
    kills.map(({ atMs }) => atMs),
  ).flatMap((failures, i) => failures.filter((row) => !wasInFlight(row, kills[i])));
  return {
    forks: (forked.filter((atMs) => atMs >= fromMs && atMs < fixedMs).length * PER_MS) / watchMs,
    calmP99Ms: p99(fromMs - 1000, fromMs),
    loopP99Ms: p99(fromMs + 500, fixedMs),
    beyond: outcomesOf(beyond),
    beyondCount: beyond.length,
    backMs: capacityBackMs(rows, { atMs: fixedMs, victims: new Set() }),
    watchMs,
  };
}

const column = (samples, key) => samples.map((sample) => sample[key]);

export const crashLoop = {
  id: 'crash-loop',
  title: 'Crash loop at boot, one worker short',
  startsItself: true,
  rounds: () => 1,
  run,
  head: [
    'forks, times ours',
    'forks in 10 s',
    'p99 against before',
    'failed beyond in flight',
    'N serve after the fix, ms',
    'watched s',
  ],
  row: (samples, ours) => [
    times(ours && medianOf(column(ours, 'forks')), medianOf(column(samples, 'forks'))),
    spread(column(samples, 'forks')),
    `${medianOf(samples.map(({ calmP99Ms, loopP99Ms }) => loopP99Ms / calmP99Ms)).toFixed(2)}×`,
    samples.map(({ beyond }) => list(beyond)).join('; '),
    spread(column(samples, 'backMs')),
    String(samples[0].watchMs / 1000),
  ],
  demands(ours) {
    const forks = worstOf(column(ours, 'forks'));
    const back = worstOf(column(ours, 'backMs'));
    const beyond = worstOf(column(ours, 'beyondCount'));
    return [
      {
        text: `crash loop: at most ${FORKS_MAX} forks in 10 s`,
        got: forks.toFixed(0),
        holds: forks <= FORKS_MAX,
      },
      {
        text: 'crash loop: survivors serve on, nothing fails',
        got: `${beyond} failed`,
        holds: beyond === 0,
      },
      {
        text: `crash loop: N workers serve within ${BACK_MS} ms of the fix`,
        got: back === Number.POSITIVE_INFINITY ? 'never' : `${back.toFixed(0)} ms`,
        holds: back <= BACK_MS,
      },
    ];
  },
};
