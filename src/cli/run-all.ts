import { ChaosError } from '../base/errors.ts';
import { formatMs } from '../base/format.ts';
import { type FinishedRun, runOnce } from '../campaign/run-once.ts';
import type { JournalEvent } from '../model/journal.ts';
import type { Plan } from '../model/plan.ts';
import type { Report } from '../model/report.ts';
import { createLive, type Live } from '../report/live.ts';
import { createLog } from '../supervisor/log.ts';
import { type CliContext, shortPath } from './context.ts';
import { type ExitName, worstExit } from './exit-codes.ts';
import { type Interrupts, onInterrupts } from './interrupts.ts';
import { render, reporterNames } from './render.ts';
import { runParts } from './run-parts.ts';
import { type PreparedScenario, planOf, quote } from './scenarios.ts';

export interface RunSettings {
  readonly reporter?: string;
  readonly out: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
  readonly logLevel: string;
  readonly repeat?: number;
  readonly bail?: boolean;
}

interface Job {
  readonly prepared: PreparedScenario;
  readonly plan: Plan;
  readonly replan: (workers: number) => Plan;
}

/** Runs every scenario `--repeat` times, renders each report, and returns the worst end. */
export async function runAll(
  cli: CliContext,
  scenarios: readonly PreparedScenario[],
  settings: RunSettings,
  replay: readonly string[],
): Promise<ExitName> {
  const jobs = scenarios.flatMap((prepared) =>
    seedsOf(prepared.seed, settings.repeat ?? 1).map((seed): Job => {
      const plan = seed === prepared.seed ? prepared.plan : planOf(prepared.scenario, seed);
      return { prepared, plan, replan: (workers) => planOf(prepared.scenario, seed, workers) };
    }),
  );
  return runJobs(cli, jobs, settings, (job) =>
    ['chaos', 'run', quote(job.prepared.file), '--seed', quote(job.plan.seed), ...replay.map(quote)].join(
      ' ',
    ),
  );
}

/** Runs jobs one after the other. */
export async function runJobs(
  cli: CliContext,
  jobs: readonly Job[],
  settings: RunSettings,
  replayOf: (job: Job) => string,
): Promise<ExitName> {
  const names = reporterNames(cli, settings.reporter);
  const color = cli.color && settings.color;
  const live = createLive({
    write: (text) => settings.quiet || cli.stderr.write(text),
    isTty: cli.interactive,
    color: cli.interactive && settings.color,
    columns: () => cli.stderr.columns || 100,
  });
  const interrupts = onInterrupts((text) => live.line(text));
  const ends: ExitName[] = [];
  const finished: { readonly job: Job; readonly run: FinishedRun }[] = [];
  try {
    for (const job of jobs) {
      const run = await runJob(cli, job, { settings, live, interrupts, replay: replayOf(job) });
      finished.push({ job, run });
      const siblings = finished
        .filter((other) => other.job.prepared === job.prepared)
        .map((other) => other.run);
      const report = (settings.repeat ?? 1) > 1 ? withRepeats(cli, run.report, siblings) : run.report;
      live.end();
      render(cli, report, { dir: run.folder.dir, names, color, stdout: !settings.json && !settings.quiet });
      if (settings.json) cli.stdout.write(`${JSON.stringify(report)}\n`);
      tellWhatHappened(cli, run);
      ends.push(endOf(run, interrupts));
      if (interrupts.signal.aborted || (settings.bail && ends.at(-1) !== 'pass')) break;
    }
  } finally {
    live.end();
    interrupts.dispose();
  }
  if (finished.length > 1 && !settings.json && !settings.quiet) cli.stdout.write(overview(finished));
  return worstExit(ends);
}

interface JobContext {
  readonly settings: RunSettings;
  readonly live: Live;
  readonly interrupts: Interrupts;
  readonly replay: string;
}

async function runJob(cli: CliContext, job: Job, context: JobContext): Promise<FinishedRun> {
  const { prepared, plan } = job;
  const { settings, live } = context;
  const log = createLog(settings.verbose ? 'debug' : settings.logLevel);
  live.line(
    `${prepared.scenario.name}  seed ${plan.seed}  ${plan.faults.length} faults in ${formatMs(plan.chaosMs)}`,
  );
  live.line(`again with: ${context.replay}`);
  return runOnce(
    {
      scenario: prepared.scenario,
      plan,
      replan: job.replan,
      file: prepared.file,
      command: ['chaos', ...process.argv.slice(2).map(quote)].join(' '),
      replay: context.replay,
      out: settings.out,
      startedAt: new Date().toISOString(),
      signal: context.interrupts.signal,
      onFolder: (folder) => live.line(`reports: ${shortPath(cli, folder.dir)}`),
      onEvent: (event) => {
        log.debug(event, event.type);
        const text = lineOf(event);
        if (text !== null) live.line(text);
      },
      onProgress: (progress) => live.update(progress),
    },
    runParts(cli),
  );
}

