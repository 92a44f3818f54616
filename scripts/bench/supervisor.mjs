// The reference supervisor against its peers: the same faults, load and app in one run, interleaved, so that what else the
// machine does meets all of them.
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { startGuardian } from '../../dist/runtime/guardian.js';
import { crashLoop } from './crash-loop.mjs';
import { spread, table } from './figures.mjs';
import { hang } from './hang.mjs';
import { killAll } from './kill-all.mjs';
import { killOne } from './kill-one.mjs';
import { memory } from './memory.mjs';
import { primaryKill } from './primary-kill.mjs';
import { cleanUp, file, nowMs, runId } from './processes.mjs';
import { reload } from './reload.mjs';
import { isBuilt, labelOf, NAMES, startTarget } from './targets.mjs';
import { throughput } from './throughput.mjs';
import { lateMs } from './traffic.mjs';

const MEASUREMENTS = [killOne, killAll, hang, reload, crashLoop, memory, primaryKill, throughput];
/** What has not begun by then is left out, and said so: the whole ends some 90 s later at the latest. */
const BUDGET_MS = 540_000;
/** Above this other work decides what is measured: two cores are enough for one target and its load, not for more. */
const LOAD_MAX = 1;
const REPORT = file('../../reports/bench-supervisor.md');

export const MEASUREMENT_IDS = MEASUREMENTS.map(({ id }) => id);

/** Returns the exit code: 1 when a demand is broken, 2 when one could not be measured. */
export async function benchSupervisor({ isQuick, only, names }) {
  const guardian = startGuardian(runId);
  const stopNow = (signal) => () => {
    say(`${signal}: cleaning up`);
    isStopping = true;
    void cleanUp().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', stopNow('SIGINT')).once('SIGTERM', stopNow('SIGTERM'));
  try {
    return await measureAll({ isQuick, only, names: names ?? NAMES.filter(isThere) });
  } finally {
    await cleanUp();
    await guardian.release();
  }
}

let isStopping = false;
/** What could not be measured, and why. */
const failures = [];
const isThere = (name) => name !== 'ours' || isBuilt();
const startMs = nowMs();
const [loadBefore] = loadavg();

function say(text) {
  console.error(`${((nowMs() - startMs) / 1000).toFixed(0).padStart(4)} s  ${text}`);
}

async function measureAll({ isQuick, only, names }) {
  if (!names.includes('ours')) say('chaos serve is not among the targets: peers only, no demand is judged');
  if (loadBefore > LOAD_MAX)
    say(`load average ${loadBefore.toFixed(1)}: figures of a busy machine mean little`);
  const parts = [];
  const demands = [];
  for (const measurement of MEASUREMENTS.filter(({ id }) => only === null || only.includes(id))) {
    const samples = await measure(measurement, { isQuick, names });
    for (const view of measurement.tables ?? [measurement]) {
      parts.push(`### ${view.title}\n\n${render(view, samples)}`);
      const { ours, ...peers } = samples;
      if (ours?.length > 0) demands.push(...view.demands(ours, Object.values(peers)));
    }
  }
  const text = document({ parts, demands, isQuick });
  console.log(text);
  if (!isQuick && only === null && names.includes('ours')) {
    writeFileSync(REPORT, text);
    say(`written to ${REPORT}`);
  }
  if (demands.some(({ holds }) => holds === false)) return 1;
  return failures.length > 0 || demands.some(({ holds }) => holds === null) ? 2 : 0;
}

async function measure(measurement, { isQuick, names }) {
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  const rounds = (name) => (isQuick ? Math.min(1, measurement.rounds(name, true)) : measurement.rounds(name));
  for (let round = 0; names.some((name) => round < rounds(name)); round++) {
    // Each round in the other direction, so that nobody is always first.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      if (round >= rounds(name) || isStopping) continue;
      if (nowMs() - startMs > BUDGET_MS) {
        failures.push(`${measurement.id}, ${labelOf(name)}, round ${round + 1}: no time left`);
        continue;
      }
      const beganMs = nowMs();
      samples[name].push(...(await twice(measurement, name, isQuick)));
      say(
        `${measurement.id}, ${labelOf(name)}, round ${round + 1}: ${((nowMs() - beganMs) / 1000).toFixed(1)} s`,
      );
    }
  }
  return Object.fromEntries(Object.entries(samples).filter(([, list]) => list.length > 0));
}

/** Tries again once: on a full machine a target may not come up in time. What fails twice has no sample. */
async function twice(measurement, name, isQuick) {
  for (const isLast of [false, true]) {
    try {
      return await once(measurement, name, isQuick);
    } catch (error) {
      if (isStopping) return [];
      say(`${measurement.id}, ${labelOf(name)}: ${error.stack}`);
      if (isLast) failures.push(`${measurement.id}, ${labelOf(name)}: ${error.message.split('\n')[0]}`);
    }
  }
  return [];
}

async function once(measurement, name, isQuick) {
  const options = { isQuick, say };
  if (measurement.startsItself) return measurement.run(name, options);
  const target = await startTarget(name);
  try {
    return await measurement.run(target, options);
  } finally {
    await target.stop();
  }
}

function render(view, samples) {
  const names = Object.keys(samples);
  if (names.length === 0) return 'Not measured.';
  if (view.rows) return table(view.head, view.rows(samples.ours));
  const rows = names.map((name) => [labelOf(name), ...view.row(samples[name], samples.ours)]);
  return table(['target', ...view.head], rows);
}

function document({ parts, demands, isQuick }) {
  const word = (holds) => (holds === null ? 'not measured' : holds ? 'holds' : '**broken**');
  const summary = table(
    ['demand', 'measured', 'verdict'],
    demands.map(({ text, got, holds }) => [text, got, word(holds)]),
  );
  const broken = demands.filter(({ holds }) => holds === false).length;
  return `# The reference supervisor against its peers

${availableParallelism()} cores, Node ${process.versions.node}, load average before ${loadBefore.toFixed(1)}. One app, 4 workers, 50 keep-alive connections, 2,000 requests/s in an open loop, and
a fresh connection every 10 ms. Times are milliseconds after the fault, median (worst); they depend on the machine, the ratios less so.
"Never" is: not while we watched. The generator itself was late by ${spread(lateMs)} ms at the p99 of a run.${isQuick ? ' A quick run: too few samples to judge by.' : ''}

## Demands

${demands.length === 0 ? 'None was measured.' : `${demands.length - broken} of ${demands.length} hold or were not measured, ${broken} are broken.\n\n${summary}`}

## Measurements
${failures.length === 0 ? '' : `\nNot measured:\n\n${failures.map((line) => `- ${line}`).join('\n')}\n`}
${parts.join('\n\n')}
`;
}
