import { spawn } from 'node:child_process';
import type { Logger } from 'pino';

/** Tells a service manager how far we are. */
export interface Notify {
  readonly ready: (status: string) => void;
  readonly reloading: () => void;
  readonly stopping: () => void;
}

/**
 * systemd's sd_notify(3) protocol, when NOTIFY_SOCKET says that somebody listens. Node cannot send unix datagrams, so the
 * tool that comes with systemd does (the unit needs `NotifyAccess=all`); where it is missing, a line in the log says so and
 * nothing else happens.
 */
export function systemdNotify(env: Readonly<NodeJS.ProcessEnv>, log: Logger): Notify {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') {
    return { ready: () => undefined, reloading: () => undefined, stopping: () => undefined };
  }
  let hasFailed = false;
  const fail = (why: string): void => {
    if (!hasFailed) log.warn({ why }, 'systemd-notify failed: systemd is not told what happens here');
    hasFailed = true;
  };
  // One after the other: "ready" must not arrive before the "reloading" that it ends.
  let last: Promise<void> = Promise.resolve();
  // Assignments: the options for them are younger than many a systemd, --reloading for one than that of Debian 12.
  const tell = (...assignments: readonly string[]): void => {
    last = last.then(
      () =>
        new Promise((resolve) => {
          const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...assignments], {
            stdio: 'ignore',
            timeout: 5000,
          });
          child.once('error', (error) => {
            fail(error.message);
            resolve();
          });
          child.once('exit', (code) => {
            if (code !== 0) fail(`it ended with code ${code}`);
            resolve();
          });
        }),
    );
  };
  return {
    ready: (status) => tell('READY=1', `STATUS=${status}`),
    // When it began, in µs of CLOCK_MONOTONIC: Type=notify-reload asks for it.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
  };
}
