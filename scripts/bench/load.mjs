// What does the record cost? Plain autocannon against our load process, closed loop, in paired rounds (ABBA…) in one
// run, so that what else the machine does meets both.
import { execFileSync, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { autocannonDriver } from '../../dist/load/driver.js';
import { runClock } from '../../dist/runtime/clock.js';
import { readSamples } from '../../dist/runtime/samples-file.js';
import { median } from './figures.mjs';

const TARGET = 0.95;
const CONNECTIONS = 20;

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Server on one core, generator on the other: else the scheduler decides the winner. */
function pin(pid, cpu) {
  if (availableParallelism() < 2) return;
  try {
    execFileSync('taskset', ['-a', '-p', '-c', String(cpu), String(pid)], { stdio: 'ignore' });
  } catch {
    // Without taskset the rounds are noisier, and still paired.
  }
}

const start = (name) => fork(file(name), [], { execArgv: [], env: {} });
const message = (child) => new Promise((resolve) => child.once('message', resolve));

async function plain({ origin, seconds }) {
  const child = start('./plain.cjs');
  pin(child.pid, 0);
  child.send({ origin, connections: CONNECTIONS, seconds });
  return message(child);
}

function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function ours({ origin, seconds, scratch }) {
  const samplesFile = join(scratch, 'samples.bin');
  const request = {
    method: 'GET',
    path: '/',
    headers: {},
    body: null,
    weight: 1,
    expectStatus: null,
    expectBody: null,
  };
  const spec = {
    mode: 'closed',
    ratePerSecond: null,
    connections: CONNECTIONS,
    freshShare: 0,
    timeoutMs: 10_000,
  };
  const handle = await autocannonDriver.start(
    { ...spec, requests: [request] },
    { clock: runClock(), samplesFile, origin, ratePerSecond: 0, onProgress: () => undefined },
  );
  pin(handle.pid, 0);
  const before = cpuMs(handle.pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const cpu = cpuMs(handle.pid) - before;
  await handle.stop();
  const { columns } = readSamples(samplesFile);
  const { count, dueMs, latencyMs, outcome } = columns;
  if (outcome.some((code) => code !== 0)) throw new Error('a request failed: the bench measures nothing');
  const lastMs = dueMs[count - 1] + latencyMs[count - 1];
  return { perSecond: count / ((lastMs - dueMs[0]) / 1000), cpuUs: (cpu * 1000) / count };
}

const row = (...cells) => console.log(cells.map((cell) => String(cell).padStart(14)).join(''));

/** Returns the exit code: 1 when the target is missed. */
export async function benchLoad({ rounds, seconds }) {
  const server = start('./server.cjs');
  const { port } = await message(server);
  const origin = `http://127.0.0.1:${port}`;
  pin(server.pid, 1);

  const scratch = mkdtempSync(join(tmpdir(), 'chaos-bench-'));
  const setting = { origin, seconds, scratch };
  row('round', 'plain req/s', 'ours req/s', 'ratio', 'plain us/req', 'ours us/req');
  const ratios = [];
  const costs = [];
  for (let round = 1; round <= rounds; round++) {
    const isPlainFirst = round % 2 === 1;
    const first = await (isPlainFirst ? plain(setting) : ours(setting));
    const second = await (isPlainFirst ? ours(setting) : plain(setting));
    const [base, head] = isPlainFirst ? [first, second] : [second, first];
    ratios.push(head.perSecond / base.perSecond);
    costs.push(head.cpuUs / base.cpuUs);
    row(
      round,
      Math.round(base.perSecond),
      Math.round(head.perSecond),
      ratios.at(-1).toFixed(3),
      base.cpuUs.toFixed(1),
      head.cpuUs.toFixed(1),
    );
  }
  server.disconnect();
  rmSync(scratch, { recursive: true });

  const ratio = median(ratios);
  const verdict = ratio >= TARGET ? 'holds' : 'broken';
  console.log(`\nthroughput with the record on / plain autocannon: median ${ratio.toFixed(3)}`);
  console.log(
    `range ${Math.min(...ratios).toFixed(3)}..${Math.max(...ratios).toFixed(3)}, ${rounds} paired rounds`,
  );
  console.log(`CPU a request: median ratio ${median(costs).toFixed(3)}`);
  console.log(`target >= ${TARGET}: ${verdict}`);
  return ratio >= TARGET ? 0 : 1;
}
