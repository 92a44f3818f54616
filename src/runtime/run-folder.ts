import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { ChaosError } from '../base/errors.ts';

/** The files of one run; names are fixed by the contract. */
export interface RunFolder {
  readonly dir: string;
  readonly journal: string;
  readonly samples: string;
  readonly report: string;
  readonly targetLog: string;
}

/** The paths inside a run's folder. */
export function runFolder(dir: string): RunFolder {
  return {
    dir,
    journal: join(dir, 'journal.ndjson'),
    samples: join(dir, 'samples.bin'),
    report: join(dir, 'report.json'),
    targetLog: join(dir, 'target.log'),
  };
}

/**
 * Creates `<out>/<scenario>/<time>-<seed>/` and points `<out>/latest` at it.
 * @throws ChaosError `usage` if the folder cannot be written
 */
export function createRunFolder(
  out: string,
  run: { readonly scenario: string; readonly startedAt: string; readonly seed: string },
): RunFolder {
  const time = run.startedAt.replace(/[:.]/g, '-').replace('Z', '');
  const base = resolve(out, safeName(run.scenario), `${time}-${safeName(run.seed)}`);
  try {
    mkdirSync(dirname(base), { recursive: true });
    const dir = makeFresh(base);
    pointLatest(resolve(out), dir);
    return runFolder(dir);
  } catch (cause) {
    throw new ChaosError('usage', `cannot write reports to ${out}: ${String(cause)}`, {
      cause,
      hint: 'Choose a folder that can be written with --out <dir>.',
    });
  }
}

/** A short private directory (0700): sockets in it must fit into 108 characters. */
export function createPrivateDir(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Any text as a file name: hostile characters become `_`. */
export function safeName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 80);
  return /^\.*$/.test(name) ? `_${name}` : name;
}

function makeFresh(base: string): string {
  for (let n = 1; ; n++) {
    const dir = n === 1 ? base : `${base}-${n}`;
    try {
      mkdirSync(dir);
      return dir;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || n > 1000) throw error;
    }
  }
}

function pointLatest(out: string, dir: string): void {
  const link = join(out, 'latest');
  const fresh = join(out, `.latest-${process.pid}`);
  rmSync(fresh, { force: true });
  symlinkSync(relative(out, dir), fresh);
  try {
    renameSync(fresh, link);
  } catch {
    // Somebody keeps a real folder under that name: theirs stays, the pointer is only a convenience.
    rmSync(fresh, { force: true });
  }
}
