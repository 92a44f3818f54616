import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../../dist/runtime/free-port.js';
import type { ServiceStatus, SupervisorStatus, WorkerStatus } from '../../dist/supervisor/settings.js';
import { cleanSpawn } from './clean-spawn.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const APPS = join(ROOT, 'test/fixtures/apps');

/**
 * These tests are not about hangs: on a crowded machine a process may get no time for seconds, and that is no reason to
 * kill it, to send its clients elsewhere or to cut a transfer off. Nor does a worker miss its turn because its word that it
 * took the connection before is late.
 */
const PATIENT =
  '--hands-max 32 --suspect-after 10s --dead-after 60s --sticky-hold 30s --drain-timeout 2m'.split(' ');

/** Everything here is over loopback and takes well under a second on an idle machine. */
const DEADLINE_MS = 60_000;

/** Runs what is given to it at the end: a tap test is one. */
export interface Owner {
  readonly teardown: (undo: () => unknown) => void;
}

export interface ServeOptions {
  readonly workers?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The node binary that runs it all. Default: `SERVE_NODE` of the environment, else the one that runs the tests. */
  readonly node?: string;
}

/** A `chaos serve` that runs, with all its workers serving. */
export interface Served {
  readonly pid: number;
  readonly port: number;
  readonly status: () => Promise<ServiceStatus>;
  /** Resolves with the first status for which it holds; rejects at the deadline with the status and the log. */
  readonly until: (what: string, holds: (status: ServiceStatus) => boolean) => Promise<ServiceStatus>;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Resolves when the supervisor has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Stops it and waits for the last process; rejects when the exit code is not 0 or one is left. */
  readonly stop: () => Promise<void>;
  readonly output: () => string;
  /** Pids of live processes that this supervisor and its workers started, itself included. */
  readonly processes: () => readonly number[];
}

/** Starts `chaos serve` on a fixture app and waits until all workers serve. */
export async function serve(owner: Owner, app: string, options: ServeOptions = {}): Promise<Served> {
  const workers = options.workers ?? 2;
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'chaos-serve-'));
  const admin = join(dir, 'admin.sock');
  const mark = `SERVE_TEST=${randomUUID()}`;
  const [markName = '', markValue] = mark.split('=');
  const flags = ['--workers', `${workers}`, '--port', `${port}`, '--admin', admin];
  const child = cleanSpawn(
    options.node ?? process.env['SERVE_NODE'] ?? process.execPath,
    [join(ROOT, 'bin/chaos.js'), 'serve', join(APPS, app), ...flags, ...PATIENT, ...(options.args ?? [])],
    { cwd: ROOT, env: { ...options.env, [markName]: markValue }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
  }));
  // Helpers of the supervisor may have an environment of their own: children once seen are remembered.
  const seen = new Set<number>();
  const processes = (): readonly number[] => {
    for (const pid of processesOf(mark, child.pid ?? 0)) seen.add(pid);
    return [...seen].filter((pid) => !['Z', 'gone'].includes(stateOf(pid)));
  };
  owner.teardown(() => {
    for (const pid of [child.pid ?? 0, ...processes()]) killIfAlive(pid);
    rmSync(dir, { recursive: true, force: true });
  });

  const status = async (): Promise<ServiceStatus> => {
    const document = JSON.parse(await getText(admin, '/status')) as SupervisorStatus;
    const [service] = document.services;
    if (service === undefined) throw new Error('the status names no service');
    return service;
  };
  const until: Served['until'] = async (what, holds) => {
    let last = 'no status yet';
    for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      try {
        const now = await status();
        if (holds(now)) return now;
        last = JSON.stringify(now);
      } catch (error) {
        last = String(error);
      }
      await new Promise((wake) => setTimeout(wake, 10));
    }
    throw new Error(`${app}: it never came to be that ${what}\n${last}\n${output}`);
  };
  const served: Served = {
    pid: child.pid ?? 0,
    port,
    status,
    until,
    signal: (name) => child.kill(name),
    ended,
    async stop() {
      processes();
      child.kill('SIGTERM');
      const { code, signal } = await ended;
      if (code !== 0) throw new Error(`${app} ended with ${code ?? signal}\n${output}`);
      for (const end = performance.now() + DEADLINE_MS; processes().length > 0; ) {
        if (performance.now() > end) throw new Error(`${app} left processes: ${processes().join(', ')}`);
        await new Promise((wake) => setTimeout(wake, 10));
      }
    },
    output: () => output,
    processes,
  };
  await until(`all ${workers} workers serve`, (now) => now.serving === workers);
  return served;
}

/** The workers in rotation, by slot. */
export function servingOf(status: ServiceStatus): readonly (WorkerStatus & { pid: number; slot: number })[] {
  return status.workers
    .flatMap((worker) => {
      const { pid, slot } = worker;
      return worker.phase === 'serving' && pid !== null && slot !== null ? [{ ...worker, pid, slot }] : [];
    })
    .sort((a, b) => a.slot - b.slot);
}

/** SIGKILLs, and returns when the processes can run no more. */
export function killForGood(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  // Nothing else of this process runs in between: what it starts later was started after their death.
  while (pids.some((pid) => !['Z', 'X', 'gone'].includes(stateOf(pid))));
}

/** The path of the newest node of that major version, through npx. */
export function nodeBinary(major: string): string {
  if (process.versions.node.split('.')[0] === major) return process.execPath;
  const args = ['-y', `node@${major}`, '-p', 'process.execPath'];
  return execFileSync('npx', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** A key and a certificate for localhost as environment variables of the TLS apps; null where there is no openssl. */
export function tlsFiles(owner: Owner): { readonly TLS_KEY: string; readonly TLS_CERT: string } | null {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-tls-'));
  owner.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const kind = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -x509 -nodes -days 2 -subj /CN=localhost';
  const made = spawnSync('openssl', ['req', ...kind.split(' '), '-keyout', key, '-out', cert]);
  return made.status === 0 ? { TLS_KEY: key, TLS_CERT: cert } : null;
}

async function getText(socketPath: string, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const get = request({ socketPath, path, timeout: 5000 }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    get.on('timeout', () => get.destroy(new Error('the admin socket does not answer')));
    get.on('error', reject);
    get.end();
  });
}

/** Those with the mark in their environment, and the children of that parent. */
function processesOf(mark: string, parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
        return environment.includes(mark) || statOf(pid)[1] === `${parent}`;
      } catch {
        // It ended while we looked, or belongs to somebody else.
        return false;
      }
    });
}

function stateOf(pid: number): string {
  try {
    return statOf(pid)[0] ?? 'gone';
  } catch {
    // It has ended.
    return 'gone';
  }
}

/** State, parent and what follows in /proc/pid/stat. */
function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
