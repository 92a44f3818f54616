/** The public API of `cluster-chaos/supervisor`: a primary for clustered Node servers. */

import type { Logger } from 'pino';
import { openAdminOf } from './admin/admin-server.ts';
import { createLog } from './log.ts';
import { resolveSettings } from './options/resolve-settings.ts';
import type { SupervisorOptions } from './options/user-options.ts';
import { startPrimary } from './primary/supervisor.ts';
import type { Supervisor } from './settings.ts';

export type {
  BackoffOptions,
  Duration,
  IpcOptions,
  ServiceOptions,
  Size,
  SupervisorOptions,
} from './options/user-options.ts';
export type {
  AskOptions,
  Handler,
  ServiceCounters,
  ServiceStatus,
  SupervisorStatus,
  WorkerStatus,
} from './settings.ts';

export interface StartOptions {
  /** Gets one line a transition. Default: JSON lines on stderr, from level info. */
  readonly logger?: Logger;
}

/** A supervisor as programs steer it. */
export interface RunningSupervisor extends Omit<Supervisor, 'reload'> {
  /**
   * Replaces all workers one by one; with new options, services take them over (the one of that name, else on that port), new
   * ones come up, and then missing ones stop. Rejects when the options are bad or a service does not boot; the old ones go on.
   * Address and metrics of `admin` stay as they are.
   */
  readonly reload: (options?: SupervisorOptions) => Promise<void>;
}

/**
 * Starts workers and keeps them serving until `stop()`. One supervisor a process, and none inside of a worker.
 * Signals are left to the program; `chaos serve` is this with signals.
 *
 * @throws ChaosError 'usage' naming all problems of the options, or whoever has the admin address; nothing is started then
 */
export async function startSupervisor(
  options: SupervisorOptions,
  given: StartOptions = {},
): Promise<RunningSupervisor> {
  const context = { env: process.env, cwd: process.cwd() };
  const settings = resolveSettings(options, context);
  const logger = given.logger ?? createLog('info');
  const admin = await openAdminOf(settings, logger);
  try {
    const supervisor = startPrimary(settings, { logger });
    const running: RunningSupervisor = {
      ...supervisor,
      reload: async (next) => supervisor.reload(next && resolveSettings(next, context)),
    };
    admin?.attach({ ...supervisor, reload: () => supervisor.reload() });
    const close = (): Promise<void> | undefined => admin?.close();
    supervisor.stopped.then(close, close);
    return running;
  } catch (error) {
    await admin?.close();
    throw error;
  }
}
