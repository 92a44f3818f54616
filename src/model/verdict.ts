export const VERDICTS = ['pass', 'inconclusive', 'fail'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The worst of several verdicts: fail before inconclusive before pass; nothing to judge is inconclusive. */
export function worstVerdict(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('fail')) return 'fail';
  if (verdicts.length === 0 || verdicts.includes('inconclusive')) return 'inconclusive';
  return 'pass';
}
