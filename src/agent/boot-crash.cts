/** The crash loop: while the harness keeps a flag file, what the primary starts ends here, before its program runs. */
import type * as Fs from 'node:fs';
import type { Inside } from './inside.cts';

const fs = require('node:fs') as typeof Fs;
const { nowMs } = require('./inside.cjs') as Inside;

const exit = process.exit.bind(process);

/** What the flag file says, as JSON; written in one piece. */
export interface BootCrashFlag {
  /** Whose children crash: the pid of the primary. */
  readonly ppid: number;
  readonly code: number;
  /** Gets one line for each crash, `<pid> <CLOCK_MONOTONIC, ms>`: the proof. */
  readonly logFile: string;
}

/** Ends this process if it is to crash at boot. One look at a file that is not there costs a healthy boot some 10 µs. */
function crashIfAsked(flagFile: string): void {
  let text: string;
  try {
    text = fs.readFileSync(flagFile, 'utf8');
  } catch {
    // The rule: nobody wants it to crash.
    return;
  }
  const flag = JSON.parse(text) as BootCrashFlag;
  if (process.ppid !== flag.ppid) return;
  fs.appendFileSync(flag.logFile, `${process.pid} ${nowMs()}\n`);
  exit(flag.code);
}

const bootCrash = { crashIfAsked };
export type BootCrash = typeof bootCrash;
module.exports = bootCrash;
