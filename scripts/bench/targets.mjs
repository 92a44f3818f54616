// The adapters: how each supervisor is started on the app, and told to reload. All get the same app and environment.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../../dist/runtime/free-port.js';
import {
  alive,
  cpuMsOf,
  endMarked,
  file,
  marked,
  scratch,
  startNode,
  until,
  workersOf,
} from './processes.mjs';

export const WORKERS = 4;
const APP = file('./app.cjs');
const BOOT_MS = 20_000;
/** At rest is less than a tenth of a core, over this time. */
const REST = { lookMs: 200, cpuMs: 20, deadlineMs: 3000 };

const module = (path) => file(`../../node_modules/${path}`);

/** `args` of node; `reload` tells the primary `pid` to, or is missing where there is no such thing. */
const KINDS = {
  ours: {
    label: 'chaos serve',
    args: ({ port, home }) => [
      file('../../bin/chaos.js'),
      'serve',
      APP,
      `--workers=${WORKERS}`,
      `--port=${port}`,
      `--admin=${home}.sock`,
    ],
    reload: ({ pid }) => void process.kill(pid, 'SIGHUP'),
  },
  refork: { label: 'plain refork', args: () => [file('./peer-refork.cjs'), APP] },
  throng: { label: 'throng', args: () => [file('./peer-throng.cjs'), APP] },
  recluster: {
    label: 'recluster',
    args: () => [file('./peer-recluster.cjs'), APP],
    reload: ({ pid }) => void process.kill(pid, 'SIGUSR2'),
  },
  pm2: {
    label: 'pm2',
    args: () => [module('pm2/bin/pm2-runtime'), 'start', APP, '-i', String(WORKERS)],
    async reload({ env, log }) {
      await once(startNode([module('pm2/bin/pm2'), 'reload', 'all'], { env, log }), 'exit');
    },
  },
};

export const NAMES = Object.keys(KINDS);
export const labelOf = (name) => KINDS[name].label;
export const canReload = (name) => KINDS[name].reload !== undefined;
/** `chaos serve` may not be built. */
export const isBuilt = () => existsSync(file('../../dist/supervisor/primary/supervisor.js'));

let count = 0;

/** Starts a target and resolves when all its workers answer. */
export async function startTarget(name, { env: extra = {} } = {}) {
  const kind = KINDS[name];
  const port = await freePort();
  const home = join(scratch, `${name}-${++count}`);
  const mark = `BENCH_TARGET=${name}-${count}`;
  const log = `${home}.log`;
  // A pm2 of the user's own must neither be used nor be found.
  const env = {
    PORT: String(port),
    WORKERS: String(WORKERS),
    PM2_HOME: home,
    PM2_DISCRETE_MODE: 'true',
    BENCH_TARGET: `${name}-${count}`,
    BENCH_FIRSTS: `${home}.firsts`,
    ...extra,
  };
  const child = startNode(kind.args({ port, home }), { env, log });
  const { pid } = child;
  const target = {
    name,
    pid,
    port,
    mark,
    workers: () => workersOf(pid),
    reload: () => kind.reload({ pid, env, log }),
    stop: () => endMarked(mark),
    log: () => readFileSync(log, 'utf8'),
    /** When each process of the app got its first connection, in order. */
    firstsMs: () =>
      readFileSync(`${home}.firsts`, 'utf8')
        .trim()
        .split('\n')
        .map((line) => Number(line.split(' ')[1])),
  };
  const serving = new Set();
  const isUp = await until(
    async () => {
      if (alive(pid) === null) return 'dead';
      serving.add(await askPid(port));
      serving.delete(null);
      return serving.size >= WORKERS;
    },
    { deadlineMs: BOOT_MS, everyMs: 5 },
  );
  if (isUp === true) {
    await settled(target);
    return target;
  }
  const text = target.log().slice(-2000);
  await target.stop();
  throw new Error(`${kind.label} did not start: ${serving.size} of ${WORKERS} workers answered\n${text}`);
}

/** Resolves when it rests: what boots behind the first workers, a standby for one, would share the core with the load. */
async function settled({ mark }) {
  let before = Number.NEGATIVE_INFINITY;
  const isResting = async () => {
    const now = cpuMsOf(marked(mark));
    const used = now - before;
    before = now;
    return used <= REST.cpuMs;
  };
  await until(isResting, { deadlineMs: REST.deadlineMs, everyMs: REST.lookMs });
}

/** The worker that answers a fresh connection; null when none does. */
function askPid(port) {
  return new Promise((resolve) => {
    request({ port, host: '127.0.0.1', agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(Number(response.headers['x-pid']));
    })
      .on('error', () => resolve(null))
      .on('timeout', () => resolve(null))
      .end();
  });
}
