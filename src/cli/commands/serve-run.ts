import type { Logger } from 'pino';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { withDeadline } from '../../runtime/wait.ts';
import { type AdminServer, openAdminOf } from '../../supervisor/admin/admin-server.ts';
import { shownAddress } from '../../supervisor/admin/client.ts';
import { isStopping } from '../../supervisor/admin/control.ts';
import { WORKERS_MAX } from '../../supervisor/options/special-kinds.ts';
import type { AdminAddress, Supervisor, SupervisorSettings } from '../../supervisor/settings.ts';
import type { CliContext } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { type Notify, systemdNotify } from './serve-notify.ts';
import { listenForSignals } from './serve-signals.ts';

/** What `serve` works with; a test may give a supervisor of its own. */
export interface ServeParts {
  readonly log: Logger;
  /** Settings from flags, config file and environment as they are now. */
  readonly settings: () => Promise<SupervisorSettings>;
  /** Whether a reload reads them again: without a config file nothing can have changed. */
  readonly rereads: boolean;
  readonly start: (settings: SupervisorSettings, given: { readonly logger: Logger }) => Supervisor;
}

/** SIGKILL ends a process in ms; a machine that cannot do it in this is not waited for. */
const FORCE_MS_MAX = 3000;

/**
 * Runs a supervisor until it is stopped.
 *
 * @returns 'pass' after an orderly stop, 'interrupted' or 'terminated' when a second signal forced it
 * @throws ChaosError 'usage' when settings are bad, the admin address is taken, or the app cannot listen at its first start
 */
export async function runServe(cli: CliContext, parts: ServeParts): Promise<ExitName> {
  const signals = listenForSignals();
  let admin: AdminServer | null = null;
  try {
    const { log } = parts;
    const settings = await Promise.race([parts.settings(), signals.stopAsked]);
    if (typeof settings === 'string') {
      // What still reads the config ends with us.
      log.info({ by: settings }, 'stopped before anything was started');
      return 'pass';
    }
    admin = await openAdminOf(settings, log);
    for (const service of settings.services) {
      log.info(
        { service: service.name, entry: service.entry, workers: service.policy.workers },
        'service starts',
      );
    }
    const running: Running = {
      supervisor: parts.start(settings, { logger: log }),
      notify: systemdNotify(cli.env, log),
      settings,
      steeredAt: admin?.address ?? null,
      parts,
    };
    let forcedBy: NodeJS.Signals | null = null;
    const forced = new Promise<void>((resolve) => {
      signals.attach({
        // How it went is what `stopped` says.
        stop: (signal) => void stop(running, signal).catch(() => undefined),
        force: (signal) => {
          log.warn({ signal }, 'forced: workers are killed');
          forcedBy ??= signal;
          running.supervisor.force();
          resolve();
        },
        // It tells the log how it went.
        reload: () => void reload(running).catch(() => undefined),
        scaleBy: (step) => scaleBy(running, step),
      });
    });
    admin?.attach({
      ...running.supervisor,
      reload: () => reload(running),
      stop: () => stop(running, 'admin'),
    });
    void tellReady(running);
    await Promise.race([running.supervisor.stopped, forced.then(() => ended(running.supervisor))]);
    return forcedBy === null ? 'pass' : forcedBy === 'SIGINT' ? 'interrupted' : 'terminated';
  } finally {
    await admin?.close();
    signals.dispose();
  }
}

/** After a force. @throws ChaosError 'leftover' when a worker outlives its SIGKILL */
async function ended({ stopped, status }: Supervisor): Promise<void> {
  try {
    await withDeadline(stopped, FORCE_MS_MAX);
  } catch (error) {
    const pids = status().services.flatMap(({ workers }) => workers.map(({ pid }) => pid));
    if (pids.length === 0) throw error;
    throw new ChaosError('leftover', `workers are left after SIGKILL: pid ${pids.join(', ')}`, {
      hint: 'A process that the kernel cannot end waits for a device or a network file system.',
      cause: error,
    });
  }
}