/** What a person wants to read as it happens. */
function lineOf(event: JournalEvent): string | null {
  switch (event.type) {
    case 'target.ready':
      return `${event.workers} workers ready at ${event.origin}`;
    case 'load.rate':
      return event.reason === 'start' ? null : `load lowered to ${event.ratePerSecond}/s: ${event.reason}`;
    case 'plan.changed':
      return event.reason;
    case 'fault.error':
      return `${event.faultId}: ${event.message}`;
    case 'load.error':
      return event.message;
    case 'primary.exit':
      return event.expected === null ? 'the primary ended, and nobody asked for it' : null;
    case 'log':
      return event.level === 'info' ? null : event.message;
    default:
      return null;
  }
}

/** What is not in the report's verdict: why a run ended early, and what it left behind. */
function tellWhatHappened(cli: CliContext, { result }: FinishedRun): void {
  const { outcome, leftovers, unhealed } = result;
  if (outcome.type === 'unhealthy' || outcome.type === 'error') {
    const hint = outcome.type === 'unhealthy' ? outcome.hint : undefined;
    cli.stderr.write(`chaos: ${outcome.reason}\n${hint === undefined ? '' : `  → ${hint}\n`}`);
  }
  if (outcome.type === 'error' && !(outcome.error instanceof ChaosError) && outcome.error instanceof Error) {
    cli.stderr.write(`a bug in chaos itself, please report it: ${outcome.error.stack ?? ''}\n`);
  }
  if (unhealed.length > 0) cli.stderr.write(`chaos: could not be healed: ${unhealed.join(', ')}\n`);
  if (leftovers && leftovers.stuck.length > 0) {
    cli.stderr.write(`chaos: still there after SIGKILL: pid ${leftovers.stuck.join(', ')}\n`);
  }
  if (leftovers && leftovers.ports.length > 0) {
    cli.stderr.write(`chaos: still held after the server was stopped: port ${leftovers.ports.join(', ')}\n`);
  }
}

function endOf({ result, report }: FinishedRun, interrupts: Interrupts): ExitName {
  const { outcome, leftovers, unhealed } = result;
  if (unhealed.length > 0 || (leftovers && leftovers.stuck.length + leftovers.ports.length > 0))
    return 'leftover';
  switch (outcome.type) {
    case 'completed':
      return report.verdict;
    case 'unhealthy':
      return 'unhealthy';
    case 'interrupted':
      return interrupts.exitName() ?? 'interrupted';
    case 'error':
      if (outcome.error instanceof ChaosError) return outcome.error.reason;
      return outcome.reason.startsWith('the load process failed') ? 'inconclusive' : 'bug';
  }
}

/** One line a run, for several. */
function overview(finished: readonly { readonly run: FinishedRun }[]): string {
  const lines = finished.map(({ run: { report } }) => {
    const { scenario, seed } = report.run;
    return `${report.verdict.toUpperCase().padEnd(12)} ${scenario}  seed ${seed}  ${report.reason}`;
  });
  const passed = finished.filter(({ run }) => run.report.verdict === 'pass').length;
  return `\n${lines.join('\n')}\n${passed} of ${finished.length} runs passed\n`;
}

function withRepeats(cli: CliContext, report: Report, runs: readonly FinishedRun[]): Report {
  return {
    ...report,
    repeats: runs.map((run) => ({
      seed: run.report.run.seed,
      verdict: run.report.verdict,
      reason: run.report.reason,
      dir: shortPath(cli, run.folder.dir),
      errors: run.report.errors.total,
      availability: run.report.availability.ratio,
      recoveryMsMax: maxOrNull(run.report.faults.map((fault) => fault.recoveryMs)),
    })),
  };
}

function maxOrNull(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? []);
  return known.length > 0 ? Math.max(...known) : null;
}

/** The seed itself, then seeds derived from it by number. */
function seedsOf(seed: string, repeat: number): readonly string[] {
  return Array.from({ length: repeat }, (_, index) => (index === 0 ? seed : `${seed}.${index + 1}`));
}
