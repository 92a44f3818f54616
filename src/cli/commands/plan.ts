import type { Command } from 'commander';
import pc from 'picocolors';
import type { Plan } from '../../model/plan.ts';
import { describePlan } from '../../plan/describe-plan.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../options.ts';
import { type Overrides, prepareScenarios } from '../scenarios.ts';

/** The result of `chaos plan`: a table, or the plan as JSON exactly as it is hashed and journaled. */
export function renderPlan(plan: Plan, options: { readonly json: boolean; readonly color: boolean }): string {
  if (options.json) return `${JSON.stringify(plan, null, 2)}\n`;
  const paint = pc.createColors(options.color);
  const [title = '', ...rest] = describePlan(plan).split('\n');
  return `${[paint.bold(title), ...rest].join('\n')}\n`;
}

/** `chaos plan`: what would be injected and when; starts nothing. */
export function registerPlan(program: Command, cli: CliContext): void {
  program
    .command('plan')
    .description('show what would be injected and when; starts nothing')
    .argument('<scenario>', 'a scenario file, or the bare name of one')
    .option('--seed <seed>', "the plan's seed; without it the scenario's own, else a fresh one")
    .option('--workers <n>', 'number of slots', wholeNumber('--workers', 1, 128))
    .option('--duration <d>', 'length of the chaos phase, e.g. 30s')
    .option('--json', 'the plan as JSON')
    .option('--no-color', 'no colours')
    .action(
      async (name: string, options: Overrides & { readonly json?: boolean; readonly color: boolean }) => {
        for (const { plan } of await prepareScenarios(cli, [name], options)) {
          cli.stdout.write(
            renderPlan(plan, { json: options.json ?? false, color: cli.color && options.color }),
          );
        }
      },
    );
}
