import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { ChaosError, messageOf } from '../base/errors.ts';

const PROBE_TIMEOUT_MS = 500;

export interface Origin {
  readonly url: string;
  /** For the Host header. */
  readonly host: string;
  /** As the user wrote it, for TLS. */
  readonly hostname: string;
  /** Where the connections go: looked up once, so that no connection waits for the resolver or tries two families. */
  readonly address: string;
}

/**
 * Resolves an origin such as `http://localhost:3000`.
 * @throws ChaosError 'usage' if it is no http(s) origin, or its name is unknown
 */
export async function resolveOrigin(origin: string): Promise<Origin> {
  const url = URL.canParse(origin) ? new URL(origin) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new ChaosError('usage', `expected an origin such as http://127.0.0.1:3000, got ${origin}`);
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  return {
    url: `${url.protocol}//${url.host}`,
    host: url.host,
    hostname,
    address: isIP(hostname) === 0 ? await findAddress(hostname, port) : hostname,
  };
}

async function findAddress(hostname: string, port: number): Promise<string> {
  let found: readonly { readonly address: string }[];
  try {
    found = await lookup(hostname, { all: true, verbatim: true });
  } catch (error) {
    throw new ChaosError('usage', `cannot look up ${hostname}: ${messageOf(error)}`, { cause: error });
  }
  for (const { address } of found) if (await listens(address, port)) return address;
  return found[0]?.address ?? hostname;
}

/** Whether something accepts a connection there: localhost often has two addresses and a server on one of them. */
function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const end = (up: boolean) => () => {
      socket.destroy();
      resolve(up);
    };
    socket.once('connect', end(true)).once('timeout', end(false)).once('error', end(false));
  });
}
