import { type Logger, pino } from 'pino';

/** Lines that nobody reads are kept up to this; more are dropped and counted. */
const KEPT_BYTES_MAX = 1_000_000;

/**
 * Our own log: JSON lines on stderr. Whoever reads it, slowly, never, or onto a full disk, neither holds up the process nor
 * ends it: lines are written by a thread of their own, and what cannot be written is lost, not fatal.
 */
export function createLog(level: string): Logger {
  const to = pino.destination({ dest: 2, sync: false, maxLength: KEPT_BYTES_MAX });
  let dropped = 0;
  to.on('error', () => undefined);
  to.on('drop', () => dropped++);
  const log = pino({ level, base: null }, to);
  to.on('drain', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log.warn({ lines }, 'the log was not read in time: lines are lost');
  });
  return log;
}
