import { ChaosError, messageOf } from '../../base/errors.ts';
import { type AdminAnswer, askAdmin, shownAddress } from '../../supervisor/admin/client.ts';
import { isRecord } from '../../supervisor/options/kinds.ts';
import type { AdminAddress, SupervisorStatus } from '../../supervisor/settings.ts';
import type { CliContext } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { renderStatus } from './serve-status.ts';

/** What a running supervisor is asked for. */
export type Ask =
  | { readonly do: 'status' }
  | { readonly do: 'reload' }
  | { readonly do: 'stop' }
  | { readonly do: 'scale'; readonly workers: string; readonly service: string | undefined };

const STATUS_MS_MAX = 5000;

/**
 * Carries one request to the supervisor at an address.
 *
 * @returns 'unhealthy' when a service has no worker that serves
 * @throws ChaosError 'unhealthy' when nobody answers or it could not do it, 'usage' when it refused
 */
export async function askSupervisor(
  cli: CliContext,
  address: AdminAddress,
  ask: Ask,
  options: { readonly json: boolean },
): Promise<ExitName> {
  const body = await answerOf(address, ask);
  if (options.json) {
    cli.stdout.write(`${JSON.stringify(body)}\n`);
  } else if (ask.do === 'stop') {
    cli.stdout.write('stopped: no worker is left\n');
  } else {
    cli.stdout.write(renderStatus(body as SupervisorStatus, shownAddress(address)));
  }
  if (ask.do !== 'status') return 'pass';
  const { services } = body as SupervisorStatus;
  // One that a reload took out of the config drains, and is no loss.
  const wanted = services.filter(({ goal }) => goal === 'run');
  const judged = wanted.length > 0 ? wanted : services;
  return judged.every(({ serving }) => serving > 0) ? 'pass' : 'unhealthy';
}

async function answerOf(address: AdminAddress, ask: Ask): Promise<unknown> {
  let answer: AdminAnswer;
  try {
    answer = await askAdmin(address, requestOf(ask));
  } catch (error) {
    throw new ChaosError(
      'unhealthy',
      `no supervisor answers at ${shownAddress(address)}: ${messageOf(error)}`,
      {
        hint: 'Ask from the folder that it was started in, or say where it is steered: --admin <path|port>.',
        cause: error,
      },
    );
  }
  if (answer.status === 200) return answer.body;
  const body = isRecord(answer.body) ? answer.body : {};
  const hint = typeof body['hint'] === 'string' ? { hint: body['hint'] } : {};
  const what = typeof body['error'] === 'string' ? body['error'] : `the supervisor answered ${answer.status}`;
  const reason = answer.status < 500 ? 'usage' : 'unhealthy';
  throw new ChaosError(reason, what, hint);
}

function requestOf(ask: Ask): Parameters<typeof askAdmin>[1] {
  switch (ask.do) {
    case 'status':
      return { method: 'GET', path: '/status', timeoutMs: STATUS_MS_MAX };
    case 'reload':
    case 'stop':
      return { method: 'POST', path: `/${ask.do}` };
    case 'scale': {
      const query = new URLSearchParams({ workers: ask.workers });
      if (ask.service !== undefined) query.set('service', ask.service);
      return { method: 'POST', path: `/scale?${query.toString()}`, timeoutMs: STATUS_MS_MAX };
    }
  }
}
