import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { quoted } from '../../supervisor/options/problems.ts';
import type { ConfigAnswer } from './serve-config-child.ts';

const EXTENSIONS = ['.json', '.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/** A config is written by hand; what is larger is something else. */
const FILE_BYTES_MAX = 1_000_000;

const CHILD = fileURLToPath(new URL('./serve-config-child.js', import.meta.url));

/** Reading takes 0.5 s; this is for a config that asks others for its options, on a machine that is busy. */
const DEADLINE_MS = 30_000;

/**
 * Reads a config file of `chaos serve`, again each time it is called; one that is code runs in a process of its own.
 *
 * @param deadlineMs how long its code may take
 * @returns its default export as plain data, or the JSON document, unchecked
 * @throws ChaosError 'usage' with file, line and hint
 */
export async function loadServeConfig(
  cwd: string,
  name: string,
  deadlineMs: number = DEADLINE_MS,
): Promise<unknown> {
  const file = resolve(cwd, name);
  const facts = statSync(file, { throwIfNoEntry: false });
  if (!facts?.isFile()) throw new ChaosError('usage', `the config ${quoted(name)} is not a file`);
  if (!EXTENSIONS.includes(extname(file))) {
    throw new ChaosError('usage', `the config ${quoted(name)} must end in ${EXTENSIONS.join(', ')}`);
  }
  if (facts.size > FILE_BYTES_MAX) {
    throw new ChaosError(
      'usage',
      `the config ${quoted(name)} has ${facts.size} bytes; at most ${FILE_BYTES_MAX}`,
    );
  }
  return extname(file) === '.json' ? readJson(file) : runConfig(file, deadlineMs);
}

function readJson(file: string): unknown {
  try {
    // Editors of Windows begin a file with a byte order mark.
    return JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw new ChaosError('usage', `${file} is not valid JSON: ${messageOf(error)}`, {
      hint: 'It is one object of options, without comments: `{ "entry": "app.js", "workers": 4 }`.',
      cause: error,
    });
  }
}

/** What 'close' tells. */
type Ended = [code: number | null, signal: NodeJS.Signals | null];

async function runConfig(file: string, deadlineMs: number): Promise<unknown> {
  const answers: ConfigAnswer[] = [];
  let child: ChildProcess;
  let ended: Ended;
  try {
    child = fork(CHILD, [file], {
      // Flags of ours hold for its code too; but the port of a debugger is taken, by us.
      execArgv: [...process.execArgv, '--no-inspect', '--no-inspect-brk'],
      // Out of our process group: Ctrl-C is for us, and may come before the child can ignore it.
      detached: true,
      serialization: 'advanced',
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
    });
    child.on('message', (message) => answers.push(message as ConfigAnswer));
    // Not 'exit', which may come before the last message.
    ended = (await once(child, 'close')) as Ended;
  } catch (error) {
    throw new ChaosError('usage', `${file} cannot be read: ${messageOf(error)}`, {
      hint: 'It is read by a process of its own; can this machine start one more?',
      cause: error,
    });
  }
  const [answer] = answers;
  if (answer === undefined) throw unanswered(file, ended, child.killed ? deadlineMs : null);
  if ('config' in answer) return answer.config;
  const { refused, hint } = answer;
  throw new ChaosError('usage', refused, hint === undefined ? {} : { hint });
}

/** @param lateMs the deadline, if it was killed for that */
function unanswered(file: string, [code, signal]: Ended, lateMs: number | null): ChaosError {
  if (lateMs !== null) {
    return new ChaosError('usage', `${file} did not come to its default export within ${lateMs} ms`, {
      hint: 'Look for a loop without an end, or for a wait without a deadline.',
    });
  }
  const how = signal === null ? `ended its process (exit code ${code})` : `died by ${signal}`;
  return new ChaosError('usage', `${file} ${how} before it came to its default export`, {
    hint: 'A config only describes: it calls no process.exit(), and starts nothing.',
  });
}
