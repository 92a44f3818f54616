/**
 * The one table of exit codes, from harmless to worst; printed by `chaos run --help`. `chaos serve` ends with some of them, and its help
 * says what they mean there.
 */
export const EXIT_CODES = [
  { code: 0, name: 'pass', meaning: 'every objective met' },
  {
    code: 2,
    name: 'inconclusive',
    meaning:
      'the evidence cannot tell (no fault took effect, no load reached the target, a checker could not measure)',
  },
  { code: 1, name: 'fail', meaning: 'an objective was broken, and only that' },
  {
    code: 4,
    name: 'unhealthy',
    meaning: 'the target never became healthy, or steady state could not be proven; no fault was injected',
  },
  { code: 3, name: 'usage', meaning: 'usage, config or scenario invalid; nothing was started' },
  {
    code: 5,
    name: 'leftover',
    meaning: 'something could not be healed, or a process or port was left behind',
  },
  { code: 70, name: 'bug', meaning: 'a bug in chaos itself' },
  { code: 130, name: 'interrupted', meaning: 'interrupted (SIGINT), after healing and stopping' },
  { code: 143, name: 'terminated', meaning: 'ended by SIGTERM, after healing and stopping' },
] as const;

/** Verdicts and the reasons of operating errors are such names too. */
export type ExitName = (typeof EXIT_CODES)[number]['name'];

/** The code of a name. */
export function exitCode(name: ExitName): number {
  return EXIT_CODES.find((row) => row.name === name)?.code ?? 70;
}

/** The worst of several ends. */
export function worstExit(names: readonly ExitName[]): ExitName {
  const rank = (name: ExitName): number => EXIT_CODES.findIndex((row) => row.name === name);
  return [...names].sort((a, b) => rank(b) - rank(a))[0] ?? 'pass';
}

/** The table as help text. */
export function exitCodeHelp(): string {
  const rows = [...EXIT_CODES].sort((a, b) => a.code - b.code);
  return `Exit codes:\n${rows.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`;
}
