import type pc from 'picocolors';
import type { Verdict } from '../model/verdict.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** The colour of a verdict, everywhere in the terminal. */
export function verdictPaint(colors: Colors, verdict: Verdict): (text: string) => string {
  return { pass: colors.green, fail: colors.red, inconclusive: colors.yellow }[verdict];
}
