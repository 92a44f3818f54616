import type { LeftoverReport, ProcessId } from '../model/ports.ts';
import { isListening } from '../runtime/free-port.ts';
import { commandOf, identify, isDead, processesOfRun, signalProcess } from '../runtime/process-table.ts';
import { poll } from '../runtime/wait.ts';
import type { TargetWatch } from './target-watch.ts';

/** A launcher passes SIGTERM on within this time, or the primary gets its own. */
const RELAY_MS = 1000;
/** Once the primary has ended, workers end by themselves within 2 s (measured); later they are orphans. */
const ORPHAN_MS = 2000;
const KILL_MS = 3000;
const LOOK_MS = 20;

type Living = Pick<StopInput, 'watch' | 'runId'>;

export interface StopInput {
  readonly watch: TargetWatch;
  readonly root: ProcessId;
  readonly runId: string;
  readonly graceMs: number;
  readonly ports: readonly { readonly host: string; readonly port: number }[];
}

/** TERM to the server, grace, then KILL for whatever is left; says what had to be killed and what is still there. */
export async function stopTarget(input: StopInput): Promise<LeftoverReport> {
  const { watch, root } = input;
  watch.expectStop();
  const primary = watch.primary();
  signalProcess(root, 'SIGTERM');
  const relayed = await poll(() => gone([primary ?? root]) || undefined, {
    everyMs: LOOK_MS,
    deadlineMs: RELAY_MS,
  });
  if (!relayed && primary && primary.pid !== root.pid) signalProcess(primary, 'SIGTERM');
  await poll(() => gone([root, primary]) || undefined, { everyMs: LOOK_MS, deadlineMs: input.graceMs });
  await poll(() => alive(input).length === 0 || undefined, { everyMs: LOOK_MS, deadlineMs: ORPHAN_MS });

  const { left, stuck } = await endAll(input);
  const ports: number[] = [];
  for (const { host, port } of input.ports) if (await isListening(port, host)) ports.push(port);
  return { processes: left, ports, stuck };
}

/** KILL for everything of this run that still lives; says what that was, and what lives on all the same. */
export async function endAll(
  input: Living,
): Promise<{ readonly left: LeftoverReport['processes']; readonly stuck: readonly number[] }> {
  const left = alive(input).map((id) => ({ pid: id.pid, command: commandOf(id.pid) }));
  await poll(() => killAll(input) || undefined, { everyMs: LOOK_MS, deadlineMs: KILL_MS });
  return { left, stuck: alive(input).map((id) => id.pid) };
}

/** Stops before it kills, so that no supervisor can fork in between. */
function killAll(input: Living): boolean {
  const left = alive(input);
  for (const id of left) signalProcess(id, 'SIGSTOP');
  for (const id of left) signalProcess(id, 'SIGKILL');
  return left.length === 0;
}

/** Everything of this run that still lives: what was seen in the tree, and what carries the run's mark. */
function alive(input: Living): ProcessId[] {
  const ids = new Map(input.watch.seen);
  for (const row of processesOfRun(input.runId)) if (!ids.has(row.pid)) ids.set(row.pid, row);
  return [...ids.values()].filter((id) => !isDead(id) && identify(id.pid) !== null);
}

function gone(ids: readonly (ProcessId | null)[]): boolean {
  return ids.every((id) => id === null || isDead(id));
}
