import { formatMs } from '../../base/format.ts';
import type { Measurement } from '../../model/ports.ts';
import type { Analysis } from '../analysis/analyse.ts';
import type { FaultRecord } from '../analysis/faults.ts';
import { checker, evidenceOf, listed, plural, unmeasured } from '../checker.ts';

/** What the faults on a supervisor itself have seen of it. */
export const supervisionCheckers = [
  checker(
    'crashloop.forksPer10s',
    'count',
    ['run'],
    'The most boots within 10 s of a crash loop: each costs a core some 50 ms, and brings nobody back.',
    (analysis) =>
      worst(analysis, 'crash-loop', ({ id, evidence }) => {
        const value = evidence['crashesPer10s'];
        if (typeof value !== 'number') return null;
        return { value, reason: `${plural(value, 'worker')} crashed at boot within 10 s of ${id}` };
      }),
    { partial: 'grows' },
  ),
  checker(
    'primary.orphans',
    'count',
    ['run'],
    'Processes that outlived their killed primary by more than the fault allows, and ports that were still held then.',
    (analysis) =>
      worst(analysis, 'primary-kill', ({ id, evidence }) => {
        const { orphans, orphanPids, portHeld, withinMs } = evidence;
        if (typeof orphans !== 'number') return null;
        const who = orphans > 0 ? [`${plural(orphans, 'process', 'processes')} (pid ${orphanPids})`] : [];
        const what = [...who, ...(portHeld === true ? ['the port'] : [])];
        const reason = `left ${formatMs(Number(withinMs))} after the primary was killed by ${id}: ${what.join(', and ')}`;
        return { value: orphans + (portHeld === true ? 1 : 0), reason };
      }),
    { partial: 'grows' },
  ),
];

interface Found {
  readonly value: number;
  readonly reason: string;
}

/** The worst of the faults of a kind. */
function worst({ faults }: Analysis, kind: string, read: (fault: FaultRecord) => Found | null): Measurement {
  const all = faults.filter((fault) => fault.kind === kind && fault.injectedAtMs !== null);
  if (all.length === 0) return unmeasured(`no ${kind} was injected`, 'look at the fault table');
  const found = all.flatMap((fault) => read(fault) ?? []);
  const most = found.reduce<Found | null>((a, b) => (a && a.value >= b.value ? a : b), null);
  if (most === null) return unmeasured(`no ${kind} told what it saw`, 'look at the fault table');
  const broken = found.filter(({ value }) => value > 0).map(({ reason }) => reason);
  return {
    value: most.value,
    samples: found.length,
    evidence: evidenceOf(all.flatMap((fault) => fault.records)),
    ...(broken.length > 0 ? { reason: listed(broken) } : {}),
  };
}
