import { shareOf } from '../policy/copies.ts';
import type { ServiceSettings } from '../settings.ts';
import type { Machine } from './machine.ts';
import type { Values } from './table.ts';

/** Of the container's memory limit; the rest is for the kernel and for bursts. */
const MEMORY_SHARE = 0.9;

/** What one process may take of the container's limit; null without a limit, or when it is too small to share. */
export function memoryShareBytes(machine: Machine, processes: number): number | null {
  if (machine.memoryLimitBytes === null) return null;
  return shareOf(MEMORY_SHARE * machine.memoryLimitBytes, processes);
}

/**
 * Complete values of one service as the settings that primary, policy and workers run by.
 *
 * @param sharesMemory whether its limit of memory is the default: what it has is shared anew when it is scaled
 */
export function serviceSettings(
  values: Values,
  { machine, sharesMemory }: { readonly machine: Machine; readonly sharesMemory: boolean },
): ServiceSettings {
  const workers = values.workers ?? machine.cores;
  const { maxMemory } = values;
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
      workers,
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
        rssBytes: maxMemory,
        rssTotalBytes: sharesMemory && maxMemory !== null ? maxMemory * (workers + values.standbys) : null,
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
