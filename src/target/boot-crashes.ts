import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { BootCrashFlag } from '../agent/boot-crash.cts';
import { ChaosError } from '../base/errors.ts';
import type { BootCrashes, RunClock } from '../model/ports.ts';

/** As an app that misses its configuration ends. */
const CRASH_CODE = 1;

export interface BootCrashInput {
  /** Where the agents look, see `agent/boot-crash.cts`. */
  readonly flagFile: string;
  readonly clock: RunClock;
  /** Whose children crash. */
  readonly primaryPid: number;
  /** Called once, when boots succeed again. */
  readonly onStop: () => void;
}

/**
 * Makes what the primary starts end before its program runs.
 * @throws ChaosError 'unhealthy' if that is so already
 */
export function startBootCrashes(input: BootCrashInput): BootCrashes {
  const { flagFile, clock } = input;
  if (existsSync(flagFile)) throw new ChaosError('unhealthy', 'another crash loop is under way');
  const logFile = `${flagFile}.log`;
  const flag: BootCrashFlag = {
    ppid: input.primaryPid,
    code: CRASH_CODE,
    logFile,
  };
  writeFileSync(logFile, '', { mode: 0o600 });
  // In one piece: a boot that read half of it would not crash.
  writeFileSync(`${flagFile}.new`, JSON.stringify(flag), { mode: 0o600 });
  renameSync(`${flagFile}.new`, flagFile);
  let stopped = false;
  return {
    seen: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => Number(line.split(' ')[1]) - clock.zeroMs)
        .sort((a, b) => a - b),
    stop() {
      if (stopped) return;
      stopped = true;
      rmSync(flagFile, { force: true });
      input.onStop();
    },
  };
}
