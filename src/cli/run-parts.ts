import type { RunParts } from '../campaign/run-once.ts';
import { faultKind } from '../faults/registry.ts';
import { autocannonDriver } from '../load/driver.ts';
import { startGuardian } from '../runtime/guardian.ts';
import { harnessClock } from '../runtime/harness-clock.ts';
import { isDead, readProcess, signalProcess } from '../runtime/process-table.ts';
import { readSamples } from '../runtime/samples-file.ts';
import { commandTarget } from '../target/command-target.ts';
import { type CliContext, environmentOf } from './context.ts';
import { judgeRun } from './judge-run.ts';

/** The concrete adapters: the only place where they are chosen. */
export function runParts(cli: CliContext): RunParts {
  return {
    target: commandTarget,
    load: autocannonDriver,
    faultKind,
    processes: { signal: signalProcess, inspect: (id) => (isDead(id) ? null : readProcess(id.pid)) },
    startGuardian,
    startClock: harnessClock,
    readSamples,
    judge: judgeRun,
    environment: environmentOf(cli),
  };
}
