import { formatBytes, formatMs } from '../../base/format.ts';
import type { JournalEventOf } from '../../model/journal.ts';
import type { Measurement } from '../../model/ports.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { contains } from '../analysis/interval.ts';
import { median } from '../analysis/quantiles.ts';
import type { Span } from '../analysis/windows.ts';
import { checker, evidenceOf, listed, noSuchWindow, plural, unmeasured } from '../checker.ts';

type Resources = JournalEventOf<'resources'>;

export const primaryCheckers = [
  checker('primary.exits', 'count', ['run'], 'Exits of the primary that no fault asked for.', exits, {
    partial: 'grows',
  }),
  checker(
    'primary.fds.growth',
    'count',
    ['run'],
    'File descriptors that the primary gained from baseline to recovery, less one for each worker that a fault ended: ' +
      'Node’s own round robin leaks one socket a SIGKILL (RoundRobinHandle.handoff keeps no list of what it hands over).',
    (analysis) =>
      growth(
        analysis,
        (sample) => sample.fds,
        (value) => {
          const killed = killedWorkers(analysis);
          return {
            value: Math.max(0, value - killed),
            reason: `${value < 0 ? 'fewer' : `${value} more`} file descriptors in the primary after ${plural(killed, 'killed worker')}`,
          };
        },
      ),
  ),
  checker(
    'primary.memory.growth',
    'bytes',
    ['run'],
    'Resident memory that the primary gained: median of recovery less median of baseline.',
    (analysis) =>
      growth(
        analysis,
        (sample) => sample.rssBytes,
        (value) => ({
          value,
          reason: `the primary’s memory changed by ${formatBytes(value)}`,
        }),
      ),
  ),
];

function exits(analysis: Analysis): Measurement {
  if (analysis.windows.spans.run === null) return noSuchWindow('run');
  const { journal, faults } = analysis;
  const seen = journal.of('primary.up');
  if (seen.length === 0 && journal.ready?.visibility === 'agent') {
    return { value: 0, samples: 0, evidence: [], reason: 'not looked at: no primary was recognised' };
  }
  const asked = (expected: string | null): boolean =>
    expected === 'stop' || faults.some((fault) => fault.id === expected && fault.expect !== 'survives');
  const found = journal.of('primary.exit').filter((event) => !asked(event.expected));
  const each = found.map(
    ({ signal, code, atMs }) =>
      `the primary ended (${signal ?? `code ${code ?? 'unknown'}`}) at ${formatMs(atMs)}`,
  );
  return {
    value: found.length,
    samples: seen.length,
    evidence: evidenceOf(found.map((event) => event.seq)),
    ...(found.length > 0 ? { reason: listed(each) } : {}),
  };
}

function killedWorkers({ faults }: Analysis): number {
  const pids = faults.flatMap(({ episodes }) =>
    episodes.flatMap((episode) => (episode.worker && episode.exitAtMs !== null ? [episode.pid] : [])),
  );
  return new Set(pids).size;
}

/** The medians before and after chaos: single samples hold connections that were just being handed over. */
function growth(
  { journal, windows, faults }: Analysis,
  read: (sample: Resources) => number,
  tell: (value: number) => { readonly value: number; readonly reason: string },
): Measurement {
  const { baseline, recovery } = windows.spans;
  if (baseline === null) return noSuchWindow('baseline');
  if (recovery === null) return noSuchWindow('recovery');
  const samples = journal.of('resources').filter((event) => event.role === 'primary');
  const within = (span: Span): readonly Resources[] => samples.filter((it) => contains(span, it.atMs));
  const before = within(baseline);
  const after = within(recovery);
  if (before.length === 0 || after.length === 0) {
    if (journal.ready?.visibility !== 'process-table') {
      return unmeasured(
        'the primary’s resources were not recorded',
        'it may have ended, or /proc can’t be read',
      );
    }
    return {
      value: 0,
      samples: 0,
      evidence: [],
      reason: 'not looked at: no primary is seen without an agent',
    };
  }
  const pids = new Set([...before, ...after].map((sample) => sample.pid));
  if (pids.size > 1 && faults.some((fault) => fault.episodes.some((it) => it.tookPrimary))) {
    const reason = 'not looked at: a fault had taken the primary, and another one runs';
    return { value: 0, samples: 0, evidence: [], reason };
  }
  if (pids.size > 1) return unmeasured('the primary of recovery is another process than that of baseline');
  return {
    ...tell(median(after.map(read)) - median(before.map(read))),
    samples: before.length + after.length,
    evidence: evidenceOf([before.at(-1), after.at(-1)].flatMap((sample) => sample?.seq ?? [])),
  };
}
