import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Connections } from '../../dist/supervisor/primary/connections.js';
import { Counters } from '../../dist/supervisor/primary/counters.js';
import { Handles, type Passage } from '../../dist/supervisor/primary/handles.js';
import { acceptRaw, type RawHandle } from '../../dist/supervisor/primary/raw-handle.js';
import { type Peeked, peek } from '../../dist/supervisor/primary/sticky.js';
import type { WorkerProcess } from '../../dist/supervisor/primary/worker-process.js';
import type { Wire } from '../../dist/supervisor/wire.cjs';

const { CMD } = createRequire(import.meta.url)('../../dist/supervisor/wire.cjs') as Wire;
const COUNT = 60;
const NODE_READS_BYTES = 65_536;

/** A worker, and connections that were accepted and not given to it yet. The id of each is its client's port. */
async function start(
  t: Test,
  mode = '',
): Promise<{
  readonly child: ChildProcess;
  readonly accepted: readonly { readonly id: number; readonly handle: RawHandle }[];
  /** Gives a connection to the worker. */
  readonly pass: (of: { readonly id: number; readonly handle: RawHandle }) => void;
  /** Sends of handles. */
  readonly sends: { readonly begun: number; readonly done: number };
  /** Resolves with as many answers, and what else the worker said. */
  readonly heard: (count: number) => Promise<readonly unknown[]>;
}> {
  const child = fork(join(import.meta.dirname, 'fixtures/takes-handles.cjs'), [], {
    env: { MODE: mode },
    execArgv: [],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const handles = new Handles(child);
  const sends = { begun: 0, done: 0 };
  const onSend = (): void => void sends.begun++;
  const onSent = (isSent: boolean): void => {
    if (!isSent) t.fail('a handle was not sent');
    sends.done++;
  };
  const all: unknown[] = [];
  child.on('message', (message) => all.push(message));
  child.on('internalMessage', ({ cmd, id }: { cmd: string; id: number }) => {
    if (cmd === CMD) handles.answered(id);
  });

  const accepted: { id: number; handle: RawHandle }[] = [];
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  acceptRaw(server, (handle) => {
    const peer: { port?: number } = {};
    handle.getpeername?.(peer as { address?: string });
    accepted.push({ id: Number(peer.port), handle });
  });
  const { port } = server.address() as net.AddressInfo;
  const clients = Array.from({ length: COUNT }, () => {
    const client = net.connect(port, '127.0.0.1', () => client.write(String(client.localPort)));
    return client.on('error', () => undefined);
  });
  t.teardown(() => {
    server.close();
    for (const client of clients) client.destroy();
  });
  while (accepted.length < COUNT) await sleep(5);
  return {
    child,
    accepted,
    sends,
    pass: ({ id, handle }) => handles.pass({ message: { cmd: CMD, id }, handle, onSend, onSent }),
    async heard(count) {
      while (all.length < count) await sleep(5);
      return all.slice();
    },
  };
}

/** The connections whose worker heard another client on them than was given to it. */
const swapped = (heard: readonly unknown[]): readonly unknown[] =>
  heard.filter((answer) => {
    const { id, said } = answer as { readonly id?: number; readonly said?: number };
    return id !== undefined && id !== said;
  });

t.test(
  'each message brings its own handle, whatever else lies in the channel of a worker that is late',
  async (t) => {
    const { child, accepted, pass, heard } = await start(t);
    child.send({ blockMs: 500 });
    // It has read this by itself: what follows is read together.
    await sleep(100);
    for (const [at, connection] of accepted.entries()) {
      // With this before it, what Node reads at once ends in the midst of the message with the handle.
      if (at % 3 === 0) child.send({ filler: 'x'.repeat(NODE_READS_BYTES - 40) });
      pass(connection);
    }
    const answers = await heard(COUNT);
    t.equal(answers.length, COUNT);
    t.same(swapped(answers), []);
  },
);

t.test(
  'a handle for a stopped worker whose channel is full is not sent before the worker reads',
  async (t) => {
    const { child, accepted, pass, sends, heard } = await start(t);
    child.kill('SIGSTOP');
    for (let i = 0; i < 20; i++) child.send({ filler: 'x'.repeat(100_000) });
    const [first] = accepted;
    if (first !== undefined) pass(first);
    await sleep(100);
    t.same(sends, { begun: 1, done: 0 });
    child.kill('SIGCONT');
    await heard(1);
    t.same(sends, { begun: 1, done: 1 });
  },
);

t.test('a connection that is over is closed when it is no longer being sent', (t) => {
  const connections = new Connections(new Counters());
  let closed = 0;
  const handle = { close: () => void closed++ };
  const ids: number[] = [];
  connections.accept({ listener: 'a', handle, isHttp: true, sticky: null }, ({ id }) => ids.push(id));
  const [id = 0] = ids;
  const passages: Omit<Passage, 'message'>[] = [];
  const worker = (number: number): WorkerProcess =>
    ({ id: number, give: (_what: unknown, passage: Passage) => passages.push(passage) }) as never;
  connections.give(id, worker(1), () => t.fail('it was sent'));
  passages[0]?.onSend();
  connections.give(id, worker(2), () => t.fail('it was sent'));
  passages[1]?.onSend();
  passages[1]?.onSent(true);
  connections.taken(id, 2);
  t.equal(closed, 0, 'the first still does not read');
  passages[0]?.onSent(true);
  t.equal(closed, 1);
  t.end();
});

t.test('handles that somebody else sends over the channel come too', async (t) => {
  const { child, accepted, pass, heard } = await start(t);
  child.send({ blockMs: 100 });
  for (const [at, connection] of accepted.entries()) {
    pass(connection);
    if (at % 10 !== 0) continue;
    const [server, client] = await pair();
    t.teardown(() => client.destroy());
    child.send({ foreign: at + 1 }, server);
  }
  const all = await heard(COUNT + 6);
  t.same(swapped(all), []);
  const foreign = all.filter((one) => 'foreign' in (one as object));
  t.same(
    foreign,
    [1, 11, 21, 31, 41, 51].map((number) => ({ foreign: number, came: true })),
  );
});

t.test('a worker whose Node acknowledges every handle itself is served too', async (t) => {
  const { accepted, pass, heard } = await start(t, 'node');
  for (const connection of accepted) pass(connection);
  const answers = await heard(COUNT);
  t.same(swapped(answers), []);
});

/** Two ends of one connection. */
async function pair(): Promise<readonly [net.Socket, net.Socket]> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return [socket, client];
}

t.test('sticky by cookie: where clients may wait for the server to speak, nothing is waited for', (t) => {
  // Of this one there is nothing to be read.
  const handle: RawHandle = {
    close: () => undefined,
    getpeername: (out) => {
      out.address = '127.0.0.1';
      return 0;
    },
  };
  const heard: Peeked[] = [];
  const noteOne = (peeked: Peeked): void => void heard.push(peeked);
  peek(handle, { sticky: { by: 'address' }, isHttp: true }, noteOne);
  peek(handle, { sticky: { by: 'cookie', name: 'w' }, isHttp: false }, noteOne);
  const [byAddress, byCookie] = heard;
  t.type(byAddress?.key, 'number');
  t.match(byCookie, { key: byAddress?.key, slot: null, headBase64: null });
  t.end();
});
