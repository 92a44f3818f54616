import { readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What defaults depend on. */
export interface Machine {
  /** Cores that this container may use, at least 1. */
  readonly cores: number;
  /** Memory limit of the container; null without one. */
  readonly memoryLimitBytes: number | null;
  readonly tmpDir: string;
  readonly uid: number;
}

export type ReadText = (path: string) => string | null;

/** Above any memory: what cgroup v1 says for "no limit". */
const UNLIMITED_BYTES = 2 ** 60;

export function thisMachine(): Machine {
  const limits = cgroupLimits(readText);
  return {
    cores: coresOf(availableParallelism(), limits.cpus),
    memoryLimitBytes: limits.memoryBytes,
    tmpDir: tmpdir(),
    uid: process.getuid?.() ?? 0,
  };
}

/** A limit of 1.5 cores keeps two workers busy. */
export function coresOf(available: number, limit: number | null): number {
  return Math.max(1, Math.min(available, limit === null ? available : Math.ceil(limit)));
}

/**
 * CPU and memory limit of the cgroup that this process is in. A limit of any ancestor holds too, and a container sees its
 * own group as the root, so each step up to the root is read and the smallest counts.
 * Files: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max), and for version 1
 * https://docs.kernel.org/scheduler/sched-bwc.html and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
 */
export function cgroupLimits(
  read: ReadText,
  root = '/sys/fs/cgroup',
): { readonly cpus: number | null; readonly memoryBytes: number | null } {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n');
  const cpus: (number | null)[] = [];
  const memory: (number | null)[] = [];
  for (const line of groups) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) continue;
    const [, controllers = '', group = '/'] = match;
    for (const dir of upwards(group)) {
      if (controllers === '') {
        cpus.push(quotaV2(read(join(root, dir, 'cpu.max'))));
        memory.push(bytesOf(read(join(root, dir, 'memory.max'))));
      }
      const names = controllers.split(',');
      if (names.includes('cpu')) {
        for (const mount of new Set([controllers, 'cpu'])) cpus.push(quotaV1(read, join(root, mount, dir)));
      }
      if (names.includes('memory'))
        memory.push(bytesOf(read(join(root, 'memory', dir, 'memory.limit_in_bytes'))));
    }
  }
  return { cpus: least(cpus), memoryBytes: least(memory) };
}

/** `/a/b`, `/a`, `/`. */
function upwards(group: string): readonly string[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, i) => `/${parts.slice(0, parts.length - i).join('/')}`);
}

/** `150000 100000` is one core and a half; `max 100000` is no limit. */
function quotaV2(text: string | null): number | null {
  const [quota, period] = (text ?? '').trim().split(/\s+/).map(Number);
  return ratio(quota, period);
}

function quotaV1(read: ReadText, dir: string): number | null {
  return ratio(
    Number(read(join(dir, 'cpu.cfs_quota_us')) ?? -1),
    Number(read(join(dir, 'cpu.cfs_period_us')) ?? -1),
  );
}

function ratio(quota = Number.NaN, period = Number.NaN): number | null {
  return quota > 0 && period > 0 ? quota / period : null;
}

function bytesOf(text: string | null): number | null {
  const bytes = Number((text ?? '').trim() || Number.NaN);
  return bytes > 0 && bytes < UNLIMITED_BYTES ? bytes : null;
}

function least(values: readonly (number | null)[]): number | null {
  const found = values.filter((value) => value !== null);
  return found.length > 0 ? Math.min(...found) : null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Another cgroup version, or no right to look: no limit that we know of.
    return null;
  }
}
