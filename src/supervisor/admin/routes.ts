import type { IncomingMessage, ServerResponse } from 'node:http';
import { ChaosError, messageOf } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import { countOfWorkers } from '../options/special-kinds.ts';
import { type Control, isStopping } from './control.ts';

/** What a request is answered with; a text is of `type`, anything else is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
  readonly allow?: string;
}

export interface RouteContext {
  /** Null while the supervisor starts. */
  readonly control: Control | null;
  readonly metrics: ((control: Control) => Promise<{ readonly text: string; readonly type: string }>) | null;
}

type Route = (control: Control, query: URLSearchParams, context: RouteContext) => Promise<Answer> | Answer;

const ROUTES: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly run: Route }>> = {
  '/status': { method: 'GET', run: (control) => ({ status: 200, body: control.status() }) },
  '/metrics': { method: 'GET', run: metrics },
  '/reload': { method: 'POST', run: reload },
  '/scale': { method: 'POST', run: scale },
  '/stop': { method: 'POST', run: stop },
};

/** Answers one request; never throws. */
export async function answer(
  req: Pick<IncomingMessage, 'method' | 'url'>,
  context: RouteContext,
): Promise<Answer> {
  const [path = '/', search = ''] = (req.url ?? '/').split('?', 2);
  const known = Object.keys(ROUTES);
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  if (route === undefined) return failure(404, 'there is nothing here', `Known: ${known.join(', ')}.`);
  const method = req.method === 'HEAD' ? 'GET' : req.method;
  if (method !== route.method) {
    return { ...failure(405, `${path} takes ${route.method}`), allow: route.method };
  }
  if (context.control === null) return failure(503, 'the supervisor starts');
  try {
    return await route.run(context.control, new URLSearchParams(search), context);
  } catch (error) {
    // It may have begun meanwhile; whatever else is wrong does not matter then.
    if (isStopping(context.control.status())) return stopping();
    const hint = error instanceof ChaosError ? error.hint : undefined;
    const isAsked = error instanceof ChaosError && error.reason === 'usage';
    return failure(isAsked ? 422 : 500, messageOf(error), hint);
  }
}

export function send(res: ServerResponse, { status, body, type, allow }: Answer): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  res.writeHead(status, {
    'content-type': type ?? 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(allow !== undefined && { allow }),
  });
  res.end(res.req.method === 'HEAD' ? undefined : text);
}

export function failure(status: number, error: string, hint?: string): Answer {
  return { status, body: { error, ...(hint !== undefined && { hint }) } };
}

/** What is asked for is in order, only too late: not the 4xx of a bad request. */
function stopping(): Answer {
  return failure(503, 'the supervisor is stopping', 'chaos serve --stop waits for the end of it.');
}

async function metrics(control: Control, _query: URLSearchParams, context: RouteContext): Promise<Answer> {
  if (context.metrics === null) {
    return failure(404, 'metrics are off', 'Start the supervisor with --metrics.');
  }
  const { text, type } = await context.metrics(control);
  return { status: 200, body: text, type };
}

async function reload(control: Control): Promise<Answer> {
  if (isStopping(control.status())) return stopping();
  await control.reload();
  return { status: 200, body: control.status() };
}

async function stop(control: Control): Promise<Answer> {
  await control.stop();
  return { status: 200, body: { stopped: true } };
}

function scale(control: Control, query: URLSearchParams): Answer {
  const status = control.status();
  if (isStopping(status)) return stopping();
  const names = status.services.map(({ name }) => name);
  const name = query.get('service') ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    return failure(422, 'service is missing, and there are several', `Known: ${names.join(', ')}.`);
  }
  if (!names.includes(name)) {
    const near = nearest(name, names);
    return failure(
      404,
      'there is no such service',
      near === undefined ? `Known: ${names.join(', ')}.` : `Did you mean ${near}?`,
    );
  }
  const workers = query.get('workers');
  const read = countOfWorkers.read(workers, { textual: true, baseDir: '' });
  if ('faults' in read) {
    return failure(422, `workers: expected ${countOfWorkers.expected}, got ${JSON.stringify(workers)}`);
  }
  if (status.services.some((service) => service.name === name && service.goal !== 'run')) {
    return failure(503, `service ${name} is stopping`, 'The config that was read last has no such service.');
  }
  control.scale(name, read.value);
  return { status: 200, body: control.status() };
}
