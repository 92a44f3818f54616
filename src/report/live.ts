import pc from 'picocolors';
import { formatCount, formatMs } from '../base/format.ts';
import type { Progress } from '../model/ports.ts';
import { cutLine, oneLine } from './clean.ts';

export interface LiveOptions {
  /** Writes to the terminal or log, usually stderr. */
  readonly write: (text: string) => void;
  /** Redraw one line in place; without it, or under CI, plain lines are written. */
  readonly isTty: boolean;
  readonly color: boolean;
  /** Width of the terminal; a function where it can change. */
  readonly columns: number | (() => number);
}

export interface Live {
  /** The newest state; drawn at once or left out, never later. */
  update(progress: Progress): void;
  /** A line that stays, above the status line. */
  line(text: string): void;
  /** Takes the status line away. */
  end(): void;
}

/** Faster than this nobody reads, and each redraw costs the run's machine something. */
const REDRAW_MS = 100;
/** A CI log must show life, and must not fill up. */
const PLAIN_LINE_MS = 5000;
const BAR_CHARS = 16;
/** A part that was cut shorter than this tells nothing. */
const PART_CHARS_MIN = 24;
const CLEAR = '\r\u001B[2K';

/** Live progress of a run, paced by the run's own clock (`elapsedMs`). */
export function createLive(options: LiveOptions): Live {
  return options.isTty ? statusLine(options) : plainLines(options);
}

function statusLine({ write, color, columns }: LiveOptions): Live {
  let last: { readonly atMs: number; readonly phase: string } | null = null;
  let shown = '';
  return {
    update(progress) {
      const due =
        last === null || last.phase !== progress.phase || progress.elapsedMs - last.atMs >= REDRAW_MS;
      if (!due) return;
      last = { atMs: progress.elapsedMs, phase: progress.phase };
      shown = paint(progress, color, typeof columns === 'function' ? columns() : columns);
      write(CLEAR + shown);
    },
    line: (text) => write(`${shown === '' ? '' : CLEAR}${oneLine(text)}\n${shown}`),
    end() {
      if (shown !== '') write(CLEAR);
      shown = '';
    },
  };
}

function plainLines({ write }: LiveOptions): Live {
  let last: { readonly atMs: number; readonly phase: string } | null = null;
  return {
    update(progress) {
      const due =
        last === null || last.phase !== progress.phase || progress.elapsedMs - last.atMs >= PLAIN_LINE_MS;
      if (!due) return;
      last = { atMs: progress.elapsedMs, phase: progress.phase };
      write(`${parts(progress).join(' · ')}\n`);
    },
    line: (text) => write(`${oneLine(text)}\n`),
    end: () => undefined,
  };
}

function parts(progress: Progress): string[] {
  const list: string[] = [progress.phase];
  if (progress.leftMs > 0) list.push(`${formatMs(roundTo(progress.leftMs, 1000))} left`);
  list.push(`${formatCount(Math.round(progress.rps))} req/s`);
  list.push(`${formatCount(progress.errors)} failed`);
  list.push(`workers ${progress.workersReady}/${progress.workers}`);
  if (progress.lastFault !== null) list.push(`last fault ${cutLine(progress.lastFault, 60)}`);
  if (progress.verdict !== undefined) list.push(progress.verdict);
  return list;
}

/** The parts that fit into the line, coloured after they were measured. */
function paint(progress: Progress, color: boolean, columns: number): string {
  const colors = pc.createColors(color);
  const bar = progressBar(progress);
  const room = Math.max(20, columns - 1) - bar.length - 1;
  const fitting: string[] = [];
  let used = 0;
  for (const part of parts(progress)) {
    const width = part.length + (fitting.length > 0 ? 3 : 0);
    const left = room - used - (width - part.length);
    if (left < Math.min(part.length, PART_CHARS_MIN)) break;
    fitting.push(cutLine(part, left));
    used += Math.min(width, width - part.length + left);
  }
  const painted = fitting.map((part, index) => {
    if (index === 0) return colors.bold(part);
    if (part.endsWith(' failed') && progress.errors > 0) return colors.red(part);
    if (part.startsWith('workers ') && progress.workersReady < progress.workers) return colors.yellow(part);
    return part;
  });
  return `${colors.cyan(bar)} ${painted.join(colors.dim(' · '))}`;
}

function progressBar({ elapsedMs, leftMs }: Progress): string {
  const whole = elapsedMs + Math.max(0, leftMs);
  const full = whole <= 0 ? 0 : Math.round((BAR_CHARS * Math.max(0, elapsedMs)) / whole);
  const filled = Math.min(BAR_CHARS, Math.max(0, full));
  return '█'.repeat(filled) + '░'.repeat(BAR_CHARS - filled);
}

function roundTo(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