interface Running {
  readonly supervisor: Supervisor;
  readonly notify: Notify;
  readonly settings: SupervisorSettings;
  /** Null also where somebody else has the default address. */
  readonly steeredAt: AdminAddress | null;
  readonly parts: ServeParts;
}

async function tellReady({ supervisor, steeredAt, notify, parts: { log } }: Running): Promise<void> {
  try {
    await supervisor.ready;
  } catch {
    // Stopped before it was ready; `stopped` says how that went.
    return;
  }
  const steered = steeredAt === null ? {} : { admin: shownAddress(steeredAt) };
  for (const { name, serving, listeners } of supervisor.status().services) {
    const where = listeners.length > 0 ? `, listening on ${listeners.join(', ')}` : '';
    log.info({ service: name, ...steered }, `ready: ${workersText(serving)}${where}`);
  }
  notify.ready(summary(supervisor));
}

async function stop({ supervisor, notify, parts: { log } }: Running, by: string): Promise<void> {
  log.info({ by }, 'stop asked for; a second signal forces it');
  notify.stopping();
  await supervisor.stop();
}

/**
 * What is wrong with a new config, or with the code that it starts, is told to the log; the old workers go on.
 *
 * @throws ChaosError 'unhealthy' while it stops, or what was wrong
 */
async function reload(running: Running): Promise<void> {
  const { supervisor, notify, settings, parts } = running;
  const { log } = parts;
  const tooLate = new ChaosError('unhealthy', 'the supervisor is stopping');
  if (isTooLate(running, 'reload')) throw tooLate;
  notify.reloading();
  try {
    const next = parts.rereads ? await parts.settings() : undefined;
    if (next !== undefined && addressText(next) !== addressText(settings)) {
      log.warn('admin and metrics stay as they are until the next start');
    }
    await supervisor.reload(next);
  } catch (error) {
    // A stop may have come in between: then nothing goes on.
    if (isTooLate(running, 'reload')) throw tooLate;
    const isBad = error instanceof ChaosError && error.reason === 'usage';
    const hint = error instanceof ChaosError ? error.hint : undefined;
    log.error(
      { why: messageOf(error), ...(hint !== undefined && { hint }) },
      isBad ? 'reload refused; the old workers go on' : 'reload not done',
    );
    throw error;
  } finally {
    // The last that systemd hears of a stop is that it stops.
    if (!isStopping(supervisor.status())) notify.ready(summary(supervisor));
  }
}

/** Whether it stops already, and says so in the log. */
function isTooLate({ supervisor, parts: { log } }: Running, what: 'reload' | 'scaling'): boolean {
  if (!isStopping(supervisor.status())) return false;
  log.warn(`${what} refused: the supervisor is stopping`);
  return true;
}

function scaleBy(running: Running, step: 1 | -1): void {
  if (isTooLate(running, 'scaling')) return;
  const { supervisor, parts } = running;
  const { log } = parts;
  const first = supervisor.status().services[0];
  if (first === undefined) return;
  const workers = first.workersWanted + step;
  if (workers < 1 || workers > WORKERS_MAX) {
    const bound = step < 0 ? 'fewer workers than 1' : `more workers than ${WORKERS_MAX}`;
    log.warn({ service: first.name, workers: first.workersWanted }, `there are no ${bound}`);
    return;
  }
  supervisor.scale(first.name, workers);
}

function summary(supervisor: Supervisor): string {
  return supervisor
    .status()
    .services.map(
      ({ name, serving, workersWanted }) => `${name}: ${serving} of ${workersWanted} workers serve`,
    )
    .join('; ');
}

function workersText(count: number): string {
  return count === 1 ? '1 worker serves' : `${count} workers serve`;
}

function addressText({ admin, metrics }: SupervisorSettings): string {
  return JSON.stringify([admin, metrics]);
}
