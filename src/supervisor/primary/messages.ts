import type { Event, WorkerBeat } from '../policy/model.ts';
import type { ToPrimary } from '../wire.cts';
import type { Heard } from './pulse.ts';

/** What a worker said of its connections when it last took some. */
export interface Told {
  readonly open: number;
  readonly atMs: number;
}

/** What the policy reads of a beat. One that was read late does not undo what the worker has told since. */
export function beatOf({ worker, atMs, beat }: Heard, told: Told): WorkerBeat {
  const open = atMs < told.atMs ? told.open : beat.open;
  const { requests, rssBytes, heapUsedBytes, heapSoonBytes, heapLimitBytes } = beat;
  const ofLimit = (bytes: number): number => (heapLimitBytes > 0 ? bytes / heapLimitBytes : 0);
  const [heapShare, heapSoonShare] = [ofLimit(heapUsedBytes), ofLimit(heapSoonBytes)];
  return { worker, atMs, open, requests, rssBytes, heapShare, heapSoonShare };
}

/** What any other message of a worker is to the policy; null where it is nothing. */
export function eventOf(worker: number, message: ToPrimary): Event | null {
  switch (message.t) {
    case 'taken':
      return { type: 'taken', worker, connection: message.id, open: message.open };
    case 'stale':
      return { type: 'returned', worker, connection: message.id };
    case 'listens':
      return { type: 'listening', worker, listener: listenerOf(message) };
    case 'unlisten':
      return { type: 'unlistened', worker, listener: message.listener };
    case 'ready':
      return { type: 'ready', worker };
    case 'retire':
      return { type: 'asked-to-retire', worker };
    case 'health':
      return message.ok ? null : { type: 'unhealthy', worker };
    default:
      return null;
  }
}

const DETAIL_LENGTH_MAX = 200;

/** An app's own words for a log line: they may be anything that goes through JSON, of any length. */
export function inBrief(said: unknown): string {
  const text = typeof said === 'string' ? said : (JSON.stringify(said) ?? '');
  return text.length > DETAIL_LENGTH_MAX ? `${text.slice(0, DETAIL_LENGTH_MAX)}…` : text;
}

/** The key of a listener that node:cluster shares (SCHED_NONE), where the primary opens none of its own. */
export function listenerOf({ address, port }: Extract<ToPrimary, { t: 'listens' }>): string {
  return `${address ?? '*'}:${port}`;
}
