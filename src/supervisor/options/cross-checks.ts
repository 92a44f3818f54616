import { formatBytes, formatMs } from '../../base/format.ts';
import type { OptionKey } from './option.ts';
import type { Problem } from './problems.ts';
import type { Values } from './table.ts';

interface Checked {
  /** Without defaults: the blame goes to what somebody wrote. */
  readonly given: Partial<Values>;
  readonly all: Values;
  readonly refused: ReadonlySet<OptionKey>;
  /** Prefix of key paths. */
  readonly where: string;
}

interface Rule {
  /** None of them may have been refused. */
  readonly keys: readonly [OptionKey, ...OptionKey[]];
  /** What is wrong, or null. */
  readonly check: (all: Values) => string | null;
}

const RULES: readonly Rule[] = [
  {
    keys: ['suspectAfter', 'beat'],
    check: ({ suspectAfter, beat }) =>
      3 * beat <= suspectAfter
        ? null
        : `suspectAfter (${formatMs(suspectAfter)}) must be at least 3 beats (beat is ${formatMs(beat)})`,
  },
  {
    keys: ['deadAfter', 'suspectAfter'],
    check: ({ deadAfter, suspectAfter }) =>
      suspectAfter < deadAfter
        ? null
        : `deadAfter (${formatMs(deadAfter)}) must be more than suspectAfter (${formatMs(suspectAfter)})`,
  },
  {
    keys: ['withdraw', 'claim'],
    check: ({ withdraw, claim }) =>
      claim < withdraw
        ? null
        : `withdraw (${formatMs(withdraw)}) must be more than claim (${formatMs(claim)}), or two workers could read from one connection`,
  },
  {
    keys: ['withdraw', 'suspectAfter'],
    check: ({ withdraw, suspectAfter }) =>
      withdraw <= suspectAfter
        ? null
        : `withdraw (${formatMs(withdraw)}) must be at most suspectAfter (${formatMs(suspectAfter)})`,
  },
  {
    keys: ['backoff.cap', 'backoff.first'],
    check: ({ 'backoff.cap': cap, 'backoff.first': first }) =>
      first <= cap
        ? null
        : `backoff.cap (${formatMs(cap)}) must be at least backoff.first (${formatMs(first)})`,
  },
  {
    keys: ['ipc.queuedSize', 'ipc.messageSize'],
    check: ({ 'ipc.queuedSize': queued, 'ipc.messageSize': message }) =>
      message <= queued
        ? null
        : `ipc.queuedSize (${formatBytes(queued)}) must be at least ipc.messageSize (${formatBytes(message)})`,
  },
  {
    keys: ['standbys', 'slotEnv'],
    check: ({ standbys, slotEnv }) =>
      slotEnv === null || standbys === 0
        ? null
        : `expected 0, got ${standbys}: with slotEnv each worker is made for one slot, so a standby could take none`,
  },
  {
    keys: ['slotEnv', 'workers'],
    check: ({ slotEnv, workers }) => {
      // 'cores' may be any number; only a number that was written can be too small.
      const beyond = Object.keys(slotEnv ?? {}).filter((slot) => workers !== null && Number(slot) > workers);
      return beyond.length === 0 ? null : `names slot ${beyond.join(', ')}, and there are ${workers} workers`;
    },
  },
  {
    keys: ['sticky', 'balance'],
    check: ({ sticky, balance }) =>
      sticky === null || balance !== 'none'
        ? null
        : "sticky cannot be with balance 'none': the operating system chooses the worker there",
  },
];

/** What is wrong with values that are each allowed on their own. */
export function crossCheck({ given, all, refused, where }: Checked): readonly Problem[] {
  return RULES.filter(({ keys }) => !keys.some((key) => refused.has(key))).flatMap(({ keys, check }) => {
    const what = check(all);
    const blamed = keys.find((key) => key in given) ?? keys[0];
    return what === null ? [] : [{ where: `${where}${blamed}`, what }];
  });
}
