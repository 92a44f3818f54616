// 8. What does it cost? Ours against the plain cluster module, closed loop, paired rounds in ABBA order. All processes of the
// server share one core and the generator has the other: what is compared is the work a request costs, primary included.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { median } from './figures.mjs';
import { cpuMsOf, marked, startChild } from './processes.mjs';
import { startTarget } from './targets.mjs';

/**
 * Kept connections wait 2 ms for the app each time: as many as it takes to fill the core. Many short pairs: what else the
 * machine's host does changes within seconds, by far more than what is measured; most where least is allowed.
 */
const MODES = [
  { id: 'keep-alive', isFresh: false, connections: 200, least: 0.97, warmUpSeconds: 4, pairs: 28 },
  { id: 'a connection per request', isFresh: true, connections: 50, least: 0.9, warmUpSeconds: 12, pairs: 8 },
];
/** Each start compiles and lays out its code a little differently: by more than what is measured. */
const STARTS = 2;
const SECONDS = 0.5;
const WARM_UPS = 3;
/** In each round, before it counts. */
const RAMP_SECONDS = 0.2;
/** Below this share of its core the server was not what limited the round. */
const BUSY_LEAST = 0.8;

function pin(pids, cpu) {
  if (availableParallelism() < 2) return;
  for (const pid of pids) {
    try {
      execFileSync('taskset', ['-a', '-p', '-c', String(cpu), String(pid)], { stdio: 'ignore' });
    } catch {
      // Without taskset the rounds are noisier, and still paired.
    }
  }
}

/** The other target idles meanwhile, on the generator's core, which has time to spare. */
async function round(target, idle, { generator, seconds, isFresh, connections }) {
  const pids = marked(target.mark);
  pin(marked(idle.mark), 0);
  pin(pids, 1);
  const before = cpuMsOf(pids);
  generator.send({ port: target.port, connections, rampSeconds: RAMP_SECONDS, seconds, isFresh });
  const [result] = await once(generator, 'message');
  return { ...result, serverBusy: (cpuMsOf(pids) - before) / ((RAMP_SECONDS + seconds) * 1000) };
}

async function runMode(targets, mode, { isQuick, generator }) {
  const pairs = [];
  const of = (name, seconds) =>
    round(targets[name], targets[name === 'ours' ? 'refork' : 'ours'], { ...mode, generator, seconds });
  // Counts for nothing: code is compiled in it, in each process for itself, which takes some 10,000 calls. In turns, so that
  // what the machine's host does meanwhile falls on both.
  for (let i = 0; i < WARM_UPS; i++)
    for (const name of ['ours', 'refork']) await of(name, (isQuick ? 1 : mode.warmUpSeconds) / WARM_UPS);
  for (let i = 0; i < (isQuick ? 2 : mode.pairs); i++) {
    const pair = { mode: mode.id };
    for (const name of i % 2 === 0 ? ['ours', 'refork'] : ['refork', 'ours'])
      pair[name] = await of(name, SECONDS);
    pairs.push({ ...pair, ratio: pair.ours.perSecond / pair.refork.perSecond });
  }
  return pairs;
}

async function run(_name, options) {
  const targets = {};
  const generator = startChild('./closed-loop.cjs');
  pin([generator.pid], 0);
  try {
    for (const name of ['ours', 'refork']) targets[name] = await startTarget(name);
    const samples = [];
    for (const mode of MODES) samples.push(...(await runMode(targets, mode, { ...options, generator })));
    return samples;
  } finally {
    generator.disconnect();
    for (const target of Object.values(targets)) await target.stop();
  }
}

const ofMode = (samples, mode) => samples.filter((sample) => sample.mode === mode);
const medianBy = (samples, pick) => median(samples.map(pick));

function cells(samples, { id, least }) {
  const pairs = ofMode(samples, id);
  const ratios = pairs.map(({ ratio }) => ratio);
  const per = (name, key) => medianBy(pairs, (pair) => pair[name][key]);
  return [
    id,
    `${median(ratios).toFixed(3)} (≥ ${least})`,
    `${Math.min(...ratios).toFixed(3)}..${Math.max(...ratios).toFixed(3)}`,
    String(Math.round(per('ours', 'perSecond'))),
    String(Math.round(per('refork', 'perSecond'))),
    `${(per('ours', 'serverBusy') * 100).toFixed(0)} %, ${(per('refork', 'serverBusy') * 100).toFixed(0)} %`,
    `${(Math.max(per('ours', 'busy'), per('refork', 'busy')) * 100).toFixed(0)} %`,
  ];
}

export const throughput = {
  id: 'throughput',
  title: 'Throughput, ours against the plain cluster module',
  startsItself: true,
  rounds: (name) => (name === 'ours' ? STARTS : 0),
  run,
  head: [
    'mode',
    'ours / plain: median',
    'range',
    'ours req/s',
    'plain req/s',
    'server core busy: ours, plain',
    'generator busy',
  ],
  rows: (samples) => MODES.map((mode) => cells(samples, mode)),
  demands: (samples) =>
    MODES.map(({ id, least }) => {
      const pairs = ofMode(samples, id);
      const ratio = medianBy(pairs, (pair) => pair.ratio);
      const busyOf = (name) => medianBy(pairs, (pair) => pair[name].serverBusy);
      const busy = Math.min(busyOf('ours'), busyOf('refork'));
      const failed = pairs.reduce((total, { ours, refork }) => total + ours.failed + refork.failed, 0);
      const isMeasured = (busy >= BUSY_LEAST || availableParallelism() < 2) && failed === 0;
      return {
        text: `throughput, ${id}: ≥ ${least} of the plain cluster module`,
        got: `${ratio.toFixed(3)}${isMeasured ? '' : ` (server core ${(busy * 100).toFixed(0)} % busy, ${failed} failed: not measured)`}`,
        holds: isMeasured ? ratio >= least : null,
      };
    }),
};
