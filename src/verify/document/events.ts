import { formatMs } from '../../base/format.ts';
import type { JournalEvent, JournalEventOf } from '../../model/journal.ts';
import type { ReportEvent } from '../../model/report.ts';
import type { Analysis } from '../analysis/analyse.ts';
import { type FaultRecord, unexpectedExits } from '../analysis/faults.ts';
import type { WorkerLife } from '../analysis/workers.ts';

/** A page that people read; what is worse is kept first. */
const EVENTS_MAX = 500;
const TEXT_MAX = 300;

type Line = { readonly level: ReportEvent['level']; readonly text: string };

/** The journal as a story for people, in the order in which things happened. */
export function eventList(analysis: Analysis): ReportEvent[] {
  const teller = new Teller(analysis);
  const all = analysis.journal.events.flatMap((event): ReportEvent[] => {
    const line = teller.tell(event);
    if (line === null) return [];
    const text = line.text.length > TEXT_MAX ? `${line.text.slice(0, TEXT_MAX - 1)}…` : line.text;
    return [{ seq: event.seq, atMs: Math.round(event.atMs * 1000) / 1000, level: line.level, text }];
  });
  return bounded(all);
}

function bounded(all: readonly ReportEvent[]): ReportEvent[] {
  if (all.length <= EVENTS_MAX) return [...all];
  const weight = { error: 0, warn: 1, info: 2 };
  const kept = all
    .map((event, index) => ({ event, index }))
    .sort((a, b) => weight[a.event.level] - weight[b.event.level] || a.index - b.index)
    .slice(0, EVENTS_MAX - 1)
    .sort((a, b) => a.index - b.index)
    .map(({ event }) => event);
  const last = kept.at(-1);
  const text = `${all.length - kept.length} more events are in journal.ndjson`;
  return [...kept, { seq: last?.seq ?? 0, atMs: last?.atMs ?? 0, level: 'info', text }];
}

const info = (text: string): Line => ({ level: 'info', text });
const warn = (text: string): Line => ({ level: 'warn', text });
const error = (text: string): Line => ({ level: 'error', text });

class Teller {
  readonly #faults: readonly FaultRecord[];
  readonly #unexpected: ReadonlySet<WorkerLife['exit']>;
  readonly #readyAtMs: number;

  constructor({ faults, workers, journal }: Analysis) {
    this.#faults = faults;
    this.#unexpected = new Set(unexpectedExits(faults, workers).map((life) => life.exit));
    this.#readyAtMs = journal.ready?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** `null` for what is no news. */
  tell(event: JournalEvent): Line | null {
    switch (event.type) {
      case 'phase.start':
        return info(`${event.phase} begins`);
      case 'target.start':
        return info(`server started: ${event.command} (pid ${event.pid}, port ${event.port})`);
      case 'target.ready':
        return info(
          `server ready at ${event.origin}: ${event.workers} workers, boot ${formatMs(event.bootMs)}`,
        );
      case 'target.restart': {
        const killed =
          event.killed.length > 0 ? `, ${event.killed.length} processes of the old one killed` : '';
        return info(`server started again after ${event.faultId} (pid ${event.pid}${killed})`);
      }
      case 'workers.wanted':
        return info(`${event.workers} workers are wanted from now on (${event.faultId})`);
      case 'plan.changed':
        return warn(event.reason);
      case 'worker.listening':
        // The first ones are told by the line about the server.
        if (event.atMs <= this.#readyAtMs) return null;
        return info(`${worker(event)} listens (pid ${event.pid})`);
      case 'worker.exit':
        return this.#exit(event);
      case 'primary.exit':
        if (event.expected === 'stop') return null;
        if (this.#faults.some((fault) => fault.id === event.expected && fault.expect !== 'survives')) {
          return info(`the primary ended (${how(event)}) by ${event.expected}`);
        }
        return error(`the primary ended (${how(event)})`);
      case 'load.rate':
        return info(`load: ${event.ratePerSecond} requests/s (${event.reason})`);
      case 'load.error':
        return error(`load failed: ${event.message}`);
      case 'steady': {
        const text = `${event.phase}: ${event.proven ? 'steady' : 'not steady'}: ${event.reason}`;
        return event.proven ? info(text) : warn(text);
      }
      case 'log':
        return event.level === 'info' ? null : { level: event.level, text: event.message };
      case 'leftovers': {
        const count = event.processes.length + event.ports.length + event.stuck.length;
        if (count === 0) return info('server stopped, nothing left behind');
        return error(`server stopped, ${count} processes or ports left behind`);
      }
      case 'run.end':
        return event.outcome === 'completed' ? info('run completed') : error(`run ended: ${event.reason}`);
      case 'fault.inject': {
        const whom = event.slots.length > 0 ? `slot ${event.slots.join(', ')}` : 'the primary';
        return info(`${event.faultId}: ${event.kind} injected into ${whom}`);
      }
      case 'fault.effect':
        if (event.effective) return null;
        return warn(`${event.faultId} had no proven effect: ${event.reason ?? 'no reason given'}`);
      case 'fault.heal':
        if (!event.ok) return error(`${event.faultId} could not be healed`);
        return event.how === 'healed' ? info(`${event.faultId} healed by chaos`) : null;
      case 'fault.error':
        return error(`${event.faultId} failed: ${event.message}`);
      case 'run.start':
      case 'phase.end':
      case 'worker.spawn':
      case 'worker.online':
      case 'worker.noticed':
      case 'primary.up':
      case 'resources':
      case 'load.end':
      case 'harness':
        return null;
      default:
        // A journal of a later version may hold events that this one does not know.
        return null;
    }
  }

  #exit(event: JournalEventOf<'worker.exit'>): Line | null {
    if (event.expected === 'stop') return null;
    const text = `${worker(event)} ended (${how(event)})`;
    if (this.#unexpected.has(event)) return error(`${text}, and nobody asked for it`);
    const fault = this.#faults.find((record) => record.id === event.expected);
    return info(fault ? `${text} by ${fault.id}` : text);
  }
}

function worker({ slot, generation }: { readonly slot: number; readonly generation: number }): string {
  return `slot ${slot}, generation ${generation}`;
}

function how({ signal, code }: { readonly signal: string | null; readonly code: number | null }): string {
  return signal ?? `code ${code ?? 'unknown'}`;
}
