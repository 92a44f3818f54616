// 1. One worker is SIGKILLed: how soon do N workers serve again, and what did it cost?
import { list, medianOf, spread, sum, times, worstOf } from './figures.mjs';
import { alive, nowMs, sleep, until } from './processes.mjs';
import { BURST, capacityBackMs, failuresBy, outcomesOf, startTraffic, wasInFlight } from './traffic.mjs';

const AT_LEAST_TIMES_SOONER = 10;
const KILLS = 5;
/** In proportion to what has passed: what takes 5 ms is seen as exactly as what takes 100. One in four reaches each worker. */
const WATCH = [{ everyMs: 0.25, forMs: 10 }, { everyMs: 1, forMs: 40 }, BURST];
const SETTLE_MS = 700;
const BACK_MS = 3000;

async function run(target, { isQuick }) {
  const traffic = await startTraffic(target);
  const kills = [];
  for (let i = 0; i < (isQuick ? 1 : KILLS); i++) {
    const victim = await traffic.victim();
    const atMs = await traffic.signal([victim], 'SIGKILL', WATCH);
    // Nobody can know of a death before it: the kernel's part of what follows.
    const isDead = () => alive(victim) === null && nowMs();
    const deadMs = await until(isDead, { deadlineMs: SETTLE_MS, everyMs: 1 });
    kills.push({ atMs, deadMs, victims: new Set([victim]) });
    await sleep(SETTLE_MS);
    // Who has lost a worker for good cannot be asked for the next kill.
    if (!(await traffic.steady(BACK_MS))) break;
    await sleep(300);
  }
  const rows = await traffic.stop();
  const firsts = target.firstsMs();
  const failures = failuresBy(
    rows,
    kills.map(({ atMs }) => atMs),
  );
  return kills.map((kill, i) => {
    const beyond = failures[i].filter((row) => !wasInFlight(row, kill));
    // The others serve all the time: N serve again when the replacement gets its first connection.
    const first = firsts.find((atMs) => atMs > kill.atMs);
    return {
      deadMs: kill.deadMs === null ? null : kill.deadMs - kill.atMs,
      backMs: first === undefined ? null : first - kill.atMs,
      answeredMs: capacityBackMs(rows, kill),
      inFlight: failures[i].length - beyond.length,
      beyond: outcomesOf(beyond),
      beyondCount: beyond.length,
    };
  });
}

const backOf = (samples) => samples.map(({ backMs }) => backMs);
const answeredOf = (samples) => samples.map(({ answeredMs }) => answeredMs);
const beyondOf = (samples) => {
  const total = {};
  for (const { beyond } of samples)
    for (const [name, count] of Object.entries(beyond)) total[name] = (total[name] ?? 0) + count;
  return total;
};

export const killOne = {
  id: 'kill-one',
  title: 'SIGKILL of one worker',
  rounds: () => 2,
  run,
  head: [
    'capacity back, times ours',
    'victim dead ms: median (worst)',
    'N serve ms',
    'N have answered ms',
    'failed, in flight',
    'failed beyond',
    'kills',
  ],
  row: (samples, ours) => [
    times(ours && medianOf(backOf(ours)), medianOf(backOf(samples))),
    spread(samples.map(({ deadMs }) => deadMs)),
    spread(backOf(samples)),
    spread(answeredOf(samples)),
    spread(samples.map(({ inFlight }) => inFlight)),
    list(beyondOf(samples)),
    String(samples.length),
  ],
  demands(ours, peers) {
    const best = Math.min(...peers.map((samples) => medianOf(backOf(samples))));
    const ratio = best / medianOf(backOf(ours));
    return [
      {
        text: `capacity back ≥ ${AT_LEAST_TIMES_SOONER} times sooner than the best peer`,
        got: peers.length === 0 ? 'no peer was run' : `${ratio.toFixed(1)} times`,
        holds: peers.length === 0 ? null : ratio >= AT_LEAST_TIMES_SOONER,
      },
      {
        text: 'no request fails beyond those in flight on the killed worker',
        got: `${list(beyondOf(ours))} (worst kill ${worstOf(ours.map(({ beyondCount }) => beyondCount))})`,
        holds: sum(ours.map(({ beyondCount }) => beyondCount)) === 0,
      },
    ];
  },
};
