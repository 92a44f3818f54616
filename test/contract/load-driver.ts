import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { LoadDriver, LoadHandle, LoadProgress, LoadSummary } from '../../dist/model/ports.js';
import { FLAG_FRESH, OUTCOMES, type Samples } from '../../dist/model/samples.js';
import type { LoadSpec, RequestSpec } from '../../dist/model/scenario.js';
import { runClock } from '../../dist/runtime/clock.js';
import { readSamples } from '../../dist/runtime/samples-file.js';
import { ScriptedServer, type Truth } from '../fixtures/scripted-server.ts';

export function request(changes: Partial<RequestSpec> = {}): RequestSpec {
  const plain = { method: 'GET', path: '/', headers: {}, body: null, weight: 1 };
  return { ...plain, expectStatus: null, expectBody: null, ...changes };
}

export function loadSpec(changes: Partial<LoadSpec> = {}): LoadSpec {
  return {
    mode: 'open',
    ratePerSecond: 500,
    connections: 20,
    freshShare: 0.5,
    timeoutMs: 1000,
    requests: [request()],
    ...changes,
  };
}

export interface Outcome {
  readonly samples: Samples;
  readonly summary: LoadSummary;
  readonly progress: readonly LoadProgress[];
  /** Rows by outcome; `ok` with another status than 200 as `ok 503`. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Running {
  readonly handle: LoadHandle;
  readonly samplesFile: string;
  /** Rows told of so far. */
  readonly told: () => number;
  readonly now: () => number;
}

