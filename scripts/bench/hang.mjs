// 3. One worker hangs: stopped (SIGSTOP), or its event loop blocked.
import { medianOf, spread, sum, times, worstOf } from './figures.mjs';
import { alive, nowMs, sleep } from './processes.mjs';
import { startTarget } from './targets.mjs';
import { capacityBackMs, startTraffic } from './traffic.mjs';

const WATCH_MS = 3500;
const OUT_OF_ROTATION_MS = 300;
const REPLACED_MS = 1500;
/** A fresh connection that takes longer has waited for the victim; the p99 is some 5 ms. */
const WAITED_MS = 80;

const FAULTS = {
  async frozen(traffic) {
    const victim = await traffic.victim();
    return { victim, atMs: await traffic.signal([victim], 'SIGSTOP') };
  },
  async blocked(traffic) {
    const { pid, atMs } = await traffic.order('/block?ms=10000');
    return { victim: pid, atMs };
  },
};

async function goneMs(pid, atMs) {
  while (nowMs() < atMs + WATCH_MS) {
    if (alive(pid) === null) return nowMs() - atMs;
    await sleep(5);
  }
  return null;
}

/** One start each: who does not notice the first fault is not well when the second comes. */
async function runKind(name, kind) {
  const target = await startTarget(name);
  try {
    const traffic = await startTraffic(target);
    const { victim, atMs } = await FAULTS[kind](traffic);
    const killedMs = await goneMs(victim, atMs);
    await sleep(atMs + WATCH_MS - nowMs());
    const rows = await traffic.stop();
    return { kind, killedMs, ...judge(rows, { victim, atMs, toMs: atMs + WATCH_MS }) };
  } finally {
    await target.stop();
  }
}

async function run(name) {
  const samples = [];
  for (const kind of Object.keys(FAULTS)) samples.push(await runKind(name, kind));
  return samples;
}

function judge(rows, { victim, atMs, toMs }) {
  const during = rows.filter(({ sentMs }) => sentMs >= atMs && sentMs < toMs);
  const fresh = during.filter((row) => row.kind === 'fresh');
  const waited = fresh.filter((row) => row.outcome !== 'ok' || row.endMs - row.sentMs > WAITED_MS);
  const before = rows.filter(({ endMs }) => endMs < toMs);
  return {
    lastWaitedMs: Math.max(0, ...waited.map(({ sentMs }) => sentMs - atMs)),
    waited: waited.length,
    longestWaitMs: Math.max(...fresh.map(({ sentMs, endMs }) => endMs - sentMs)),
    freshFailed: fresh.filter(({ outcome }) => outcome !== 'ok').length,
    keptFailed: during.filter((row) => row.kind === 'kept' && row.outcome !== 'ok').length,
    replacedMs: capacityBackMs(before, { atMs, victims: new Set([victim]) }),
  };
}

const SHOWN = [
  'replacedMs',
  'killedMs',
  'lastWaitedMs',
  'longestWaitMs',
  'waited',
  'freshFailed',
  'keptFailed',
];
const column = (samples, key) => samples.map((sample) => sample[key]);

function ofKind(kind, title) {
  const pick = (samples) => samples.filter((sample) => sample.kind === kind);
  return {
    title,
    head: [
      'replaced, times ours',
      'replaced ms',
      'victim killed ms',
      'last fresh that waits, ms after',
      'longest wait ms',
      'fresh that waited',
      'fresh failed',
      'kept failed',
    ],
    row: (samples, ours) => [
      times(
        ours && medianOf(column(pick(ours), 'replacedMs')),
        medianOf(column(pick(samples), 'replacedMs')),
      ),
      ...SHOWN.map((key) => spread(column(pick(samples), key))),
    ],
    demands(all) {
      const ours = pick(all);
      const last = worstOf(column(ours, 'lastWaitedMs'));
      const replaced = worstOf(column(ours, 'replacedMs'));
      return [
        {
          text: `${kind}: out of rotation within ${OUT_OF_ROTATION_MS} ms (no connection begun later waits for it)`,
          got: `${last.toFixed(0)} ms`,
          holds: last <= OUT_OF_ROTATION_MS,
        },
        {
          text: `${kind}: replaced within ${REPLACED_MS} ms`,
          got: replaced === Number.POSITIVE_INFINITY ? 'never' : `${replaced.toFixed(0)} ms`,
          holds: replaced <= REPLACED_MS,
        },
        {
          text: `${kind}: no new connection fails`,
          got: `${sum(column(ours, 'freshFailed'))} failed`,
          holds: sum(column(ours, 'freshFailed')) === 0,
        },
      ];
    },
  };
}

export const hang = {
  id: 'hang',
  startsItself: true,
  rounds: (name, isQuick) => (name === 'ours' && !isQuick ? 3 : 1),
  run,
  tables: [
    ofKind('frozen', 'One worker frozen (SIGSTOP)'),
    ofKind('blocked', "One worker's event loop blocked"),
  ],
};
