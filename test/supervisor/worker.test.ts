import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http, { Agent, type IncomingMessage } from 'node:http';
import http2, { type ClientHttp2Session } from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import net, { type Socket } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { freePort } from '../../dist/runtime/free-port.js';
import type { BusMessage, ToWorker, WorkerSettings } from '../../dist/supervisor/wire.cjs';
import type { Bus, BusModule, BusOptions } from '../../dist/supervisor/worker/bus.cjs';
import type { Health } from '../../dist/supervisor/worker/health.cjs';
import { eventually, ROOT, tempDir } from '../support/chaos.ts';
import { cleanSpawn } from '../support/clean-spawn.ts';

const FIXTURES = join(ROOT, 'test/supervisor/fixtures');
/** The suite under another Node: its path. The test itself stays on this one. */
const NODE = process.env['CHAOS_TEST_NODE'] ?? process.execPath;
const DEADLINE_MS = 15_000;
const NEVER_MS = 60_000;

/** The primary adds where the heartbeat goes. */
const SETTINGS: Omit<WorkerSettings, 'pulse'> = {
  service: 'shop',
  worker: 7,
  generation: 3,
  beatMs: 20,
  claimMs: 5000,
  ready: 'listening',
  balance: 'round-robin',
  stickyCookie: null,
  hasListened: false,
  watchParent: false,
  ipc: { messageBytesMax: 10_000, outstandingMax: 4, queuedBytesMax: 20_000 },
};

type Said = { readonly t: string } & Readonly<Record<string, unknown>>;
type Command =
  | { readonly do: 'send'; readonly message: ToWorker }
  | { readonly do: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly do: 'mode'; readonly mode: { readonly ageMs?: number; readonly head?: boolean } }
  | { readonly do: 'disconnect' | 'die' | 'again' | 'app-message' };

interface Rig {
  readonly primary: ChildProcess;
  readonly port: number;
  /** All that primary, worker and app have said, beats left out. */
  readonly said: readonly Said[];
  beat(): Readonly<Record<string, number>>;
  /** The first that fits, from the past too. */
  heard(what: string | ((said: Said) => boolean)): Promise<Said>;
  count(what: string): number;
  tell(command: Command): Promise<void>;
  /** Resolves when the worker knows, or has ended. */
  drain(graceMs: number): Promise<void>;
  /** In rotation; resolves when the worker knows. */
  serve(): Promise<void>;
  pid(): number;
}

/** A worker with one of the apps under a small primary. */
async function start(
  t: Test,
  kind: string,
  options: {
    readonly settings?: Partial<WorkerSettings>;
    readonly where?: string;
    readonly app?: string;
    readonly listens?: boolean;
    readonly preload?: string;
    readonly ticketKeys?: string;
  } = {},
): Promise<Rig> {
  const port = await freePort();
  const OPTIONS = JSON.stringify({
    app: join(FIXTURES, options.app ?? 'worker-apps.cjs'),
    args: [kind, options.where ?? String(port)],
    settings: { ...SETTINGS, ...options.settings },
    preload: options.preload,
    fdPort: port,
    ticketKeys: options.ticketKeys,
  });
  const primary = cleanSpawn(NODE, [join(FIXTURES, 'worker-primary.mjs')], {
    env: { OPTIONS },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said: Said[] = [];
  let errors = '';
  let beat: Readonly<Record<string, number>> = {};
  let rest = '';
  let wake = (): void => {};
  primary.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as Said;
      if (message.t === 'beat') beat = message['beat'] as typeof beat;
      else said.push(message);
    }
    wake();
  });
  primary.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  primary.stdin?.on('error', () => {});
  /** The channel keeps the order: once this is answered, the worker knows what it was told before. */
  const isHeard = async (topic: string): Promise<void> => {
    const id = 9000 + said.length;
    await rig.tell({
      do: 'send',
      message: { t: 'ask', id, topic, body: null, from: 0, timeoutMs: NEVER_MS },
    });
    await rig.heard((it) => it.t === 'exit' || (it.t === 'reply' && it['id'] === id));
  };
  const rig: Rig = {
    primary,
    port,
    said,
    beat: () => beat,
    count: (what) => said.filter((it) => it.t === what).length,
    async heard(what) {
      const fits = typeof what === 'string' ? (it: Said) => it.t === what : what;
      for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
        const found = said.find(fits);
        if (found) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 100);
        });
      }
      throw new Error(
        `never heard ${String(what)}; but\n${said.map((it) => JSON.stringify(it)).join('\n')}\n${errors}`,
      );
    },
    async tell(command) {
      const before = rig.count('done');
      primary.stdin?.write(`${JSON.stringify(command)}\n`);
      // The primary ends with its worker, and an idle one that drains ends at once.
      if (command.do !== 'die') await rig.heard(() => rig.count('done') > before || rig.count('exit') > 0);
    },
    async drain(graceMs) {
      await rig.tell({ do: 'send', message: { t: 'drain', graceMs, reason: 'stop' } });
      await isHeard('drains?');
    },
    async serve() {
      await rig.tell({ do: 'send', message: { t: 'serve', slot: 1 } });
      await isHeard('serves?');
    },
    pid: () => Number(said.find((it) => it.t === 'forked')?.['pid']),
  };
  t.teardown(() => {
    for (const pid of [rig.pid(), primary.pid]) {
      try {
        if (pid !== undefined && Number.isInteger(pid)) process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  });
  if (options.listens ?? true) await rig.heard('app-listening');
  return rig;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
}

/** One request; with `agent` on a connection that stays. */
function ask(
  port: number,
  path = '/',
  options: https.RequestOptions & { readonly tls?: boolean; readonly body?: string | Buffer } = {},
): Promise<Answer> {
  const { tls, body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const request = (tls ? https : http).request(
      { port, host: '127.0.0.1', path, method, rejectUnauthorized: false, ...rest },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
          }),
        );
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** A raw client that collects what it gets. */
class Client {
  text = '';
  ended = false;
  readonly socket: Socket;
  readonly closed: Promise<void>;

  constructor(to: { readonly port: number } | { readonly path: string }, isTls = false) {
    const where = 'port' in to ? { port: to.port, host: '127.0.0.1' } : to;
    this.socket = isTls ? tls.connect({ ...where, rejectUnauthorized: false }) : net.connect(where);
    this.socket.setEncoding('utf8');
    this.socket.on('data', (chunk: string) => (this.text += chunk));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('error', (error) => (this.text += `[${error.message}]`));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  async until(what: (client: Client) => boolean): Promise<void> {
    for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
      if (what(this)) return;
      await new Promise((wake) => setTimeout(wake, 5));
    }
    throw new Error(`the client only got ${JSON.stringify(this.text)}`);
  }
}

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

function streamOf(
  session: ClientHttp2Session,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path });
    let status = 0;
    let text = '';
    stream.setEncoding('utf8');
    stream.on('response', (headers) => (status = headers[':status'] ?? 0));
    stream.on('data', (chunk: string) => (text += chunk));
    stream.on('end', () => resolve({ status, text }));
    stream.on('error', reject);
    stream.end();
  });
}

