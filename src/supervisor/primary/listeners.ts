import net from 'node:net';
import { ChaosError } from '../../base/errors.ts';
import type { ListenQuery, SockName } from '../wire.cts';
import { acceptRaw, listeningHandle, type RawHandle } from './raw-handle.ts';

/** What the kernel lets wait for `accept`; its own limit (somaxconn) is 4096 on current systems, and wins. */
const BACKLOG = 4096;
/** UV_TCP_IPV6ONLY, as net passes it in `flags`. */
const IPV6_ONLY = 1;

export interface Listener {
  readonly key: string;
  readonly server: net.Server;
  readonly sockname: SockName;
  /** What the first worker gave for the others: a TLS server's ticket keys, so that a session resumes on any worker. */
  readonly data: unknown;
}

/** A listen that the system refused. */
export class ListenError extends Error {
  readonly code: string;
  /** Negative, as libuv has it. */
  readonly errno: number;

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause });
    this.code = cause.code ?? 'UNKNOWN';
    this.errno = cause.errno ?? -1;
  }
}

/**
 * The listening sockets of one service. They belong to the primary and stay open while workers come and go: nobody is
 * refused as long as the primary lives.
 */
export class Listeners {
  readonly #open = new Map<string, Promise<Listener>>();
  readonly #onAccept: (key: string, handle: RawHandle) => void;

  constructor(onAccept: (key: string, handle: RawHandle) => void) {
    this.#onAccept = onAccept;
  }

  /**
   * The listener for what an app asked for; the first worker that asks opens it, the others share it.
   *
   * @throws ListenError when the system refuses
   */
  listen(query: ListenQuery, data: unknown): Promise<Listener> {
    const key = keyOf(query);
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const opening = this.#listen(key, query, data);
    this.#open.set(key, opening);
    // The next worker that asks tries again.
    opening.catch(() => this.#open.delete(key));
    return opening;
  }

  /** The listening socket of a listener; null when there is none, or none any more. */
  async handleOf(key: string): Promise<RawHandle | null> {
    const listener = await this.#open.get(key)?.catch(() => undefined);
    return listener === undefined ? null : listeningHandle(listener.server);
  }

  /** Closes what nobody of the service listens on any more. */
  closeExcept(keys: ReadonlySet<string>): void {
    for (const [key, opening] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      opening.then(
        ({ server }) => server.close(),
        () => undefined,
      );
    }
  }

  closeAll(): void {
    this.closeExcept(new Set());
  }

  #listen(key: string, query: ListenQuery, data: unknown): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = net.createServer();
      server.once('error', (error) => reject(new ListenError(error)));
      server.listen(listenOptions(query), () => {
        acceptRaw(server, (handle) => this.#onAccept(key, handle));
        const address = server.address();
        const sockname = typeof address === 'object' && address !== null ? { ...address } : {};
        resolve({ key, server, sockname, data });
      });
    });
  }
}

function listenOptions(query: ListenQuery): net.ListenOptions & { fd?: number } {
  const { address, port, flags, backlog, fd, readableAll, writableAll } = query;
  const queue = backlog > 0 ? backlog : BACKLOG;
  if (fd !== undefined && fd >= 0) return { fd, backlog: queue };
  if (port < 0 && address !== null)
    return {
      path: address,
      backlog: queue,
      readableAll: readableAll === true,
      writableAll: writableAll === true,
    };
  const host = address === null ? {} : { host: address };
  return { port, ...host, ipv6Only: (flags & IPV6_ONLY) !== 0, backlog: queue };
}

/** As node:cluster tells listeners apart: `listen(0)` is a port of its own for each call, the same in all workers. */
function keyOf({ address, port, addressType, index, fd }: ListenQuery): string {
  if (fd !== undefined && fd >= 0) return `fd:${fd}`;
  if (port < 0) return `path:${address ?? ''}`;
  const host = address ?? '*';
  return port === 0 ? `${host}:0#${index}/${addressType}` : `${host}:${port}`;
}

/** What the user is told of a first listen that failed. */
export function listenFailure(error: ListenError, where: string): ChaosError {
  const message = `cannot listen on ${where}: ${error.message}`;
  const hint =
    error.code === 'EADDRINUSE'
      ? 'Something else listens there, perhaps another service: end it, or give this one another port, with --port or in the config.'
      : 'Choose a port above 1023, or an address of this machine.';
  return new ChaosError('usage', message, { hint, cause: error });
}
