import { ChaosError } from '../base/errors.ts';
import type { ProcessId, TargetContext, TargetControl } from '../model/ports.ts';
import { isListening } from '../runtime/free-port.ts';
import { commandOf, readProcess } from '../runtime/process-table.ts';
import type { AgentHub } from './agent-hub.ts';
import { startBootCrashes } from './boot-crashes.ts';
import { endAll } from './stop-target.ts';
import type { TargetLife } from './target-life.ts';
import type { TargetWatch } from './target-watch.ts';

export interface ControlInput {
  readonly context: TargetContext;
  readonly hub: AgentHub | null;
  readonly life: TargetLife;
  readonly watch: TargetWatch;
  /** Where the service is. */
  readonly service: () => { readonly host: string; readonly port: number };
}

/** What faults on the target as a whole need of it. */
export function targetControl(
  input: ControlInput,
): Pick<TargetControl, 'expectRetired' | 'crashBoots' | 'announceRestart' | 'orphans' | 'restart'> {
  const { context, hub, life, watch } = input;
  return {
    expectRetired(pids, how) {
      const release = watch.table.expectRetired(pids, how);
      return () => release(lives);
    },
    crashBoots(faultId) {
      const primary = watch.primary();
      if (hub === null || primary === null) {
        throw new ChaosError('unhealthy', 'boots can be made to crash only where the agent sees the primary');
      }
      const crashes = startBootCrashes({
        flagFile: hub.crashFlag,
        clock: context.clock,
        primaryPid: primary.pid,
        onStop: () => watch.table.expectBootCrashes(null),
      });
      watch.table.expectBootCrashes(faultId);
      return crashes;
    },
    announceRestart() {
      if (watch.mode !== 'cluster') {
        throw new ChaosError(
          'unhealthy',
          'a server can be started again only where its workers are forked by node:cluster and the agent sees them',
        );
      }
      life.announceRestart();
    },
    async orphans() {
      const { host, port } = input.service();
      const processes = watch.outliving().map(({ pid }) => ({ pid, command: commandOf(pid) }));
      return { processes, portHeld: await isListening(port, host) };
    },
    async restart(faultId) {
      const { left, stuck } = await endAll({ watch, runId: context.runId });
      if (stuck.length > 0) {
        throw new ChaosError('leftover', `still there after SIGKILL: pid ${stuck.join(', ')}`);
      }
      const root = life.start();
      watch.restarted(root.pid);
      context.record({
        type: 'target.restart',
        faultId,
        pid: root.pid,
        killed: left.map(({ pid }) => pid),
      });
      return root;
    },
  };
}

/** A zombie may not be dead yet, and its exit not be told: it is past all expectations though. */
function lives({ pid, startTime }: ProcessId): boolean {
  const row = readProcess(pid);
  return row !== null && row.startTime === startTime && row.state !== 'Z' && row.state !== 'X';
}
