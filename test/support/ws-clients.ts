import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import type { Who } from './app-client.ts';

/** What the ws fixture app says first. */
interface Hello extends Who {
  readonly session: string;
  /** Connections of this session in this worker's memory, this one included. */
  readonly visits: number;
}

export interface WsClientSpec {
  readonly port: number;
  readonly session: string;
  readonly localAddress?: string;
  readonly cookie?: string;
}

/** A client as browsers have it: when its connection ends, it opens another at once. */
export class WsClient {
  readonly spec: WsClientSpec;
  /** Connections that ended without being asked to. */
  losses = 0;
  hello: Hello | null = null;
  #socket: WebSocket | null = null;
  #wanted = true;
  readonly #changes = new EventEmitter();

  constructor(spec: WsClientSpec) {
    this.spec = spec;
    this.#open();
  }

  /** Resolves when it is connected. */
  async connected(): Promise<Hello> {
    while (this.hello === null) await once(this.#changes, 'hello');
    return this.hello;
  }

  /** Ends the connection and opens another. */
  async reconnect(): Promise<Hello> {
    this.#socket?.removeAllListeners('close');
    this.#socket?.terminate();
    this.#open();
    return await this.connected();
  }

  /** True when the connection carries a message there and back. */
  async isAlive(): Promise<boolean> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return false;
    const answer = Promise.race([once(socket, 'message'), once(socket, 'close').then(() => [null])]);
    socket.send('ping');
    const [data] = await answer;
    return String(data) === 'ping';
  }

  close(): void {
    this.#wanted = false;
    this.#socket?.terminate();
  }

  #open(): void {
    this.hello = null;
    const { port, session, localAddress, cookie } = this.spec;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${session}`, {
      perMessageDeflate: false,
      ...(localAddress === undefined ? {} : { localAddress }),
      headers: cookie === undefined ? {} : { cookie },
    });
    this.#socket = socket;
    // 'close' follows.
    socket.on('error', () => undefined);
    socket.once('message', (data: Buffer) => {
      this.hello = JSON.parse(data.toString()) as Hello;
      this.#changes.emit('hello');
    });
    socket.once('close', () => {
      this.hello = null;
      this.losses++;
      if (this.#wanted) setImmediate(() => this.#open());
    });
  }
}

/** Clients by the worker that holds them. */
export function byPid(clients: readonly WsClient[]): ReadonlyMap<number, readonly WsClient[]> {
  const groups = new Map<number, WsClient[]>();
  for (const client of clients) {
    const pid = client.hello?.pid ?? 0;
    groups.set(pid, [...(groups.get(pid) ?? []), client]);
  }
  return groups;
}
