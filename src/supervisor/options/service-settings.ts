import type { ServiceSettings } from '../settings.ts';
import type { Machine } from './machine.ts';
import type { Values } from './table.ts';

/** Of the container's memory limit; the rest is for the kernel and for bursts. */
const MEMORY_SHARE = 0.9;
/** Below this a limit would end workers right after their boot: Node alone takes some 45 MB. */
const MEMORY_BYTES_MIN = 64e6;

/** What one process may take of the container's limit; null without a limit, or when it is too small to share. */
export function memoryShareBytes(machine: Machine, processes: number): number | null {
  if (machine.memoryLimitBytes === null) return null;
  const bytes = Math.floor((MEMORY_SHARE * machine.memoryLimitBytes) / processes);
  return bytes < MEMORY_BYTES_MIN ? null : bytes;
}

/** Complete values of one service as the settings that primary, policy and workers run by. */
export function serviceSettings(values: Values, machine: Machine): ServiceSettings {
  return {
    name: values.name,
    entry: values.entry,
    args: values.args,
    nodeArgs: values.nodeArgs,
    cwd: values.cwd,
    // A PORT that the user put among the variables stands.
    port: values.env['PORT'] === undefined ? values.port : null,
    env: values.env,
    slotEnv: values.slotEnv,
    ready: values.ready,
    sticky: values.sticky,
    beatMs: values.beat,
    claimMs: values.claim,
    policy: {
      workers: values.workers ?? machine.cores,
      standbys: values.standbys,
      surge: values.surge,
      bootsMax: values.bootsMax,
      bootMs: values.bootTimeout,
      suspectMs: values.suspectAfter,
      deadMs: values.deadAfter,
      withdrawMs: values.withdraw,
      drainMs: values.drainTimeout,
      backoff: {
        free: values['backoff.free'],
        firstMs: values['backoff.first'],
        capMs: values['backoff.cap'],
        jitter: values['backoff.jitter'],
        stableMs: values['backoff.stable'],
      },
      limits: {
        rssBytes: values.maxMemory,
        heapShare: values.maxHeap,
        requests: values.maxRequests,
        ageMs: values.maxAge,
        stagger: values.stagger,
      },
      balance: values.balance,
      handsMax: values.handsMax,
      waitingMax: values.waitingMax,
      spreadMs: values.spread,
      stickyHoldMs: values.stickyHold,
      slotBound: values.slotEnv !== null,
      reloadTries: values.reloadTries,
    },
    ipc: {
      messageBytesMax: values['ipc.messageSize'],
      outstandingMax: values['ipc.outstanding'],
      queuedBytesMax: values['ipc.queuedSize'],
    },
    messagesPerSecondMax: values.messagesPerSecondMax,
  };
}