t.test('serving', async (t) => {
  t.test('an unmodified http app is served, and its life is told', async (t) => {
    const rig = await start(t, 'http');
    await rig.heard('ready');
    t.equal((await ask(rig.port)).text, 'ok');
    const listening = await rig.heard('app-listening');
    t.match(listening, { address: { address: '127.0.0.1', port: rig.port }, listening: true });
    t.match(await rig.heard('app-state'), { state: 'listening' });
    await rig.heard((it) => it.t === 'taken');
    await rig.heard(() => rig.beat()['requests'] === 1);
    t.match(rig.beat(), { taken: 1, requests: 1 });
    const {
      rssBytes = 0,
      heapUsedBytes = 0,
      heapLimitBytes = 0,
      cpuMs = 0,
      utilisation = -1,
      loopDelayMs = -1,
    } = rig.beat();
    t.ok(rssBytes > heapUsedBytes && heapLimitBytes > heapUsedBytes && heapUsedBytes > 0);
    t.ok(utilisation >= 0 && utilisation <= 1 && loopDelayMs >= 0 && cpuMs > 0);
    await rig.heard(() => (rig.beat()['cpu'] ?? 0) > 0);
    t.equal((await ask(rig.port, '/stall')).text, 'stalled');
    await rig.heard(() => rig.beat()['requests'] === 2);
    t.equal((await ask(rig.port)).text, 'ok');
    await rig.heard(() => rig.beat()['requests'] === 3);
    const { loopDelayMs: longestMs = 0 } = rig.beat();
    t.ok(longestMs > 100, `a stall of 200 ms is still told, beats later: ${longestMs} ms`);
    const order = rig.said.map((it) => it.t);
    t.ok(order.indexOf('hello') < order.indexOf('listen'));
    t.ok(order.indexOf('listen') < order.indexOf('ready'));
    t.equal(rig.count('ready'), 1);
    t.equal(rig.count('plain'), 0, 'nothing fell back to plain node:cluster');
  });

  t.test('an app that has used up its descriptors is still heard', async (t) => {
    const rig = await start(t, 'http');
    t.equal((await ask(rig.port, '/use-up-descriptors')).text, 'EMFILE');
    // The figures of memory and CPU are read anew four times a second.
    for (let times = 0; times < 3; times++) {
      const { cpuMs = 0 } = rig.beat();
      await rig.heard(() => (rig.beat()['cpuMs'] ?? 0) > cpuMs || rig.count('exit') > 0);
    }
    t.equal(rig.count('exit'), 0);
  });

  t.test('taken is said before a byte is read', async (t) => {
    const rig = await start(t, 'http');
    const client = new Client(rig);
    client.socket.write(GET('/hang'));
    await rig.heard('request');
    t.ok(await rig.heard('taken'), 'although the app has not come back from the first request');
    client.socket.destroy();
  });

  t.test('each connection is taken once', async (t) => {
    const rig = await start(t, 'http');
    const ids = (): readonly number[] =>
      rig.said.flatMap((it) => (it.t === 'taken' ? [it['id'] as number] : []));
    await Promise.all(Array.from({ length: 20 }, () => ask(rig.port, '/', { agent: false })));
    await rig.heard(() => ids().length >= 20);
    t.same(
      ids().toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  t.test('https, with the connection counted once', async (t) => {
    const rig = await start(t, 'https');
    t.equal((await ask(rig.port, '/', { tls: true })).text, 'ok');
    await rig.heard(() => rig.beat()['requests'] === 1);
    t.match(rig.beat(), { taken: 1, requests: 1 });
  });

  t.test('http2 with TLS, and HTTP/1 on the same server', async (t) => {
    const rig = await start(t, 'http2');
    const session = http2.connect(`https://127.0.0.1:${rig.port}`, { rejectUnauthorized: false });
    t.same(await streamOf(session, '/'), { status: 200, text: 'ok' });
    t.same(await streamOf(session, '/'), { status: 200, text: 'ok' });
    t.equal((await ask(rig.port, '/', { tls: true })).text, 'ok');
    session.close();
    await rig.heard(() => rig.beat()['requests'] === 3);
    t.match(rig.beat(), { taken: 2, requests: 3 }, 'two streams of one connection, one request of another');
  });

  t.test('http2 without TLS', async (t) => {
    const rig = await start(t, 'h2c');
    const session = http2.connect(`http://127.0.0.1:${rig.port}`);
    t.same(await streamOf(session, '/'), { status: 200, text: 'ok' });
    session.close();
  });

  t.test('a plain net server', async (t) => {
    const rig = await start(t, 'net');
    const client = new Client(rig);
    client.socket.end('hello');
    await client.closed;
    t.equal(client.text, 'hello');
    await rig.heard(() => rig.beat()['taken'] === 1 && rig.beat()['open'] === 0);
  });

  t.test('a socket that says twice that it closed counts once', async (t) => {
    const rig = await start(t, 'closes-again');
    const [first, second] = [new Client(rig), new Client(rig)];
    await rig.heard(() => rig.beat()['open'] === 2);
    first.socket.end();
    await rig.heard(() => rig.beat()['taken'] === 2 && rig.beat()['open'] === 1);
    second.socket.end();
    await rig.heard(() => rig.beat()['open'] === 0);
    await Promise.all([first.closed, second.closed]);
  });

  t.test('a unix socket', async (t) => {
    const path = join(tempDir(t), 'app.sock');
    const rig = await start(t, 'path', { where: path });
    t.match(await rig.heard('app-listening'), { address: path });
    t.equal((await ask(0, '/', { socketPath: path })).text, 'ok');
  });

  t.test('the primary is told whether clients speak first, in HTTP', async (t) => {
    for (const [kind, isHttp] of [
      ['http', true],
      ['https', true],
      ['h2c', true],
      ['net', false],
    ] as const) {
      const rig = await start(t, kind);
      t.match(await rig.heard('listen'), { query: { isHttp } }, kind);
    }
  });

  t.test('a unix socket that is no file', async (t) => {
    // As long as such a name may be: older Nodes fill shorter ones up with zeros.
    const name = `cluster-chaos-test-${randomUUID()}`.padEnd(107, '-');
    const rig = await start(t, 'abstract', { where: name });
    t.match(await rig.heard('listen'), { query: { address: `\0${name}` } });
    t.equal((await ask(rig.port, '/', { socketPath: `\0${name}` })).text, 'ok');
  });

  t.test('several listen(0) get ports of their own and real addresses', async (t) => {
    const rig = await start(t, 'two-random', { where: '0' });
    await rig.heard(() => rig.count('app-listening') === 2);
    const ports = rig.said.flatMap((it) =>
      it.t === 'app-listening' ? [(it['address'] as { port: number }).port] : [],
    );
    t.equal(new Set(ports).size, 2);
    t.ok(ports.every((port) => port > 0));
    t.equal((await ask(ports[1] ?? 0)).text, 'ok');
    t.same(
      rig.said.filter((it) => it.t === 'listen').map((it) => (it['query'] as { index: number }).index),
      [0, 1],
    );
  });

  t.test('a second server on the same port fails in one worker, as without workers', async (t) => {
    const rig = await start(t, 'twice');
    t.match(await rig.heard('app-error'), { code: 'EADDRINUSE', syscall: 'bind', port: rig.port });
    t.equal(rig.count('listen'), 1);
  });

  t.test('a file descriptor is the primary’s to listen on', async (t) => {
    const rig = await start(t, 'fd');
    t.match(await rig.heard('listen'), { query: { fd: 3 } });
    t.equal((await ask(rig.port)).text, 'ok');
  });

  t.test('an occupied port is the EADDRINUSE that apps know', async (t) => {
    const port = await freePort();
    const other = net.createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    t.teardown(() => other.close());
    const rig = await start(t, 'http', { where: String(port), listens: false });
    t.match(await rig.heard('app-error'), { code: 'EADDRINUSE', syscall: 'bind', port });
    t.equal(rig.count('ready'), 0);
  });

  t.test('an exclusive listener is the worker’s own', async (t) => {
    const rig = await start(t, 'exclusive');
    const { port } = (await rig.heard('app-listening'))['address'] as { port: number };
    t.equal((await ask(port)).text, 'ok');
    t.equal(rig.count('listen'), 0);
    t.equal(rig.count('ready'), 1, 'which may be all that it listens on');
    const slow = ask(port, '/slow');
    await rig.heard(({ url }) => url === '/slow');
    await rig.drain(NEVER_MS);
    await t.rejects(ask(port), { code: 'ECONNREFUSED' }, 'a drain closes it');
    t.equal((await slow).text, 'slow');
    t.match(await rig.heard('exit'), { code: 0, signal: null });
  });

  t.test(
    'a request that is under way when a drain begins may still ask a server of its own process',
    async (t) => {
      const rig = await start(t, 'upstream');
      await rig.heard('listen');
      const asked = ask(rig.port, '/gateway');
      await rig.heard(({ url }) => url === '/gateway');
      await rig.drain(NEVER_MS);
      t.equal((await asked).text, 'inner');
      t.match(await rig.heard('exit'), { code: 0, signal: null });
    },
  );

  t.test('an exclusive listener is a side door where others have listened through the primary', async (t) => {
    const rig = await start(t, 'exclusive', { settings: { hasListened: true } });
    const { port } = (await rig.heard('app-listening'))['address'] as { port: number };
    t.equal((await ask(port)).text, 'ok');
    t.equal(rig.count('ready'), 0, 'and says nothing about the service');
  });

  t.test('a server that listens on nothing says nothing about the service', async (t) => {
    const rig = await start(t, 'listens-on-nothing');
    await rig.heard(() => rig.beat()['taken'] === 0);
    t.equal(rig.count('listen') + rig.count('ready'), 0);
  });

  t.test('with reusePort a worker listens, by itself where Node can', async (t) => {
    const rig = await start(t, 'reuse-port');
    await rig.heard('ready');
    t.equal((await ask(rig.port)).text, 'ok');
    await rig.drain(NEVER_MS);
    t.match(await rig.heard('exit'), { code: 0, signal: null });
  });

  t.test('balance none: node:cluster listens, and we hear of it', async (t) => {
    const rig = await start(t, 'http', { settings: { balance: 'none' } });
    t.match(await rig.heard('listens'), { address: '127.0.0.1', port: rig.port });
    await rig.heard('ready');
    await t.rejects(ask(rig.port), { code: 'ECONNREFUSED' }, 'but not before it is in rotation');
    await rig.serve();
    t.equal((await ask(rig.port)).text, 'ok');
    t.equal(rig.count('listen') + rig.count('taken'), 0);
  });

  t.test(
    'balance none: a port that somebody else has taken until it serves is an error of the app’s server',
    async (t) => {
      const rig = await start(t, 'http', { settings: { balance: 'none' } });
      const other = net.createServer().listen(rig.port, '127.0.0.1');
      await once(other, 'listening');
      t.teardown(() => other.close());
      await rig.serve();
      t.match(await rig.heard('app-error'), { code: 'EADDRINUSE', syscall: 'listen', port: rig.port });
    },
  );

  t.test('on a Node without cluster._getServer, plain node:cluster serves, and it is said', async (t) => {
    const rig = await start(t, 'http', { preload: 'worker-hides-get-server.cjs' });
    t.match(await rig.heard('plain'), { detail: /_getServer/ });
    t.equal((await ask(rig.port)).text, 'ok');
    t.equal(rig.count('listen') + rig.count('taken'), 0);
    await rig.heard(() => rig.beat()['requests'] === 1);
  });

  t.test('servers of all workers share the keys of TLS session tickets', async (t) => {
    const rig = await start(t, 'https');
    const { data } = (await rig.heard('listen')) as { readonly data?: { readonly ticketKeys?: string } };
    t.match(data?.ticketKeys, /^[0-9a-f]{96}$/);
    const others = 'ab'.repeat(48);
    const second = await start(t, 'https', { ticketKeys: others });
    t.match(
      await second.heard('app-state'),
      { ticketKeys: others },
      'a worker takes over what the primary answers',
    );
  });

  t.test('closing the server is told', async (t) => {
    const rig = await start(t, 'closes');
    await rig.heard('app-closed');
    t.match(await rig.heard('unlisten'), { listener: `127.0.0.1:${rig.port}:4:0` });
    const client = new Client(rig);
    await rig.heard('stale');
    t.equal(client.ended, false, 'a connection that comes later goes back unread');
    client.socket.destroy();
  });
});

t.test('a connection that comes too late is left unread and unharmed', async (t) => {
  const rig = await start(t, 'http', { settings: { claimMs: 500 } });
  await rig.tell({ do: 'mode', mode: { ageMs: 501 } });
  const client = new Client(rig);
  client.socket.write(GET('/'));
  const stale = await rig.heard('stale');
  t.equal(stale['id'], 1);
  t.equal(rig.count('request') + rig.count('taken'), 0);
  await rig.tell({ do: 'mode', mode: { ageMs: 0 } });
  await rig.tell({ do: 'again' });
  await client.until((it) => it.text.endsWith('ok'));
  t.match(client.text, /^HTTP\/1.1 200/, 'the next to get it serves it whole');
  client.socket.destroy();
});

t.test('a connection that the server has no room for is left unread and unharmed', async (t) => {
  const rig = await start(t, 'max-one');
  const first = new Client(rig);
  await rig.heard('taken');
  const second = new Client(rig);
  second.socket.write('hello');
  t.match(await rig.heard('full'), { id: 2 });
  first.socket.end();
  await first.closed;
  await rig.heard(() => rig.beat()['taken'] === 1 && rig.beat()['open'] === 0);
  await rig.tell({ do: 'again' });
  await second.until((it) => it.text === 'hello');
  second.socket.end();
});

t.test('with dropMaxConnection it is the server that drops it', async (t) => {
  const rig = await start(t, 'drops-second');
  const first = new Client(rig);
  await rig.heard('taken');
  await new Client(rig).closed;
  t.equal(rig.count('full'), 0);
  first.socket.end();
});

t.test('what the primary read of a connection comes first', async (t) => {
  const body = 'x'.repeat(200_000);
  const post = `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (const [name, kind, parts, result] of [
    ['a whole request', 'http', [GET('/')], /ok$/],
    ['half a head', 'http', ['GET / HT', 'TP/1.1\r\nHost: x\r\n\r\n'], /ok$/],
    ['a head whose body is under way', 'http', [post.slice(0, 20), post.slice(20) + body], /\r\n200000$/],
    ['bytes of a plain server', 'net', ['first ', 'second'], /^first second$/],
  ] as const) {
    t.test(name, async (t) => {
      const rig = await start(t, kind);
      await rig.tell({ do: 'mode', mode: { head: true } });
      const client = new Client(rig);
      const [first = '', second] = parts;
      client.socket.write(first);
      await rig.heard('taken');
      if (second !== undefined) client.socket.write(second);
      await client.until((it) => result.test(it.text));
      client.socket.destroy();
    });
  }
});

t.test('readiness', async (t) => {
  t.test('online does not wait for a listener', async (t) => {
    const rig = await start(t, 'closes', { settings: { ready: 'online' }, listens: false });
    await rig.heard('ready');
  });

  t.test('signal waits for process.send("ready")', async (t) => {
    const rig = await start(t, 'pm2', { settings: { ready: 'signal' } });
    await rig.heard(() => rig.beat()['open'] !== undefined);
    t.equal(rig.count('ready'), 0);
    await rig.tell({ do: 'app-message' });
    await rig.heard('ready');
    t.match(await rig.heard('app-message'), { message: 'ready' }, 'which goes on to the primary as before');
  });

  t.test('signal waits for ready(), also from an ESM app', async (t) => {
    const rig = await start(t, '', { app: 'worker-esm.mjs', settings: { ready: 'signal' }, listens: false });
    await rig.heard('ready');
    t.match(await rig.heard('api'), { supervised: true, service: 'shop', slot: null });
    t.equal((await ask(rig.port)).text, 'esm');
  });
});

t.test('draining', async (t) => {
  // Each test has a worker of its own, and waits for its connections to fall silent.
  t.jobs = 2;
  t.test('an idle worker ends at once, with code 0', async (t) => {
    const rig = await start(t, 'http');
    await rig.drain(NEVER_MS);
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    t.equal(rig.count('drained'), 1);
  });

  t.test('keep-alive under load: nothing is dropped, each connection is told to close', async (t) => {
    for (const [kind, tls] of [
      ['http', false],
      ['https', true],
      ['http2', true],
    ] as const) {
      const rig = await start(t, kind);
      const clients = Array.from({ length: 8 }, async () => {
        const agent = new (tls ? https.Agent : Agent)({ keepAlive: true, maxSockets: 1 });
        for (let answered = 1; ; answered++) {
          const { text, headers } = await ask(rig.port, '/', { tls, agent });
          t.equal(text, 'ok');
          if (headers.connection === 'close') return answered;
        }
      });
      await rig.heard(() => (rig.beat()['requests'] ?? 0) > 50);
      await rig.drain(NEVER_MS);
      t.ok(
        (await Promise.all(clients)).every((answered) => answered > 1),
        `${kind}: all eight were closed by an answer`,
      );
      t.match(await rig.heard('exit'), { code: 0 });
    }
  });

  t.test('uploads, streams, slow answers and half heads run to their end', async (t) => {
    const rig = await start(t, 'http');
    const upload = new Client(rig);
    upload.socket.write(
      'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n' + 'x'.repeat(1000),
    );
    const half = new Client(rig);
    half.socket.write('GET / HTTP/1.1\r\nHo');
    const stream = ask(rig.port, '/stream');
    const slow = ask(rig.port, '/slow');
    await rig.heard(() => rig.count('request') === 3 && rig.beat()['open'] === 4);
    await rig.drain(NEVER_MS);
    t.equal((await slow).headers.connection, 'close');
    t.match((await stream).text, /end\n$/);
    half.socket.write('st: x\r\n\r\n');
    upload.socket.write('x'.repeat(1000));
    await Promise.all([half.closed, upload.closed]);
    t.match(half.text, /Connection: close\r\n[^]*ok$/);
    t.match(upload.text, /Connection: close\r\n[^]*2000$/);
    t.match(await rig.heard('exit'), { code: 0 });
  });

  t.test(
    'a client that pauses within a head is not taken for idle, one that pauses before it is',
    async (t) => {
      for (const [kind, isTls] of [
        ['http', false],
        ['https', true],
        ['http2', true],
      ] as const) {
        const rig = await start(t, kind);
        const open = (first: string): Client => {
          const client = new Client(rig, isTls);
          client.socket.write(first);
          return client;
        };
        const [fresh, next] = [open('GET / HTTP/1.1\r\nHo'), open(GET('/'))];
        const idle = open(GET('/'));
        await Promise.all([next, idle].map((client) => client.until((it) => it.text.endsWith('ok'))));
        next.socket.write('GET /set HT');
        await rig.heard(() => rig.beat()['requests'] === 2 && rig.beat()['open'] === 3);
        // An idle connection is closed after a quarter of this; each pauses for longer.
        await rig.drain(4000);
        await idle.closed;
        fresh.socket.write('st: x\r\n\r\n');
        next.socket.write('TP/1.1\r\nHost: x\r\n\r\n');
        await Promise.all([fresh.closed, next.closed]);
        t.match(fresh.text, /Connection: close\r\n[^]*ok$/, kind);
        t.match(next.text, /Connection: close\r\n[^]*set$/, kind);
      }
    },
  );

  t.test('an answer given before its upload was complete arrives whole', async (t) => {
    const rig = await start(t, 'http');
    const [idle, client] = [new Client(rig), new Client(rig)] as const;
    const bytes = 3_000_000;
    client.socket.write(`POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`.slice(0, 30));
    await rig.heard(() => rig.beat()['open'] === 2);
    await rig.drain(NEVER_MS);
    client.socket.write(`POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`.slice(30));
    await client.until((it) => it.text.endsWith('early'));
    t.match(client.text, /Connection: close/);
    // Only now the client goes on: it was slower than the answer.
    client.socket.write('x'.repeat(bytes));
    await client.closed;
    t.equal(idle.ended, false, 'it is closed at its end, before one that was idle for longer');
    t.match(client.text, /\r\n\r\nearly$/, 'and no reset');
    t.match(await rig.heard('exit'), { code: 0 });
  });

  t.test(
    'an idle connection is served once more, then closed; unused it is closed when it was silent',
    async (t) => {
      const rig = await start(t, 'http');
      const [used, unused] = [new Client(rig), new Client(rig)];
      for (const client of [used, unused]) client.socket.write(GET('/'));
      for (const client of [used, unused]) await client.until((it) => it.text.endsWith('ok'));
      t.notMatch(used.text, /Connection: close/);
      await rig.drain(NEVER_MS);
      used.text = '';
      used.socket.write(GET('/insists'));
      await used.closed;
      t.match(used.text, /Connection: close\r\n[^]*insists\r\n0\r\n\r\n$/, 'even if the app says keep-alive');
      t.equal(unused.ended, false);
      await unused.closed;
      t.match(await rig.heard('exit'), { code: 0 });
    },
  );

  t.test('pipelined requests are all answered; the last answer closes', async (t) => {
    const rig = await start(t, 'http');
    const client = new Client(rig);
    client.socket.write(GET('/slow') + GET('/') + GET('/slow'));
    await rig.heard(() => rig.count('request') === 3);
    await rig.drain(NEVER_MS);
    await client.closed;
    t.equal(client.text.match(/HTTP\/1.1 200/g)?.length, 3);
    t.equal(client.text.match(/Connection: close/g)?.length, 1);
    t.match(client.text, /slow$/);
  });

  t.test('http2: streams finish, GOAWAY is sent', async (t) => {
    for (const kind of ['http2', 'h2c']) {
      const rig = await start(t, kind);
      const [idle, busy] = [0, 1].map(() =>
        http2.connect(`${kind === 'h2c' ? 'http' : 'https'}://127.0.0.1:${rig.port}`, {
          rejectUnauthorized: false,
        }),
      ) as [ClientHttp2Session, ClientHttp2Session];
      await Promise.all([streamOf(idle, '/'), streamOf(busy, '/')]);
      const goaways = [idle, busy].map((it) => once(it, 'goaway'));
      const closes = [idle, busy].map((it) => once(it, 'close'));
      const stream = streamOf(busy, '/stream');
      await rig.heard((it) => it.t === 'request' && it['url'] === '/stream');
      await rig.drain(NEVER_MS);
      t.match(await stream, { status: 200, text: /end\n$/ });
      for (const goaway of goaways) t.equal((await goaway)[0], 0, 'without an error');
      await Promise.all(closes);
      t.match(await rig.heard('exit'), { code: 0 });
    }
  });

  t.test('http2: the next request of a session is answered, and its last', async (t) => {
    for (const kind of ['http2', 'h2c']) {
      const rig = await start(t, kind);
      const origin = `${kind === 'h2c' ? 'http' : 'https'}://127.0.0.1:${rig.port}`;
      const session = http2.connect(origin, { rejectUnauthorized: false });
      const lastIds: number[] = [];
      session.on('goaway', (_, lastId) => lastIds.push(lastId));
      await streamOf(session, '/');
      await rig.drain(NEVER_MS);
      const closed = once(session, 'close');
      const answer = streamOf(session, '/slow');
      let answered = false;
      void answer.then(() => (answered = true));
      await once(session, 'goaway');
      t.equal(answered, false, 'GOAWAY comes before the answer');
      t.same(await answer, { status: 200, text: 'slow' });
      await closed;
      t.ok(
        lastIds.length > 0 && lastIds.every((id) => id === 3),
        `${kind}: GOAWAY names it: ${lastIds.join()}`,
      );
      t.match(await rig.heard('exit'), { code: 0 });
    }
  });

  t.test(
    'http2: a session whose stream never falls silent is told, and cut off at the deadline only',
    async (t) => {
      const rig = await start(t, 'h2c');
      const session = http2.connect(`http://127.0.0.1:${rig.port}`);
      const stream = session.request({ ':path': '/endless' });
      stream.on('error', () => {});
      await once(stream, 'data');
      const closed = once(session, 'close');
      const gone = once(session, 'goaway');
      await rig.drain(4000);
      await gone;
      await once(stream, 'data');
      t.equal(rig.count('exit'), 0);
      await closed;
      t.match(await rig.heard('exit'), { code: 0 });
    },
  );

  t.test('upgraded sockets are ended one after another', async (t) => {
    const rig = await start(t, 'http');
    const clients = Array.from({ length: 20 }, () => new Client(rig));
    for (const { socket } of clients)
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    for (const client of clients) await client.until((it) => it.text.includes('101'));
    await rig.drain(4000);
    const first = await Promise.race(clients.map((it) => it.closed.then(() => it)));
    t.ok(first.ended, 'by an end, not by a reset');
    const live = clients.filter((it) => !it.ended);
    t.ok(live.length >= 10, `${live.length} of 20 are still there when the first is gone`);
    live[live.length - 1]?.socket.write('more');
    await live[live.length - 1]?.until((it) => it.text.endsWith('more'));
    await Promise.all(clients.map((it) => it.closed));
    t.match(await rig.heard('exit'), { code: 0 });
  });

  t.test('a plain connection may talk until the deadline, then is ended', async (t) => {
    const rig = await start(t, 'net');
    const client = new Client(rig);
    client.socket.write('a');
    await client.until((it) => it.text === 'a');
    await rig.drain(2000);
    client.socket.write('b');
    await client.until((it) => it.text === 'ab');
    await client.closed;
    await rig.heard('finished');
    t.ok(client.ended);
    t.equal(client.text, 'ab');
    t.match(await rig.heard('exit'), { code: 0 });
  });

  t.test('balance none: the shared socket is closed first', async (t) => {
    const rig = await start(t, 'http', { settings: { balance: 'none' } });
    await rig.serve();
    const client = new Client(rig);
    client.socket.write(GET('/slow'));
    await rig.heard('request');
    await rig.drain(NEVER_MS);
    const later = new Client(rig);
    later.socket.write(GET('/'));
    await client.closed;
    t.match(client.text, /Connection: close\r\n[^]*slow$/);
    t.match(await rig.heard('exit'), { code: 0 });
    t.equal(rig.count('request'), 1, 'a connection that came later is left to others');
    later.socket.destroy();
  });

  t.test('the app’s SIGTERM listeners end it, when the connections are gone', async (t) => {
    const rig = await start(t, 'sigterm');
    const slow = ask(rig.port, '/slow');
    await rig.heard('request');
    await rig.drain(NEVER_MS);
    t.equal((await slow).text, 'slow');
    await rig.heard('app-sigterm');
    t.match(await rig.heard('app-closed'), { error: null }, 'its own server.close() works as ever');
    t.match(await rig.heard('exit'), { code: 0, signal: null }, 'by having nothing left to do');
    t.equal(rig.count('app-exit'), 1);
  });

  t.test('an app that handles SIGINT alone, which is pm2’s signal, ends by that', async (t) => {
    const rig = await start(t, 'sigint');
    await rig.drain(NEVER_MS);
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    t.equal(rig.count('app-sigint'), 1);
  });

  t.test('an app that listens for its end hears what plain node:cluster says, and may tidy up', async (t) => {
    const rig = await start(t, 'hears-end');
    await rig.drain(NEVER_MS);
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    const ofApp = ['worker-disconnect', 'process-disconnect', 'tidied', 'app-exit'];
    t.match(
      rig.said.filter((it) => ofApp.includes(it.t)),
      [
        { t: 'worker-disconnect', asked: true },
        { t: 'process-disconnect', connected: false },
        { t: 'tidied' },
        { t: 'app-exit', asked: true },
      ],
    );
    t.equal(rig.count('drained'), 1, 'and the primary knows that it was drained');
  });

  t.test('an app that fails when it hears of its end ends', async (t) => {
    const rig = await start(t, 'fails-at-end');
    await rig.drain(NEVER_MS);
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    t.match(await rig.heard('uncaught'), { message: 'no good' });
  });

  t.test('a second, shorter grace counts', async (t) => {
    const rig = await start(t, 'net');
    const client = new Client(rig);
    client.socket.write('a');
    await client.until((it) => it.text === 'a');
    await rig.drain(NEVER_MS * 10);
    await rig.drain(50);
    t.match(await rig.heard('exit'), { code: 0 });
    await client.closed;
  });
});

