import type { Event } from '../policy/model.ts';
import type { ToPrimary } from '../wire.cts';

/** What a worker's message is to the policy; null where it is nothing. */
export function eventOf(worker: number, message: ToPrimary, atMs: number): Event | null {
  switch (message.t) {
    case 'beat': {
      const { open, requests, rssBytes, heapUsedBytes, heapSoonBytes, heapLimitBytes } = message.beat;
      const ofLimit = (bytes: number): number => (heapLimitBytes > 0 ? bytes / heapLimitBytes : 0);
      const [heapShare, heapSoonShare] = [ofLimit(heapUsedBytes), ofLimit(heapSoonBytes)];
      return { type: 'beats', beats: [{ worker, atMs, open, requests, rssBytes, heapShare, heapSoonShare }] };
    }
    case 'taken':
      return { type: 'taken', worker, ids: message.ids, open: message.open };
    case 'stale':
      return { type: 'returned', worker, ids: message.ids };
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

/** The key of a listener that node:cluster shares (SCHED_NONE), where the primary opens none of its own. */
export function listenerOf({ address, port }: Extract<ToPrimary, { t: 'listens' }>): string {
  return `${address ?? '*'}:${port}`;
}
