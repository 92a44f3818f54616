// Everything that the bench starts carries a mark in its environment: so it is found again, wherever it went, and nothing else is.
import { fork, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
export const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
export const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The guardian of the product looks for this variable, and ends what is left if the bench itself is killed. */
const MARK = { name: 'CHAOS_RUN', value: `bench-${randomUUID()}` };
export const runId = MARK.value;
export const scratch = mkdtempSync(join(tmpdir(), 'chaos-bench-'));

/** Resolves with what `look` finds, or with null at the deadline. */
export async function until(look, { deadlineMs, everyMs = 10 }) {
  for (const endMs = nowMs() + deadlineMs; nowMs() < endMs; await sleep(everyMs)) {
    const found = await look();
    if (found) return found;
  }
  return null;
}

/** State letter and parent of a process; null when it is gone or only its exit code is left. */
export function alive(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie with threads left still holds its sockets.
  if ((fields[0] === 'Z' || fields[0] === 'X') && Number(fields[17]) <= 1) return null;
  const ticksMs = (from) => (Number(fields[from]) + Number(fields[from + 1])) * 10;
  return {
    state: fields[0],
    parent: Number(fields[1]),
    cpuMs: ticksMs(11),
    childrenCpuMs: ticksMs(13),
  };
}

/**
 * Starts a measurement of how much of the machine works for somebody else; call what it returns for the share so far, 0
 * to 1. Dead processes are counted with whoever reaped them, so nothing that runs for the bench is taken for a stranger's.
 */
export function watchOthers() {
  const look = () => {
    // user, nice, system, idle, iowait, irq, softirq, steal: in ticks of 10 ms over all cores.
    const ticks = read('/proc/stat').split('\n', 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
    const [idle, waiting] = ticks.slice(3, 5);
    const all = ticks.reduce((a, b) => a + b, 0);
    const ours = [process.pid, ...marked()].reduce((total, pid) => {
      const row = alive(pid);
      return total + (row === null ? 0 : row.cpuMs + row.childrenCpuMs);
    }, 0);
    return { allMs: all * 10, othersMs: (all - idle - waiting) * 10 - ours };
  };
  const before = look();
  return () => {
    const now = look();
    return (now.othersMs - before.othersMs) / Math.max(1, now.allMs - before.allMs);
  };
}

export const cpuMsOf = (pids) => pids.reduce((total, pid) => total + (alive(pid)?.cpuMs ?? 0), 0);

const livePids = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** A primary may have other children, such as a guardian; node:cluster tells its workers their number in the environment. */
const isWorker = (pid) => read(`/proc/${pid}/environ`)?.includes('NODE_UNIQUE_ID=') ?? false;

/** Live workers of a primary: standbys and workers that boot are among them. */
export const workersOf = (primary) =>
  livePids().filter((pid) => alive(pid)?.parent === primary && isWorker(pid));

/** Live processes of the bench, or of one target by its own mark. */
export function marked(mark = `${MARK.name}=${MARK.value}`) {
  return livePids().filter((pid) => read(`/proc/${pid}/environ`)?.split('\0').includes(mark) && alive(pid));
}

export function signalAll(pids, name) {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself meanwhile, which is what we want.
    }
  }
}

/** Stops before it kills, so that a supervisor cannot fork meanwhile. */
export async function endMarked(mark) {
  const isClean = await until(
    () => {
      const pids = marked(mark);
      signalAll(pids, 'SIGSTOP');
      signalAll(pids, 'SIGKILL');
      return pids.length === 0;
    },
    { deadlineMs: 5000, everyMs: 20 },
  );
  if (!isClean) throw new Error(`still alive after SIGKILL: ${marked(mark).join(' ')}`);
}

/** Only what a target needs: no preloads, no options of whoever runs the bench. */
function cleanEnv(env) {
  const { PATH } = process.env;
  return { PATH, HOME: scratch, [MARK.name]: MARK.value, ...env };
}

export function startNode(args, { env = {}, log }) {
  const out = openSync(log, 'a');
  return spawn(process.execPath, args, { env: cleanEnv(env), stdio: ['ignore', out, out], detached: true });
}

export function startChild(name) {
  return fork(file(name), [], { env: cleanEnv({}), execArgv: [], serialization: 'advanced' });
}

export async function cleanUp() {
  await endMarked();
  rmSync(scratch, { recursive: true, force: true });
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone between two looks, or another user's.
    return null;
  }
}
