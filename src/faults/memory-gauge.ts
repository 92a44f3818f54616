import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '../base/format.ts';
import type { Evidence } from '../model/journal.ts';
import type { Effect, FaultContext, Victim } from '../model/ports.ts';
import { isGone, until } from './until.ts';

/** How often memory is looked at, from outside and inside. */
const LOOK_EVERY_MS = 50;
/** A gigabyte takes about a second to touch on a busy machine. */
const AMOUNT_DEADLINE_MS = 30_000;
/** V8's default limit of 4 GB takes 8 to 11 s to reach, most of it garbage collection. */
const LIMIT_DEADLINE_MS = 60_000;
/** From a zombie in the process table to the exit's code and signal. */
const EXIT_DEADLINE_MS = 2000;
/** Of the asked amount must be seen: a process may fill pages that it already had. */
const SEEN_SHARE_MIN = 0.5;
/** Of the growth may still be resident when a spike counts as given back. */
const LEFT_SHARE_MAX = 0.25;

/** Watches one victim's memory before, during and after a spike. */
export interface MemoryGauge {
  /** What the agent measured right before it began to allocate. */
  begin(before: Evidence): void;
  /** Takes one look from outside; `false` when the victim is gone. */
  look(): boolean;
  /** Resolves once `bytes` are retained (`null`: once the victim died of it), or with what was seen instead. */
  prove(bytes: number | null, signal: AbortSignal): Promise<Effect>;
  evidence(): Evidence;
  /** At this resident size the spike has been given back. */
  mostlyGoneBytes(): number;
}

interface Inside {
  heapUsedBytes: number;
  externalBytes: number;
  retainedBytes: number;
}

export function createMemoryGauge(victim: Victim, context: FaultContext): MemoryGauge {
  const rssBeforeBytes = context.inspect(victim)?.rssBytes ?? 0;
  let rssPeakBytes = rssBeforeBytes;
  let before: Inside | null = null;
  let peak: Inside = { heapUsedBytes: 0, externalBytes: 0, retainedBytes: 0 };
  let heapLimitBytes: number | null = null;
  let asking: Promise<void> | null = null;

  const look = (): boolean => {
    const facts = context.inspect(victim);
    if (facts === null || isGone(facts)) return false;
    rssPeakBytes = Math.max(rssPeakBytes, facts.rssBytes);
    return true;
  };
  const lookInside = (): void => {
    // One question at a time: a main thread that allocates answers late. Its death shows from outside.
    asking ??= (victim.agent?.command('memory', {}) ?? Promise.resolve({}))
      .then(
        (evidence) => {
          peak = maxOf(peak, insideOf(evidence));
        },
        () => {},
      )
      .finally(() => {
        asking = null;
      });
  };
  const grownBytes = (): number =>
    Math.max(
      rssPeakBytes - rssBeforeBytes,
      before === null ? 0 : peak.heapUsedBytes - before.heapUsedBytes,
      before === null ? 0 : peak.externalBytes - before.externalBytes,
    );
  const evidence = (): Evidence => ({
    rssBeforeBytes,
    rssPeakBytes,
    heapUsedBeforeBytes: before?.heapUsedBytes ?? null,
    heapUsedPeakBytes: before === null ? null : Math.max(before.heapUsedBytes, peak.heapUsedBytes),
    retainedBytes: peak.retainedBytes,
    heapLimitBytes,
  });
  const judge = (bytes: number): Effect => {
    const grown = grownBytes();
    if (grown >= SEEN_SHARE_MIN * bytes) return { effective: true, evidence: evidence() };
    const reason = `of ${formatBytes(bytes)} only ${formatBytes(grown)} were seen in the victim's memory`;
    return { effective: false, evidence: evidence(), reason };
  };

  return {
    look,
    evidence,
    mostlyGoneBytes: () => rssBeforeBytes + LEFT_SHARE_MAX * (rssPeakBytes - rssBeforeBytes),
    begin(seen) {
      before = insideOf(seen);
      heapLimitBytes = numberOf(seen['heapLimitBytes']);
    },
    async prove(bytes, signal) {
      const deadlineMs = context.clock.now() + (bytes === null ? LIMIT_DEADLINE_MS : AMOUNT_DEADLINE_MS);
      while (!signal.aborted && context.clock.now() < deadlineMs) {
        if (!look()) return died(victim, context, evidence());
        if (bytes !== null && peak.retainedBytes >= bytes) return judge(bytes);
        lookInside();
        await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {
          // Aborted: the loop's condition says so.
        });
      }
      if (!look()) return died(victim, context, evidence());
      if (bytes !== null) return judge(bytes);
      const reason = `the victim lived on, ${formatBytes(grownBytes())} larger`;
      return { effective: false, evidence: evidence(), reason };
    },
  };
}

/** Whatever was asked, memory that killed the process took effect. */
async function died(victim: Victim, { signal }: FaultContext, evidence: Evidence): Promise<Effect> {
  const waited = await until(victim.exited, { deadlineMs: EXIT_DEADLINE_MS, signal });
  const exit = waited.how === 'done' ? { code: waited.value.code, signal: waited.value.signal } : {};
  return { effective: true, evidence: { ...evidence, died: true, ...exit } };
}

function insideOf(evidence: Evidence): Inside {
  return {
    heapUsedBytes: numberOf(evidence['heapUsedBytes']) ?? 0,
    externalBytes: numberOf(evidence['externalBytes']) ?? 0,
    retainedBytes: numberOf(evidence['retainedBytes']) ?? 0,
  };
}

function maxOf(a: Inside, b: Inside): Inside {
  return {
    heapUsedBytes: Math.max(a.heapUsedBytes, b.heapUsedBytes),
    externalBytes: Math.max(a.externalBytes, b.externalBytes),
    retainedBytes: Math.max(a.retainedBytes, b.retainedBytes),
  };
}

function numberOf(value: Evidence[string] | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