t.test('signals and the end of the primary', async (t) => {
  t.test(
    'SIGTERM to an app without listeners asks to be replaced; SIGINT and SIGHUP do nothing',
    async (t) => {
      const rig = await start(t, 'http');
      await rig.tell({ do: 'signal', signal: 'SIGINT' });
      await rig.tell({ do: 'signal', signal: 'SIGHUP' });
      await rig.tell({ do: 'signal', signal: 'SIGTERM' });
      t.match(await rig.heard('retire'), { reason: 'SIGTERM' });
      t.equal((await ask(rig.port)).text, 'ok', 'and serves on');
    },
  );

  t.test('cluster.worker.disconnect() asks to be replaced', async (t) => {
    const rig = await start(t, 'leaves');
    await rig.heard('retire');
    t.equal((await ask(rig.port)).text, 'ok');
  });

  t.test('a worker whose channel closes ends', async (t) => {
    const rig = await start(t, 'http');
    await rig.tell({ do: 'disconnect' });
    t.match(await rig.heard('exit'), { code: 0, signal: null });
  });

  t.test('after what the app has to do then', async (t) => {
    const rig = await start(t, 'hears-end');
    await rig.tell({ do: 'disconnect' });
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    t.match(await rig.heard('worker-disconnect'), { asked: false });
    t.match(await rig.heard('app-exit'), { asked: false });
  });

  t.test('even if the app fails then', async (t) => {
    const rig = await start(t, 'fails-at-end');
    await rig.tell({ do: 'disconnect' });
    t.match(await rig.heard('exit'), { code: 0, signal: null });
    t.match(await rig.heard('uncaught'), { message: 'no good' });
  });

  t.test('even if the app hangs then', async (t) => {
    const rig = await start(t, 'hangs-at-end');
    await rig.tell({ do: 'disconnect' });
    t.match(await rig.heard('exit'), { signal: 'SIGKILL' });
  });

  t.test('even if an exit listener of the app hangs', async (t) => {
    const rig = await start(t, 'exits-slowly');
    await rig.tell({ do: 'disconnect' });
    t.match(await rig.heard('exit'), { signal: 'SIGKILL' });
  });

  t.test('with watchParent, even if its main thread hangs', async (t) => {
    const rig = await start(t, 'hangs', { settings: { watchParent: true } });
    await rig.heard('hanging');
    const pid = rig.pid();
    await rig.tell({ do: 'die' });
    await rig.heard(() => !isAlive(pid));
    t.pass('it is gone');
  });

  t.test('processes that the app forks are left alone', async (t) => {
    const rig = await start(t, 'grandchild', { listens: false });
    const child = await rig.heard('grandchild');
    t.match(child, { env: null, supervised: false });
    t.ok((child['argv'] as string[]).includes('--require'), 'although they inherit the preload');
    t.match(await rig.heard('grandchild-exit'), { code: 0 });
  });

  t.test('without node:cluster the preload does nothing, whatever the environment says', async (t) => {
    const code =
      "console.log(Symbol.for('cluster-chaos.worker.v1') in globalThis, process.listenerCount('SIGTERM'))";
    const child = cleanSpawn(NODE, ['--require', join(ROOT, 'dist/supervisor/worker/boot.cjs'), '-e', code], {
      env: { CLUSTER_CHAOS_WORKER: JSON.stringify(SETTINGS) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    t.same(await once(child, 'close'), [0, null]);
    t.equal(text, 'false 0\n');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

t.test('the app’s own side', async (t) => {
  const asked = async (rig: Rig, id: number, topic: string, body: unknown): Promise<Said> => {
    await rig.tell({ do: 'send', message: { t: 'ask', id, topic, body, from: 0, timeoutMs: NEVER_MS } });
    return rig.heard((it) => it.t === 'reply' && it['id'] === id);
  };

  t.test('slot, service, generation, serve, requests, broadcasts and health', async (t) => {
    const rig = await start(t, 'api');
    t.match(await rig.heard('api'), { supervised: true, service: 'shop', generation: 3, slot: null });
    await rig.tell({ do: 'send', message: { t: 'serve', slot: 4 } });
    t.match(await rig.heard('served'), { slot: 4 });
    t.match(await asked(rig, 1, 'echo', { a: [1] }), { ok: true, body: { body: { a: [1] }, from: 0 } });
    t.match(await asked(rig, 2, 'throws', null), {
      ok: false,
      body: { code: 'E_NO_GOOD', message: 'no good' },
    });
    t.match(await asked(rig, 3, 'nothing', null), { ok: false, body: { code: 'IPC_NO_HANDLER' } });
    t.match(await asked(rig, 4, 'do', { what: 'slot', args: [] }), { body: { value: 4 } });
    await rig.tell({ do: 'send', message: { t: 'cast', topic: 'news', body: 'hear', from: 2 } });
    t.match(await rig.heard('news'), { body: 'hear', from: 2 });

    await asked(rig, 5, 'do', { what: 'broadcast', args: ['news', 1] });
    t.match(await rig.heard('cast'), { topic: 'news', body: 1, from: 4 });
    const big = await asked(rig, 6, 'do', { what: 'ask', args: ['x', 'y'.repeat(9970)] });
    t.match(big, { body: { code: 'IPC_TOO_LARGE' } });
    const late = await asked(rig, 7, 'do', { what: 'ask', args: ['x', 1, { timeoutMs: 5 }] });
    t.match(late, { body: { code: 'IPC_TIMEOUT' } });
    await asked(rig, 8, 'do', { what: 'retire', args: ['tired'] });
    t.match(await rig.heard('retire'), { reason: 'tired' });

    await asked(rig, 20, 'sick', 'twice of three');
    t.ok(
      await eventually(async () => {
        const { body } = await asked(rig, 21 + rig.count('reply'), 'checks', null);
        return Number(body) > 10;
      }, DEADLINE_MS),
    );
    t.equal(rig.count('health'), 0, 'two bad checks in a row are not three');
    await asked(rig, 8000, 'sick', null);
    await asked(rig, 9, 'sick', 'throws');
    t.match(await rig.heard('health'), { ok: false, detail: 'the check threw: disk full' });
    await asked(rig, 10, 'sick', null);
    await rig.heard((it) => it.t === 'health' && it['ok'] === true);
    t.equal(rig.count('health'), 2, 'once each');

    const client = new Client(rig);
    client.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    await client.until((it) => it.text.includes('101'));
    await rig.drain(5000);
    await rig.heard('hook');
    await client.closed;
    t.match(await rig.heard('exit'), { code: 0 });
  });

  t.test('is harmless without a supervisor', async (t) => {
    const api = createRequire(import.meta.url)('../../dist/supervisor/worker/api.cjs') as Readonly<
      Record<string, (...args: unknown[]) => unknown>
    >;
    t.match(api, { isSupervised: false, service: null, generation: null });
    t.equal(api['slot']?.(), null);
    for (const name of ['ready', 'onServe', 'beforeExit', 'retire', 'handle', 'broadcast'])
      t.equal(
        api[name]?.(() => {}),
        undefined,
        name,
      );
    t.type(
      api['health']?.(() => true),
      'function',
    );
    await t.rejects(api['ask']?.('x') as Promise<unknown>, { code: 'IPC_CLOSED' });
    await t.rejects(api['ask']?.('x', 1, null) as Promise<unknown>, { code: 'IPC_CLOSED' });
    for (const ms of [0, -5, 9, Number.NaN, 3e9, Number.POSITIVE_INFINITY]) {
      t.throws(() => api['health']?.(() => true, { everyMs: ms }), {
        name: 'RangeError',
        message: `everyMs: expected a time from 10 to 2147483647 ms, got ${ms}`,
      });
    }
    t.throws(() => api['health']?.(() => true, { everyMs: '1s' }), { name: 'TypeError' });
    await t.rejects(api['ask']?.('x', 1, { timeoutMs: Number.NaN }) as Promise<unknown>, {
      name: 'RangeError',
    });
  });

  t.test('a health check that was stopped is not called again', async (t) => {
    const { watchHealth } = createRequire(import.meta.url)(
      '../../dist/supervisor/worker/health.cjs',
    ) as Health;
    for (const ms of [0, -5, Number.NaN, 3e9, Number.POSITIVE_INFINITY])
      t.throws(() => watchHealth(() => true, { everyMs: ms }), RangeError);
    const calls = { stopped: 0, other: 0 };
    const stop = watchHealth(() => void calls.stopped++, { everyMs: 10 });
    const stopOther = watchHealth(() => void calls.other++, { everyMs: 10 });
    t.teardown(stopOther);
    t.ok(await eventually(() => calls.stopped > 1, DEADLINE_MS));
    stop();
    const before = { ...calls };
    t.ok(await eventually(() => calls.other > before.other + 3, DEADLINE_MS));
    t.equal(calls.stopped, before.stopped);
  });
});

t.test('the sticky cookie', async (t) => {
  const rig = await start(t, 'http', { settings: { stickyCookie: 'w' } });
  const cookies = async (path: string, cookie?: string): Promise<readonly string[]> =>
    (await ask(rig.port, path, cookie === undefined ? {} : { headers: { cookie } })).headers['set-cookie'] ??
    [];
  t.same(await cookies('/'), [], 'none while it has no slot');
  await rig.tell({ do: 'send', message: { t: 'serve', slot: 2 } });
  const ours = 'w=2; Path=/; HttpOnly; SameSite=Lax';
  t.ok(await eventually(async () => (await cookies('/')).length > 0, DEADLINE_MS));
  t.same(await cookies('/'), [ours]);
  t.same(await cookies('/', 'a=1; w=2; b=2'), []);
  t.same(await cookies('/', 'w=2'), []);
  for (const other of ['w=21', 'w=1', 'xw=2', 'ww=2; a=w=22', 'w='])
    t.same(await cookies('/', other), [ours], other);
  t.same((await cookies('/set')).toSorted(), ['a=1', ours], 'beside the app’s own');
  t.same((await cookies('/head')).toSorted(), ['a=1', 'b=2', ours]);
  t.same((await cookies('/both')).toSorted(), ['a=1', ours]);
  t.same((await cookies('/array')).toSorted(), ['a=1', 'b=2', ours]);
  t.same((await cookies('/array-late')).toSorted(), ['a=1', ours]);
  t.match(await ask(rig.port, '/both'), { status: 200, headers: { 'x-one': '1' } });
  t.match(await ask(rig.port, '/array-late'), { headers: { 'x-one': '1', 'x-two': '2' } });
});

t.test('the bus', async (t) => {
  const { createBus } = createRequire(import.meta.url)('../../dist/supervisor/worker/bus.cjs') as BusModule;
  const limits = { messageBytesMax: 1000, outstandingMax: 2, queuedBytesMax: 1500 };

  /** Two ends; messages wait until `deliver`. */
  const pair = (
    extra: Partial<BusOptions> = {},
  ): { readonly a: Bus; readonly b: Bus; readonly deliver: () => Promise<void> } => {
    const queues: { readonly message: BusMessage; readonly done: () => void; readonly to: () => Bus }[] = [];
    const end = (to: () => Bus, slot: number): Bus =>
      createBus({
        send: (message, done) => {
          queues.push({ message: JSON.parse(JSON.stringify(message)) as BusMessage, done, to });
          return true;
        },
        limits,
        slot: () => slot,
        handlers,
        ...extra,
      });
    const a: Bus = end(() => b, 0);
    const b: Bus = end(() => a, 5);
    return {
      a,
      b,
      async deliver() {
        for (let item = queues.shift(); item; item = queues.shift()) {
          item.done();
          item.to().receive(item.message);
          await new Promise((wake) => setImmediate(wake));
        }
      },
    };
  };
  const handlers: BusOptions['handlers'] = new Map();
  handlers.set('double', async (body, from) => [Number(body) * 2, from]);
  handlers.set('huge', () => 'x'.repeat(2000));
  handlers.set('circular', () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    return loop;
  });
  handlers.set('never', () => new Promise(() => {}));

  t.test('answers both ways, and tells who asked', async (t) => {
    const { a, b, deliver } = pair();
    const answers = Promise.all([a.ask('double', 4), b.ask('double', 5)]);
    await deliver();
    t.same(await answers, [
      [8, 0],
      [10, 5],
    ]);
  });

  t.test('limits hold what is under way, not what was', async (t) => {
    const { a, deliver } = pair();
    for (let asked = 1; asked <= 3 * limits.outstandingMax; asked++) {
      const answer = a.ask('double', asked);
      await deliver();
      t.same(await answer, [2 * asked, 0]);
    }
  });

  t.test('refuses what is over its limits, each by its code', async (t) => {
    const { a, deliver } = pair();
    await t.rejects(a.ask('double', 'x'.repeat(1000)), {
      code: 'IPC_TOO_LARGE',
      message: /the limit is 1000$/,
    });
    const late = t.rejects(a.ask('never', 'x'.repeat(700), { timeoutMs: 20 }), { code: 'IPC_TIMEOUT' });
    const answered = a.ask('double', 2);
    await t.rejects(a.ask('double', 1), { code: 'IPC_BUSY', message: /2 requests wait/ });
    t.throws(() => a.broadcast('x', 'x'.repeat(900)), {
      code: 'IPC_BUSY',
      message: /bytes wait in the channel/,
    });
    await deliver();
    t.doesNotThrow(() => a.broadcast('x', 'x'.repeat(900)), 'what was written no longer counts');
    await late;
    t.same(await answered, [4, 0]);
    t.throws(() => a.broadcast('x', 1n), TypeError);
  });

  t.test('an answer that cannot be sent is an error of the asker', async (t) => {
    const { a, deliver } = pair();
    const asked = [a.ask('huge', null), a.ask('circular', null)] as const;
    const settled = Promise.allSettled(asked);
    await deliver();
    t.match(await settled, [{ reason: { code: 'IPC_TOO_LARGE' } }, { reason: { message: /circular/i } }]);
  });

  t.test('an error that is too large is cut to fit', async (t) => {
    handlers.set('fails at length', (length) => {
      const message = '\u0000'.repeat(Number(length));
      throw Object.assign(new Error(message), { code: `E_${message}` });
    });
    const { a, deliver } = pair();
    const settled = Promise.allSettled([a.ask('fails at length', 5000), a.ask('fails at length', 10)]);
    await deliver();
    const whole = '\u0000'.repeat(10);
    t.match(await settled, [
      { reason: { code: /^E_\0{60}…$/, message: /^\0{62}…$/ } },
      { reason: { code: `E_${whole}`, message: whole } },
    ]);
  });

  t.test('whatever a handler throws is an answer', async (t) => {
    const hostile: readonly (readonly [what: string, thrown: unknown, message: string])[] = [
      ['no text', Object.create(null), 'a value that has no text was thrown'],
      [
        'a getter that throws',
        Object.defineProperty({}, 'message', {
          get() {
            throw new Error('no');
          },
        }),
        'a value that has no text was thrown',
      ],
      ['a symbol', Symbol('s'), 'Symbol(s)'],
      ['undefined', undefined, 'undefined'],
    ];
    for (const [what, thrown, message] of hostile) {
      handlers.set('hostile', () => {
        throw thrown;
      });
      const { a, deliver } = pair();
      const settled = Promise.allSettled([a.ask('hostile', null)]);
      await deliver();
      t.match(await settled, [{ reason: { message } }], what);
    }
  });

  t.test('a time that is none is refused; no options are the default', async (t) => {
    const { a, deliver } = pair();
    for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31, Number.NaN, -1, 0, 0.5]) {
      await t.rejects(a.ask('double', 1, { timeoutMs }), {
        name: 'RangeError',
        message: `timeoutMs: expected a time from 1 to 2147483647 ms, got ${timeoutMs}`,
      });
    }
    const text = { timeoutMs: '100' } as unknown as { timeoutMs: number };
    await t.rejects(a.ask('double', 1, text), { name: 'TypeError', message: /got string$/ });
    const answers = Promise.all([
      a.ask('double', 1, { timeoutMs: 2 ** 31 - 1 }),
      a.ask('double', 2, null as unknown as undefined),
    ]);
    await deliver();
    t.same(await answers, [
      [2, 0],
      [4, 0],
    ]);
  });

  /** An answering end, asked as the wire has it: by who keeps no limits. */
  const answering = () => {
    const sent: BusMessage[] = [];
    const send = (message: BusMessage, done: () => void): boolean => {
      sent.push(message);
      done();
      return true;
    };
    const { receive } = createBus({ send, limits, slot: () => 5, handlers });
    return {
      sent,
      ask: async (id: number, topic: string, timeoutMs: number) => {
        receive({ t: 'ask', id, topic, body: id, from: 0, timeoutMs });
        await new Promise((wake) => setImmediate(wake));
        return sent.find((message) => message.t === 'reply' && message.id === id);
      },
    };
  };

  t.test('the answering side holds its limit too', async (t) => {
    const { ask } = answering();
    for (const id of [1, 2]) t.equal(await ask(id, 'never', NEVER_MS), undefined);
    t.match(await ask(3, 'double', NEVER_MS), { ok: false, body: { code: 'IPC_BUSY', message: /answered/ } });
  });

  t.test(
    'a handler keeps its place no longer than its asker waits, and comes too late after that',
    async (t) => {
      const settle: (() => void)[] = [];
      handlers.set('held', (body) => new Promise((resolve) => settle.push(() => resolve(body))));
      const { ask, sent } = answering();
      await ask(1, 'held', 1);
      await ask(2, 'held', NEVER_MS);
      let id = 2;
      t.ok(
        await eventually(async () => {
          const reply = await ask(++id, 'double', NEVER_MS);
          return reply?.t === 'reply' && reply.ok;
        }, DEADLINE_MS),
      );
      for (const settleOne of settle) settleOne();
      await new Promise((wake) => setImmediate(wake));
      const answers = sent.filter((message) => message.t === 'reply' && message.id <= 2);
      t.same(answers, [{ t: 'reply', id: 2, ok: true, body: 2 }]);
    },
  );

  t.test('an ask that waits for no time is refused', async (t) => {
    const { ask } = answering();
    const text = '1' as unknown as number;
    t.match(await ask(1, 'double', text), { ok: false, body: { message: /got string$/ } });
    t.match(await ask(2, 'double', -1), { ok: false, body: { message: /got -1$/ } });
  });

  t.test('closing tells whoever waits, and whoever comes', async (t) => {
    const { a } = pair();
    const waiting = t.rejects(a.ask('double', 1), { code: 'IPC_CLOSED' });
    a.close();
    await waiting;
    await t.rejects(a.ask('double', 1), { code: 'IPC_CLOSED' });
    t.throws(() => a.broadcast('x', 1), { code: 'IPC_CLOSED' });
    t.match(a.relay({ t: 'cast', topic: 'x', body: 1, from: 1 }), { code: 'IPC_CLOSED' });
  });

  t.test('a broadcast is told before it is handled', async (t) => {
    const heard: unknown[] = [];
    const { a, deliver } = pair({ onCast: (message) => heard.push(message) });
    handlers.set('news', (body) => heard.push(body));
    a.broadcast('news', 1);
    await deliver();
    t.same(heard, [{ t: 'cast', topic: 'news', body: 1, from: 0 }, 1]);
  });
});
