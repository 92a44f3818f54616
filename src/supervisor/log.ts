import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

const STDERR = 2;

/** Lines that nobody reads are kept up to this; more are lost, and counted. */
const KEPT_BYTES_MAX = 1_000_000;

/** How soon a full pipe is tried again. */
const RETRY_MS = 20;

/**
 * Our own log: JSON lines on stderr. A reader that is slow or stands still, and a full disk, neither hold up this process
 * nor end it: every connection passes through it, and no line of a log is worth one.
 */
export function createLog(level: string): Logger {
  return pino({ level, base: null }, stderr);
}

/**
 * Writes what can be written at once. Not by a thread of Node's pool, which a full pipe would hold up too: no process ends
 * before that pool has, https://docs.libuv.org/en/v1.x/threadpool.html.
 */
class StderrLines {
  #fd: number | null = null;
  readonly #waiting: Buffer[] = [];
  #bytes = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | null = null;

  write(line: string): void {
    if (this.#bytes + line.length > KEPT_BYTES_MAX) this.#lost++;
    else this.#keep(line);
    if (this.#timer === null) this.#flush();
  }

  #keep(line: string): void {
    const bytes = Buffer.from(line);
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
  }

  #flush(): void {
    this.#timer = null;
    this.#fd ??= this.#open();
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      try {
        const written = writeSync(this.#fd, line);
        this.#bytes -= written;
        if (written < line.length) this.#waiting[0] = line.subarray(written);
        else this.#written();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
          this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref();
          return;
        }
        this.#waiting.shift();
        this.#bytes -= line.length;
        this.#lost++;
      }
    }
  }

  #written(): void {
    this.#waiting.shift();
    if (this.#lost === 0) return;
    const lines = this.#lost;
    this.#lost = 0;
    const head = `{"level":${pino.levels.values['warn']}${pino.stdTimeFunctions.epochTime()}`;
    this.#keep(`${head},"lines":${lines},"msg":"lines of this log are lost: not read, or not written"}\n`);
  }

  /** A pipe that is opened once more can be told not to wait for room, and nobody else's end of it changes. */
  #open(): number {
    process.once('exit', () => this.#flush());
    try {
      if (fstatSync(STDERR).isFIFO()) {
        return openSync(`/proc/self/fd/${STDERR}`, constants.O_WRONLY | constants.O_NONBLOCK);
      }
    } catch {
      // No such folder on this system, no right to open it, or nobody reads.
    }
    return STDERR;
  }
}

/** One, as there is one stderr. */
const stderr = new StderrLines();
