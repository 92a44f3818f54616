import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { formatCount, formatMs } from '../../base/format.ts';
import { describeIssue } from '../../scenario/validate-scenario.ts';
import { describeBroken } from '../../simulate/describe.ts';
import { makeWorld } from '../../simulate/make-world.ts';
import { shrinkWorld, type Totals, traceWorld } from '../../simulate/many.ts';
import type { Broken } from '../../simulate/run-world.ts';
import { atOdds, type World } from '../../simulate/world.ts';
import { worldSchema } from '../../simulate/world-schema.ts';
import { isRecord } from '../../supervisor/options/kinds.ts';
import type { CliContext } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { wholeNumber } from '../options.ts';
import { type Played, playInThreads } from '../simulate-seeds.ts';

interface SimulateOptions {
  readonly seeds?: number;
  readonly seed?: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly replay?: string;
  readonly json?: boolean;
}

interface Found {
  readonly world: World;
  readonly broken: Broken;
}

const SEEDS = 100_000;
/** Before that, nobody asks how far it is. */
const SILENT_MS = 2000;

/** `chaos simulate`: the supervisor's policy against seeded worlds full of trouble, on a virtual clock. */
export function registerSimulate(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  program
    .command('simulate')
    .description("prove the supervisor's policy against seeded worlds of trouble, on a virtual clock")
    .option(
      '--seeds <n>',
      `how many worlds (default: ${SEEDS}, with --seed 1)`,
      wholeNumber('--seeds', 1, 1e9),
    )
    .option('--seed <s>', 'the first seed (default: 1)', wholeNumber('--seed', 0, 2 ** 32))
    .option('--seconds <n>', 'virtual seconds of a world', wholeNumber('--seconds', 10, 3600), 60)
    .option('--jobs <n>', 'threads', wholeNumber('--jobs', 1, 128), 1)
    .option('--replay <file>', 'play one world again: the JSON of an earlier violation')
    .option('--json', 'the result as JSON; its `world` can be replayed')
    .action(async (options: SimulateOptions) => {
      const isBroken = options.replay === undefined ? await play(cli, options) : replay(cli, options);
      end(isBroken ? 'fail' : 'pass');
    });
}

async function play(cli: CliContext, options: SimulateOptions): Promise<boolean> {
  const from = options.seed ?? 1;
  const count = options.seeds ?? (options.seed === undefined ? SEEDS : 1);
  const progress = progressLine(cli, count);
  const { seconds, jobs } = options;
  const startMs = performance.now();
  const played = await playInThreads({ from, count, seconds, jobs, onProgress: progress.show });
  progress.clear();
  const tookMs = performance.now() - startMs;
  const found = played.brokenSeed === null ? null : shrunk(makeWorld(played.brokenSeed, seconds));
  const output = options.json === true ? playedJson(played, found) : playedText(cli, played, tookMs, found);
  cli.stdout.write(output);
  return found !== null;
}

/** As small as the world gets, and how it breaks its rule. */
function shrunk(world: World): Found {
  const { outcome } = traceWorld(world);
  if (outcome.broken === null)
    throw new ChaosError('bug', `seed ${world.seed} broke a rule once and not again`);
  return shrinkWorld(world, outcome.broken);
}

function playedJson({ totals, brokenSeed }: Played, found: Found | null): string {
  const violation = found === null ? null : { ...found.broken, seed: brokenSeed };
  return `${JSON.stringify({ ...totals, violation, world: found?.world ?? null }, null, 2)}\n`;
}

function playedText(
  cli: CliContext,
  { totals, brokenSeed }: Played,
  tookMs: number,
  found: Found | null,
): string {
  const paint = pc.createColors(cli.color);
  const { worlds, virtualMs, steps, forks, connections, troubles } = totals;
  const rate = formatCount(Math.round(worlds / (tookMs / 1000)));
  const kinds = Object.entries(troubles)
    .sort((a, b) => b[1] - a[1])
    .map(([kind, count]) => `${kind} ${formatCount(count)}`);
  const rows = [
    ['worlds', `${formatCount(worlds)} in ${formatMs(tookMs)}, ${rate}/s`],
    ['virtual time', `${formatCount(Math.round(virtualMs / 3_600_000))} h`],
    ['events', `${formatCount(steps)}, each followed by every check`],
    ['forks', formatCount(forks)],
    ['connections', formatCount(connections)],
    ['troubles', kinds.slice(0, 8).join(' · ')],
    ...(kinds.length > 8 ? [['', kinds.slice(8).join(' · ')]] : []),
    ['violations', found === null ? paint.green('0') : paint.red(`1, seed ${brokenSeed}`)],
  ];
  const table = rows.map(([name = '', value = '']) => `${name.padEnd(14)}${value}`).join('\n');
  return found === null ? `${table}\n` : `${table}\n\n${brokenText(found)}`;
}

function brokenText({ world, broken }: Found): string {
  const { trace } = traceWorld(world);
  return [
    describeBroken(world, broken, trace),
    'The same as JSON, for `chaos simulate --replay <file>`:',
    JSON.stringify(world),
    '',
  ].join('\n');
}

function replay(cli: CliContext, options: SimulateOptions): boolean {
  const world = readWorld(resolve(cli.cwd, options.replay ?? ''));
  const { outcome, trace } = traceWorld(world);
  const { broken } = outcome;
  if (options.json === true)
    cli.stdout.write(`${JSON.stringify({ violation: broken, world, trace }, null, 2)}\n`);
  else if (broken === null) {
    cli.stdout.write(
      `no rule is broken: seed ${world.seed}, ${world.troubles.length} troubles, ${outcome.steps} events\n`,
    );
  } else cli.stdout.write(describeBroken(world, broken, trace));
  return broken !== null;
}

/**
 * A world as `--json` or the end of a violation's text has it.
 *
 * @throws ChaosError 'usage' that names each problem
 */
function readWorld(file: string): World {
  const hint = 'Take the last line of what a violation prints, or the output of `chaos simulate --json`.';
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ChaosError('usage', `cannot read a world from ${file}: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
  const refuse = (why: string): ChaosError =>
    new ChaosError('usage', `${file} holds no simulated world${why}`, { hint });
  const world = isRecord(value) && 'world' in value ? value['world'] : value;
  if (!isRecord(world)) throw refuse('');
  const read = worldSchema.safeParse(world);
  if (!read.success) {
    throw refuse(`\n${read.error.issues.flatMap((issue) => describeIssue(issue)).join('\n')}`);
  }
  const odds = atOdds(read.data);
  if (odds !== null) throw refuse(`: ${odds}`);
  return read.data;
}

function progressLine(
  cli: CliContext,
  count: number,
): { readonly show: (totals: Totals) => void; readonly clear: () => void } {
  const startMs = performance.now();
  let shownMs = startMs;
  let hasShown = false;
  return {
    show: ({ worlds }) => {
      const nowMs = performance.now();
      if (nowMs - startMs < SILENT_MS || nowMs - shownMs < (cli.interactive ? 200 : 10_000)) return;
      shownMs = nowMs;
      hasShown = true;
      const perSecond = Math.round(worlds / ((nowMs - startMs) / 1000));
      const text = `${formatCount(worlds)} of ${formatCount(count)} worlds, ${formatCount(perSecond)}/s`;
      cli.stderr.write(cli.interactive ? `\r${text}  ` : `${text}\n`);
    },
    clear: () => {
      if (hasShown && cli.interactive) cli.stderr.write(`\r${' '.repeat(60)}\r`);
    },
  };
}
