import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { readProcess } from './process-table.ts';

/**
 * Waits on a pipe whose other end only the primary holds. Each line is the list of workers, as pid:start-time; end of
 * file means that the primary is gone, and whoever of them still lives hangs or is stopped: SIGKILL reaches those too.
 * The start time keeps a pid that was given to somebody else from harm.
 */
const SCRIPT = `
trap '' TERM INT HUP
workers=
while IFS= read -r line; do case $line in Q) exit 0 ;; *) workers=$line ;; esac; done
for e in $workers; do
  p=\${e%%:*}
  s=$(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null | cut -d' ' -f20)
  [ -n "$s" ] && [ "$s" = "\${e#*:}" ] && kill -KILL "$p"
done
exit 0
`;

/** A reaper that cannot live is not started for ever. */
const STARTS_MAX = 5;

/** Ends the workers of a primary that was killed, hung and stopped ones included. */
export class Reaper {
  readonly #log: Logger;
  readonly #workers = new Map<number, string>();
  #child: ChildProcess | null = null;
  #starts = 0;
  #isReleased = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Whether it runs: without it, workers must watch their parent themselves. */
  get isAlive(): boolean {
    return this.#child !== null;
  }

  /** Resolves once it runs, or is known not to. */
  start(): Promise<void> {
    this.#starts++;
    // A session of its own: a Ctrl-C or a kill of our group must not take it along.
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'cluster-chaos-reaper'], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    child.unref();
    (child.stdin as Socket | null)?.unref();
    // What cannot be told is told to its successor.
    child.stdin?.on('error', () => undefined);
    child.once('exit', () => this.#lost());
    return new Promise((resolve) => {
      child.once('spawn', () => {
        this.#child = child;
        this.#tell();
        resolve();
      });
      child.once('error', (error) => {
        this.#log.warn({ err: error }, 'no /bin/sh: workers watch their parent themselves');
        resolve();
      });
    });
  }

  add(pid: number): void {
    const row = readProcess(pid);
    // Gone before we looked: nothing to reap.
    if (row === null) return;
    this.#workers.set(pid, row.startTime);
    this.#tell();
  }

  remove(pid: number): void {
    if (this.#workers.delete(pid)) this.#tell();
  }

  /** An orderly end: nobody is to be killed. */
  release(): void {
    this.#isReleased = true;
    this.#child?.stdin?.end('Q\n');
    this.#child = null;
  }

  #lost(): void {
    this.#child = null;
    if (this.#isReleased || this.#starts >= STARTS_MAX) return;
    this.#log.warn('the reaper was gone; a new one is started');
    void this.start();
  }

  #tell(): void {
    if (this.#child?.stdin?.writable !== true) return;
    const list = [...this.#workers].map(([pid, start]) => `${pid}:${start}`).join(' ');
    this.#child.stdin.write(`${list}\n`);
  }
}
