import pc from 'picocolors';
import type { Plan } from '../../model/plan.ts';
import { describePlan } from '../../plan/describe-plan.ts';

/** The result of `chaos plan`: a table, or the plan as JSON exactly as it is hashed and journaled. */
export function renderPlan(plan: Plan, options: { readonly json: boolean; readonly color: boolean }): string {
  if (options.json) return `${JSON.stringify(plan, null, 2)}\n`;
  const paint = pc.createColors(options.color);
  const [title = '', ...rest] = describePlan(plan).split('\n');
  return `${[paint.bold(title), ...rest].join('\n')}\n`;
}