/** Runs a load while `during` runs, and reads what it recorded. */
export async function runLoad(
  driver: LoadDriver,
  origin: string,
  spec: LoadSpec,
  during: (running: Running) => Promise<unknown> = (running) => until(() => running.told() >= 150),
): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-load-'));
  const samplesFile = join(dir, 'samples.bin');
  const progress: LoadProgress[] = [];
  const clock = runClock();
  try {
    const handle = await driver.start(spec, {
      clock,
      samplesFile,
      origin,
      ratePerSecond: spec.ratePerSecond ?? 500,
      onProgress: (entry) => progress.push(entry),
    });
    const told = (): number => progress.reduce((sum, entry) => sum + entry.ok + entry.failed, 0);
    let summary: LoadSummary;
    try {
      await during({ handle, samplesFile, told, now: () => clock.now() });
    } finally {
      summary = await handle.stop();
    }
    const samples = readSamples(samplesFile);
    return { samples, summary, progress, counts: countRows(samples) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export function countRows({ columns }: Samples): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let row = 0; row < columns.count; row++) {
    const status = columns.status[row] ?? 0;
    const name = OUTCOMES[columns.outcome[row] ?? 0] ?? 'unknown';
    const key = name === 'ok' && status !== 200 ? `ok ${status}` : name;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** Waits for a fact; fails after the deadline. */
export async function until(fact: () => boolean | Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await fact())) {
    if (performance.now() > end) throw new Error(`still not so after ${deadlineMs} ms: ${String(fact)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Mode {
  readonly mode: string;
  readonly claim: string;
  /** Rows by outcome, from the server's own count. */
  readonly expected: (truth: Truth) => Record<string, number>;
}

const MODES: readonly Mode[] = [
  { mode: 'ok', claim: 'answers', expected: (truth) => ({ ok: truth.ok }) },
  { mode: 'rst', claim: 'resets', expected: (truth) => ({ ok: truth.ok, reset: truth.rst }) },
  {
    mode: 'fin',
    claim: 'FINs without an answer',
    expected: (truth) => ({ ok: truth.ok, closed: truth.fin }),
  },
  {
    mode: 'half-body-rst',
    claim: 'bodies cut by RST',
    expected: (truth) => ({ ok: truth.ok, cut: truth.half }),
  },
  {
    mode: 'half-body-fin',
    claim: 'bodies cut by FIN',
    expected: (truth) => ({ ok: truth.ok, cut: truth.half }),
  },
  { mode: 'half-header-fin', claim: 'cut headers', expected: (truth) => ({ ok: truth.ok, cut: truth.half }) },
  { mode: '503', claim: 'HTTP errors', expected: (truth) => ({ ok: truth.ok, 'ok 503': truth.busy }) },
  { mode: 'never', claim: 'timeouts', expected: (truth) => ({ ok: truth.ok, timeout: truth.silent }) },
  { mode: 'garbage', claim: 'what is not HTTP', expected: (truth) => ({ ok: truth.ok, other: truth.half }) },
];

const KINDS = [
  { kind: 'keep-alive', freshShare: 0 },
  { kind: 'fresh', freshShare: 1 },
] as const;

/** What every load driver must do: run it on yours. */
export function loadDriverContract(t: Test, makeDriver: () => LoadDriver): void {
  t.test('load driver contract', async (t) => {
    const server = await ScriptedServer.start();
    t.teardown(() => server.stop());

    for (const mode of ['open', 'closed'] as const) {
      for (const { kind, freshShare } of KINDS) {
        for (const { mode: script, claim, expected } of MODES) {
          t.test(`${mode} loop, ${kind}: rows equal the server's own count of ${claim}`, async (t) => {
            const every = script === 'never' ? 100 : 7;
            await server.script({ mode: script, every, delayMs: mode === 'closed' ? 2 : 0 });
            const spec = loadSpec({ mode, freshShare });
            const { counts, samples, summary } = await runLoad(makeDriver(), server.origin, spec);
            const truth = await server.truth();
            t.strictSame(counts, expected(truth));
            t.equal(samples.columns.count, truth.requests, 'every request ends in exactly one row');
            t.match(summary, { rows: truth.requests, dropped: 0 });
            const flag = kind === 'fresh' ? FLAG_FRESH : 0;
            t.ok(
              samples.columns.flags.every((flags) => flags === flag),
              `every row is of the ${kind} kind`,
            );
          });
        }
      }
    }

    t.test('requests without a listener are refused, each in one row', async (t) => {
      await server.script({ mode: 'ok' });
      let downMs = 0;
      const ran = runLoad(makeDriver(), server.origin, loadSpec(), async ({ told }) => {
        await until(() => told() >= 100);
        downMs = await server.down(500);
        const before = told();
        await until(() => told() >= before + 200);
      });
      const { counts, samples } = await ran;
      const truth = await server.truth();
      t.equal(counts.ok, truth.ok);
      const due = downMs / 2;
      const { refused = 0 } = counts;
      t.ok(refused > 0.8 * due && refused < 1.2 * due, `${refused} refused, ${Math.round(due)} were due`);
      const lost = samples.columns.count - (counts.ok ?? 0) - (counts.refused ?? 0);
      t.ok(lost <= 100, `${lost} of those in flight on the closed connections`);
    });

    t.test('times are on the clock of the run', async (t) => {
      await server.script({ mode: 'ok' });
      let window = [0, 0];
      const { samples } = await runLoad(makeDriver(), server.origin, loadSpec(), async ({ told, now }) => {
        await until(() => told() >= 100);
        window = [0, now()];
      });
      const { dueMs, latencyMs, sendDelayMs, count } = samples.columns;
      const [from = 0, to = 0] = window;
      t.ok(count > 0);
      t.ok((dueMs[0] ?? -1) >= from && (dueMs[0] ?? Number.NaN) < to);
      t.ok(
        dueMs.every((due, row) => (sendDelayMs[row] ?? -1) >= 0 && (latencyMs[row] ?? -1) > 0 && due >= 0),
      );
    });

    t.test('stop ends within the request timeout, and leaves no request without a row', async (t) => {
      await server.script({ mode: 'never' });
      let asked = 0;
      const timeoutMs = 1000;
      const { counts, samples } = await runLoad(
        makeDriver(),
        server.origin,
        loadSpec({ timeoutMs, connections: 5, freshShare: 0 }),
        async () => {
          await until(async () => (await server.truth()).requests >= 5);
          asked = performance.now();
        },
      );
      const took = performance.now() - asked;
      t.ok(took < 10 * timeoutMs, `stop took ${Math.round(took)} ms`);
      const { timeout = 0, aborted = 0, expired = 0 } = counts;
      t.equal(timeout + aborted + expired, samples.columns.count);
      t.ok(timeout >= 5);
    });
  });
}
