import { createServer } from 'node:http';
import type { Logger } from 'pino';
import { ChaosError, messageOf } from '../../base/errors.ts';
import type { AdminAddress, SupervisorSettings } from '../settings.ts';
import { bindAdmin, isDefaultAdmin } from './bind.ts';
import { Clients } from './clients.ts';
import type { Control } from './control.ts';
import { refusalOf } from './guard.ts';
import { metricsRenderer } from './metrics.ts';
import { answer, failure, send } from './routes.ts';

/** Steering is done by a person or a scraper; more at a time is a mistake of somebody's. */
const CONNECTIONS_MAX = 64;
/** Until a request is there as a whole. */
const REQUEST_MS_MAX = 10_000;
/** Node looks for slow requests this often; by default it does so every 30 s. */
const CHECK_MS = 1000;
/** An answer to who asked for the stop goes out before this. */
const CLOSE_MS_MAX = 1000;

export interface AdminServer {
  readonly address: AdminAddress;
  /** From now on requests are answered; before, they get a 503. */
  readonly attach: (control: Control) => void;
  readonly close: () => Promise<void>;
}

/**
 * The admin address that settings ask for. One that was asked for must be had; the default one is a convenience, and a
 * second supervisor in a folder does without.
 */
export async function openAdminOf(settings: SupervisorSettings, log: Logger): Promise<AdminServer | null> {
  const { admin, metrics } = settings;
  if (admin === null) return null;
  try {
    return await openAdmin(admin, { metrics });
  } catch (error) {
    const isTaken = error instanceof ChaosError && codeOf(error.cause) === 'EADDRINUSE';
    if (!isTaken || !isDefaultAdmin(admin) || metrics) throw error;
    log.warn({ why: messageOf(error) }, 'no admin address for this one; give it one with --admin');
    return null;
  }
}

function codeOf(cause: unknown): string | undefined {
  return (cause as NodeJS.ErrnoException | undefined)?.code;
}

/**
 * Status and steering over HTTP: GET /status and /metrics, POST /reload, /scale?service=&workers= and /stop.
 * On a unix socket only this user gets in; on a port, every user of this machine does.
 *
 * @throws ChaosError 'usage' when the address is taken, or metrics are asked for without prom-client
 */
export async function openAdmin(
  address: AdminAddress,
  options: { readonly metrics: boolean },
): Promise<AdminServer> {
  let control: Control | null = null;
  const render = options.metrics ? await metricsRenderer() : null;
  const metrics = render === null ? null : (from: Control) => render(from.status());
  const clients = new Clients(CONNECTIONS_MAX);
  const limits = {
    requestTimeout: REQUEST_MS_MAX,
    headersTimeout: REQUEST_MS_MAX,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server = createServer(limits, (req, res) => {
    // Nothing here takes a body.
    req.resume();
    const refusal = 'port' in address ? refusalOf(req) : null;
    if (refusal !== null) return send(res, failure(403, refusal));
    const { socket } = req;
    clients.busy(socket);
    void answer(req, { control, metrics }).then((made) => {
      if (!res.destroyed) send(res, made);
      clients.idle(socket);
    });
  });
  server.on('connection', (socket) => clients.add(socket));
  await bindAdmin(server, address);
  // One broken connection is no reason to end a supervisor.
  server.on('error', () => undefined);
  return {
    address,
    attach: (next) => {
      control = next;
    },
    close: () =>
      new Promise((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
