import net from 'node:net';
import { ChaosError } from '../../base/errors.ts';
import type { ListenQuery, SockName } from '../wire.cts';
import { acceptRaw, listeningHandle, type RawHandle } from './raw-handle.ts';
import { removeStaleSocket } from './stale-socket.ts';

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

/** One listening socket, from when the first worker asks for it. */
interface Entry {
  readonly opening: Promise<Listener>;
  /** Null until it is open. */
  opened: Listener | null;
  /** Workers that listen on it, or have asked to. */
  readonly holders: Set<number>;
  /** As the last worker that asked has it. */
  isHttp: boolean;
  /** Nobody had it when it was last looked at. */
  isSpare: boolean;
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
 * refused as long as the primary lives. What the app itself closes is closed at once; what its worker left behind, when
 * nobody comes for it any more.
 */
export class Listeners {
  readonly #open = new Map<string, Entry>();
  readonly #onAccept: (key: string, handle: RawHandle) => void;

  constructor(onAccept: (key: string, handle: RawHandle) => void) {
    this.#onAccept = onAccept;
  }

  /**
   * The listener for what an app asked for; the first worker that asks opens it, the others share it.
   *
   * @throws ListenError when the system refuses
   */
  listen(worker: number, query: ListenQuery, data: unknown): Promise<Listener> {
    const key = keyOf(query);
    const entry = this.#open.get(key) ?? this.#add(key, query, data);
    entry.holders.add(worker);
    entry.isHttp = query.isHttp;
    entry.isSpare = false;
    return entry.opening;
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  /** Do its clients speak first, in HTTP? */
  isHttp(key: string): boolean {
    return this.#open.get(key)?.isHttp === true;
  }

  /** The listening socket of a listener; null when there is none, or none any more. */
  handleOf(key: string): RawHandle | null {
    const opened = this.#open.get(key)?.opened ?? null;
    return opened === null ? null : listeningHandle(opened.server);
  }

  /** The app closed its server there. With the last one the listener goes, so that clients are refused as by any server. */
  unlisten(worker: number, key: string): void {
    this.leave(worker, key);
    const entry = this.#open.get(key);
    if (entry?.holders.size === 0) void this.#close(key, entry);
  }

  /** The worker is gone, or on its way: who replaces it will want the listener. */
  leave(worker: number, key?: string): void {
    for (const [own, { holders }] of this.#open) if (key === undefined || key === own) holders.delete(worker);
  }

  /**
   * Closes what nobody has. To be called again and again while nobody is on his way: closed is only what was found so
   * twice, as an app may listen on a second port some time after the first.
   */
  sweep(): void {
    for (const [key, entry] of this.#open) {
      if (entry.holders.size > 0) continue;
      if (entry.isSpare) void this.#close(key, entry);
      entry.isSpare = true;
    }
  }

  closeAll(): void {
    for (const [key, entry] of this.#open) void this.#close(key, entry);
  }

  #add(key: string, query: ListenQuery, data: unknown): Entry {
    const opening = this.#listenAgain(key, query, data);
    const entry: Entry = { opening, opened: null, holders: new Set(), isHttp: query.isHttp, isSpare: false };
    this.#open.set(key, entry);
    opening.then(
      (listener) => {
        entry.opened = listener;
      },
      // The next worker that asks tries again.
      () => this.#forget(key, entry),
    );
    return entry;
  }

  /** Under its key there may be another by now. */
  #forget(key: string, entry: Entry): void {
    if (this.#open.get(key) === entry) this.#open.delete(key);
  }

  /** Resolves when its port is free. */
  async #close(key: string, entry: Entry): Promise<void> {
    this.#forget(key, entry);
    // At once if it is open: the app's next word may be a listen on the same port.
    const opened = entry.opened ?? (await entry.opening.catch(() => null));
    if (opened !== null) await new Promise((resolve) => opened.server.close(resolve));
  }

  /** What is in the way may be what a worker that is gone has left behind, or a primary that was killed. */
  async #listenAgain(key: string, query: ListenQuery, data: unknown): Promise<Listener> {
    try {
      return await this.#listen(key, query, data);
    } catch (error) {
      if (!(error instanceof ListenError) || error.code !== 'EADDRINUSE') throw error;
      const inTheWay = [...this.#open].filter(
        ([, { holders, opened }]) => holders.size === 0 && opened?.sockname.port === query.port,
      );
      await Promise.all(inTheWay.map(([other, entry]) => this.#close(other, entry)));
      const isPath = query.port < 0 && query.address !== null;
      const isFreed = isPath
        ? await removeStaleSocket(query.address).catch(() => false)
        : inTheWay.length > 0;
      if (!isFreed) throw error;
      return this.#listen(key, query, data);
    }
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
