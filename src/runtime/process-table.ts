import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessFacts, ProcessId } from '../model/ports.ts';

/** One row of the process table, from /proc/<pid>/stat. */
export interface ProcessRow extends ProcessId, ProcessFacts {
  readonly ppid: number;
  readonly pgid: number;
}

const PAGE_BYTES = 4096;
/** USER_HZ is 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** Reads one process, or `null` if there is none. */
export function readProcess(pid: number): ProcessRow | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command name may hold blanks and parentheses: the fields begin after its last one.
  const f = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (index: number): number => Number(f[index]);
  return {
    pid,
    startTime: f[19] ?? '',
    state: f[0] ?? '?',
    ppid: field(1),
    pgid: field(2),
    cpuMs: (field(11) + field(12)) * MS_PER_TICK,
    threads: field(17),
    rssBytes: field(21) * PAGE_BYTES,
  };
}

/**
 * Whether this very process is dead: gone, another one under its pid, or a zombie whose last thread has ended. A zombie
 * with threads left still holds its sockets.
 */
export function isDead(id: ProcessId): boolean {
  const row = readProcess(id.pid);
  return (
    row === null ||
    row.startTime !== id.startTime ||
    ((row.state === 'Z' || row.state === 'X') && row.threads <= 1)
  );
}

/** Pid and start time, or `null` if there is no such process. */
export function identify(pid: number): ProcessId | null {
  const row = readProcess(pid);
  return row === null ? null : { pid, startTime: row.startTime };
}

/**
 * Sends a signal if the pid is still the process that we mean, checked right before.
 * @returns whether it was sent
 */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (isDead(id)) return false;
  try {
    return process.kill(id.pid, signal);
  } catch {
    // It ended between the check and the signal, which is what "not sent" says.
    return false;
  }
}

/**
 * The process and all that descend from it, parents first. `thorough` also finds children that were forked by another
 * thread than the main one, at four times the cost.
 */
export function processTree(root: number, thorough = true): readonly ProcessRow[] {
  const rows: ProcessRow[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const row = readProcess(pid);
    if (row === null) continue;
    rows.push(row);
    queue.push(...childrenOf(pid, thorough));
  }
  return rows;
}

/** Processes that carry `CHAOS_RUN=<runId>` in their environment, wherever in the tree they went. */
export function processesOfRun(runId: string): readonly ProcessRow[] {
  const mark = `CHAOS_RUN=${runId}`;
  const rows: ProcessRow[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    if (!readText(`/proc/${name}/environ`)?.split('\0').includes(mark)) continue;
    const row = readProcess(Number(name));
    if (row !== null) rows.push(row);
  }
  return rows;
}

/** The command line as text, at most 200 characters. */
export function commandOf(pid: number): string {
  return (readText(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim().slice(0, 200);
}

/** Number of open descriptors, or `null` where they cannot be read. */
export function openDescriptors(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // Gone, or of another user: not known.
    return null;
  }
}

function childrenOf(pid: number, thorough: boolean): number[] {
  let threads: string[];
  try {
    threads = thorough ? readdirSync(`/proc/${pid}/task`) : [String(pid)];
  } catch {
    // It ended while we looked.
    return [];
  }
  return threads.flatMap((thread) =>
    (readText(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // In /proc this is how a process that is gone, or not ours, shows.
    return null;
  }
}
