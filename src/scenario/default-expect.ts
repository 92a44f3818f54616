import type { Expectation, FaultSpec } from '../model/fault.ts';

/** A hang that lasts this long should be noticed: heartbeats and health checks run at a second or so. */
const NOTICED_HANG_MS = 2000;

/** What a good supervisor does about a fault whose scenario does not say. */
export function defaultExpect({ kind, params, select, holdMs }: Omit<FaultSpec, 'expect'>): Expectation {
  // Chaos itself starts the server again, as systemd would; from there on its recovery is its own.
  if (kind === 'primary-kill') return 'replaced';
  // It is asked to do something, and is to live on.
  if (kind === 'signal') return 'survives';
  // Nobody inside of the target replaces its primary.
  if (select.pick === 'primary') return 'any';
  switch (kind) {
    case 'kill':
    case 'crash-loop':
      return 'replaced';
    case 'freeze':
    case 'block':
      return holdMs !== null && holdMs >= NOTICED_HANG_MS ? 'replaced' : 'survives';
    case 'memory-spike':
      return params['bytes'] === null ? 'replaced' : 'survives';
    default:
      return 'any';
  }
}
