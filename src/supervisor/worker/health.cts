/** The app's own judgement of its health, asked at intervals. */
import type { Channel } from './channel.cts';
import type { Times } from './times.cts';

const { send, later } = require('./channel.cjs') as Channel;
const { everyMsOf } = require('./times.cjs') as Times;

/** One bad answer is an accident, three in a row are a state. */
const FAILURES_MAX = 3;

export interface HealthOptions {
  /** Between the end of one check and the start of the next, and how long a check may take. 10 to 2^31-1 ms; default 5,000 ms. */
  readonly everyMs?: number;
}

type Check = () => unknown;

/** Why it is unhealthy, or null. */
async function judge(check: Check, limitMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<string>((resolve) => {
    timer = later.setTimeout(() => resolve(`no answer within ${limitMs} ms`), limitMs).unref();
  });
  const asked = async (): Promise<string | null> =>
    (await check()) === false ? 'the check said false' : null;
  try {
    return await Promise.race([asked(), slow]);
  } catch (error) {
    return `the check threw: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    later.clearTimeout(timer);
  }
}

/** Reports `false` after three bad checks in a row, `true` after the first good one that follows. Returns what stops it. Throws as `everyMsOf` does. */
function watchHealth(check: Check, options?: HealthOptions): () => void {
  const everyMs = everyMsOf(options);
  let failures = 0;
  let stopped = false;
  let next: NodeJS.Timeout | undefined;
  const round = async (): Promise<void> => {
    const detail = await judge(check, everyMs);
    if (stopped) return;
    if (detail === null && failures >= FAILURES_MAX) send({ t: 'health', ok: true, detail: '' });
    failures = detail === null ? 0 : failures + 1;
    if (detail !== null && failures === FAILURES_MAX) send({ t: 'health', ok: false, detail });
    next = later.setTimeout(() => void round(), everyMs).unref();
  };
  void round();
  return () => {
    stopped = true;
    later.clearTimeout(next);
  };
}

const health = { watchHealth };
export type Health = typeof health;
module.exports = health;
