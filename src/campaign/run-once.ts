import { messageOf } from '../base/errors.ts';
import type { HarnessClock, HarnessPorts } from '../harness/ports.ts';
import { type RunResult, runScenario } from '../harness/run-scenario.ts';
import type { Environment, JournalEvent } from '../model/journal.ts';
import type { Plan } from '../model/plan.ts';
import type { FaultKind, Guardian, JudgeInput, LoadDriver, Progress, TargetAdapter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import type { Samples } from '../model/samples.ts';
import type { Scenario } from '../model/scenario.ts';
import { openJournal } from '../runtime/journal-file.ts';
import { raisePriority, restorePriority, watchTimerLag } from '../runtime/priority.ts';
import { createPrivateDir, createRunFolder, type RunFolder } from '../runtime/run-folder.ts';
import { steadyState } from '../verify/steady-state.ts';

/** The concrete parts that a run is made of, chosen by the cli. */
export interface RunParts {
  readonly target: TargetAdapter;
  readonly load: LoadDriver;
  readonly faultKind: (name: string) => FaultKind;
  readonly processes: HarnessPorts['processes'];
  readonly startGuardian: (runId: string) => Guardian;
  readonly startClock: () => HarnessClock;
  readonly readSamples: (file: string) => Samples;
  readonly judge: (input: JudgeInput) => Report;
  readonly environment: Environment;
}

export interface RunOnceInput {
  readonly scenario: Scenario;
  readonly plan: Plan;
  readonly replan: (workers: number) => Plan;
  /** The scenario's file as the user can name it again. */
  readonly file: string;
  readonly command: string;
  readonly replay: string;
  readonly out: string;
  readonly startedAt: string;
  readonly signal: AbortSignal;
  readonly onFolder: (folder: RunFolder) => void;
  readonly onEvent: (event: JournalEvent) => void;
  readonly onProgress: (progress: Progress) => void;
}

export interface FinishedRun {
  readonly folder: RunFolder;
  readonly report: Report;
  readonly result: RunResult;
}

/** Runs one scenario with one plan, and judges what was recorded. The folder then holds journal, samples and target.log. */
export async function runOnce(input: RunOnceInput, parts: RunParts): Promise<FinishedRun> {
  const { scenario, plan } = input;
  const folder = createRunFolder(input.out, {
    scenario: scenario.name,
    startedAt: input.startedAt,
    seed: plan.seed,
  });
  input.onFolder(folder);
  const runId = `${process.pid}-${folder.dir.split('/').at(-1) ?? ''}`;
  const privateDir = createPrivateDir();
  const clock = parts.startClock();
  const events: JournalEvent[] = [];
  const journal = openJournal(folder.journal, clock, (event) => {
    events.push(event);
    input.onEvent(event);
  });
  journal.record({
    type: 'run.start',
    version: 1,
    id: runId,
    scenario,
    file: input.file,
    plan,
    startedAt: input.startedAt,
    command: input.command,
    replay: input.replay,
    environment: parts.environment,
  });
  const guardian = parts.startGuardian(runId);
  let priority = 'normal';
  const lag = watchTimerLag();
  const judgeSoFar = (): Report =>
    parts.judge({ journal: events, samples: parts.readSamples(folder.samples) });
  try {
    const result = await runScenario(
      { scenario, plan, replan: input.replan, cpus: parts.environment.cpus, signal: input.signal },
      {
        clock,
        record: journal.record,
        target: parts.target,
        load: parts.load,
        faultKind: parts.faultKind,
        guardian,
        processes: parts.processes,
        steadyState: (phase) => steadyState(judgeSoFar(), phase),
        exactTimers(wanted) {
          if (wanted) priority = raisePriority();
          else restorePriority();
        },
        onProgress: input.onProgress,
        targetContext: { privateDir: privateDir.dir, logFile: folder.targetLog, runId },
        loadContext: { samplesFile: folder.samples },
      },
    );
    journal.record({ type: 'harness', priority, timerLagMsP99: lag.p99Ms() });
    input.onProgress(judging(clock.now()));
    return { folder, report: judgeSoFar(), result };
  } catch (error) {
    journal.record({ type: 'run.end', outcome: 'error', reason: messageOf(error) });
    throw error;
  } finally {
    lag.stop();
    journal.close();
    await guardian.release();
    privateDir.remove();
  }
}

function judging(elapsedMs: number): Progress {
  return {
    phase: 'judge',
    elapsedMs,
    leftMs: 0,
    rps: 0,
    errors: 0,
    workersReady: 0,
    workers: 0,
    lastFault: null,
  };
}
