import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { type JournalEvent } from '../../dist/model/journal.js';
import { type Report, reportSchema } from '../../dist/model/report.js';
import { cleanSpawn } from './clean-spawn.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
export const SERVERS = join(ROOT, 'test/fixtures/servers');

/** Short phases: what is tested is the way through the program, not endurance. */
export const SHORT_PHASES = { warmup: '1s', baseline: '2s', chaos: '5s', settle: '12s', recovery: '3s' };

/** For a scenario that judges no number of requests: a fifth of the usual load, on a machine that others use too. */
export const LOW = 'load: { rate: 100 }';

export interface ChaosRun {
  readonly child: ChildProcess;
  /** Resolves when the command ended. */
  readonly done: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** The newest run's folder. */
  dir(): string;
  journal(): readonly JournalEvent[];
  report(): Report;
  /** Resolves when the journal holds such an event. */
  event(what: (event: JournalEvent) => boolean): Promise<JournalEvent>;
}

/** A folder of its own for one test, removed afterwards. */
export function tempDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Starts the real command line, reports in a folder of its own. */
export function chaos(
  t: Test,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): ChaosRun {
  const out = tempDir(t);
  const runs = ['run', 'replay'].includes(args[0] ?? '');
  const child = cleanSpawn(
    process.execPath,
    [join(ROOT, 'bin/chaos.js'), ...args, ...(runs ? ['--out', out] : [])],
    {
      cwd: options.cwd ?? ROOT,
      env: {
        CI: 'true',
        PATH: `${ROOT}/node_modules/.bin:${process.env['PATH']}`,
        // Coverage of the real command line counts too.
        NODE_V8_COVERAGE: process.env['NODE_V8_COVERAGE'],
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  t.teardown(() => child.kill('SIGTERM'));
  const run: ChaosRun = {
    child,
    done,
    dir: () => join(out, 'latest'),
    journal() {
      const lines = readFileSync(join(out, 'latest/journal.ndjson'), 'utf8').split('\n');
      return lines.slice(0, -1).map((line) => JSON.parse(line) as JournalEvent);
    },
    report: () => reportSchema.parse(JSON.parse(readFileSync(join(out, 'latest/report.json'), 'utf8'))),
    async event(what) {
      for (const end = performance.now() + 60_000; performance.now() < end; ) {
        const found = existsSync(join(out, 'latest/journal.ndjson')) ? run.journal().find(what) : undefined;
        if (found) return found;
        if (child.exitCode !== null) break;
        await new Promise((wake) => setTimeout(wake, 20));
      }
      throw new Error(`the event never came\n${stdout}\n${stderr}`);
    },
  };
  return run;
}

/** Writes a scenario and returns its path. */
export function scenarioFile(t: Test, body: string, name = 'scenario.ts'): string {
  const file = join(tempDir(t), name);
  writeFileSync(
    file,
    `import { all, at, blockEventLoop, burst, crashLoop, defineScenario, every, freeze, kill, memorySpike, primary, primaryKill, reload, resilienceObjectives, scale, slot } from 'cluster-chaos';
const phases = ${JSON.stringify(SHORT_PHASES)};
export default defineScenario(${body});
`,
  );
  return file;
}

/** The command line of a fixture server. */
export function server(name: string): string {
  return `node ${join(SERVERS, name)}`;
}

/** Every live process that carries the run's mark in its environment, or whose parent does. */
export function processesOf(runId: string): readonly { readonly pid: number; readonly state: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(`CHAOS_RUN=${runId}`))
          return [];
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return [
          { pid: Number(name), state: stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) },
        ];
      } catch {
        return [];
      }
    })
    .filter(({ state }) => state !== 'Z');
}

/** Polls until it holds. */
export async function eventually(
  what: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> {
  for (const end = performance.now() + deadlineMs; performance.now() < end; ) {
    if (await what()) return true;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  return what();
}
