// 7. The primary is SIGKILLed, with its workers well, one frozen, or one blocked.
import { createServer } from 'node:net';
import { medianOf, spread, times, worstOf } from './figures.mjs';
import { marked, nowMs, signalAll, sleep, until } from './processes.mjs';
import { startTarget } from './targets.mjs';
import { startTraffic } from './traffic.mjs';

const WATCH_MS = 2500;
const WITHIN_MS = 1000;
/** Shorter than any supervisor notices a hang in. */
const HUNG_FOR_MS = 100;

const VARIANTS = {
  well: async () => undefined,
  frozen: (target) => signalAll(target.workers().slice(0, 1), 'SIGSTOP'),
  blocked: (_target, traffic) => traffic.order('/block?ms=30000'),
};

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      .on('listening', () => server.close(() => resolve(true)))
      .listen({ port, host: '127.0.0.1', exclusive: true });
  });
}

async function runVariant(name, variant) {
  const target = await startTarget(name);
  try {
    const traffic = await startTraffic(target);
    await VARIANTS[variant](target, traffic);
    await sleep(HUNG_FOR_MS);
    const atMs = await traffic.signal([target.pid], 'SIGKILL');
    // Only its end matters: what orphans had used counts as nobody's, so that the machine would seem busy.
    const stopped = traffic.stop().catch(() => {});
    let leftAtSecond = null;
    const isGone = await until(
      () => {
        const left = marked(target.mark).length;
        if (nowMs() - atMs >= WITHIN_MS) leftAtSecond ??= left;
        return left === 0;
      },
      { deadlineMs: WATCH_MS },
    );
    const goneMs = isGone ? nowMs() - atMs : null;
    const isFree = await canListen(target.port);
    await stopped;
    return { variant, goneMs, leftAtSecond: leftAtSecond ?? 0, isFree };
  } finally {
    await target.stop();
  }
}

async function run(name, { isQuick }) {
  const samples = [];
  for (const variant of isQuick ? ['frozen'] : Object.keys(VARIANTS))
    samples.push(await runVariant(name, variant));
  return samples;
}

const of = (samples, variant) =>
  samples.filter((sample) => sample.variant === variant).map(({ goneMs }) => goneMs);
const column = (samples, key) => samples.map((sample) => sample[key]);

export const primaryKill = {
  id: 'primary-kill',
  title: 'SIGKILL of the primary',
  startsItself: true,
  rounds: (name, isQuick) => (name === 'ours' && !isQuick ? 3 : 1),
  run,
  head: [
    'all gone, times ours (worst)',
    'all well: gone ms',
    'one frozen: gone ms',
    'one blocked: gone ms',
    'left after 1 s (worst)',
    'port free in the end',
  ],
  row: (samples, ours) => [
    times(ours && worstOf(column(ours, 'goneMs')), worstOf(column(samples, 'goneMs'))),
    ...Object.keys(VARIANTS).map((variant) => spread(of(samples, variant))),
    String(worstOf(column(samples, 'leftAtSecond'))),
    `${samples.filter(({ isFree }) => isFree).length} of ${samples.length}`,
  ],
  demands(ours) {
    const left = worstOf(column(ours, 'leftAtSecond'));
    return [
      {
        text: `no process left ${WITHIN_MS} ms after SIGKILL of the primary, hung workers included`,
        got: `${left} left, median ${medianOf(column(ours, 'goneMs')).toFixed(0)} ms, worst ${worstOf(column(ours, 'goneMs')).toFixed(0)} ms`,
        holds: left === 0 && column(ours, 'goneMs').every((ms) => ms !== null),
      },
      {
        text: 'the port is free then',
        got: `${ours.filter(({ isFree }) => isFree).length} of ${ours.length}`,
        holds: ours.every(({ isFree }) => isFree),
      },
    ];
  },
};
