import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { io, type Socket } from 'socket.io-client';
import { type Test, test } from 'tap';
import type { Who } from '../support/app-client.ts';
import { eventually } from '../support/chaos.ts';
import { killForGood, type Served, serve, servingOf } from '../support/serve.ts';
import { byPid, WsClient } from '../support/ws-clients.ts';

/** Generous: what is claimed is that everybody is back, not how fast this machine is. */
const BACK_MS = 60_000;

async function openClients(
  t: Test,
  count: number,
  spec: (index: number) => ConstructorParameters<typeof WsClient>[0],
) {
  const clients = Array.from({ length: count }, (_, index) => new WsClient(spec(index)));
  t.teardown(() => clients.forEach((client) => client.close()));
  await Promise.all(clients.map((client) => client.connected()));
  return clients;
}

const allBack = (clients: readonly WsClient[]) =>
  eventually(() => clients.every(({ hello }) => hello !== null), BACK_MS);

async function slotsOf(served: Served): Promise<ReadonlyMap<number, number>> {
  return new Map(servingOf(await served.status()).map(({ pid, slot }) => [pid, slot]));
}

/** The slot of each client, as the status has it. */
async function slotPerClient(
  served: Served,
  clients: readonly WsClient[],
): Promise<readonly (number | undefined)[]> {
  const slots = await slotsOf(served);
  return clients.map(({ hello }) => slots.get(hello?.pid ?? 0));
}

/** Kills one slot's worker under connected clients, and tells what became of each. */
async function killSlot(t: Test, served: Served, clients: readonly WsClient[], slot: number): Promise<void> {
  const before = await slotPerClient(served, clients);
  const pidsBefore = clients.map(({ hello }) => hello?.pid);
  const victim = servingOf(await served.status()).find((worker) => worker.slot === slot);
  if (victim === undefined) throw new Error(`nobody serves slot ${slot}`);
  const losses = clients.map((client) => client.losses);

  killForGood([victim.pid]);
  await eventually(() => clients.some((client, i) => client.losses > (losses[i] ?? 0)), BACK_MS);
  t.ok(await allBack(clients), 'all are connected again');

  const lost = clients.map((client, i) => client.losses - (losses[i] ?? 0));
  t.strictSame(
    lost,
    before.map((of) => (of === slot ? 1 : 0)),
    'exactly the clients of the victim lost their connection, and each came back at its first try',
  );
  t.strictSame(
    clients.filter((_, i) => before[i] !== slot).map(({ hello }) => hello?.pid),
    pidsBefore.filter((_, i) => before[i] !== slot),
    'nobody else moved',
  );
  t.strictSame(
    await slotPerClient(served, clients),
    before,
    'the victims are back in their slot, at its new worker',
  );
  t.notOk(clients.some(({ hello }) => hello?.pid === victim.pid));
}

/** Each client comes back, one after the other, to where its session is. */
async function visitAgain(t: Test, clients: readonly WsClient[]): Promise<void> {
  const expected = clients.map(({ hello }) => ({ pid: hello?.pid, visits: (hello?.visits ?? 0) + 1 }));
  const found = [];
  for (const client of clients) {
    const { pid, visits } = await client.reconnect();
    found.push({ pid, visits });
  }
  t.strictSame(found, expected, 'reconnects find the session');
}

test('500 WebSocket clients, sticky by address, survive the death of a worker and a reload', async (t) => {
  const served = await serve(t, 'ws.mjs', {
    workers: 4,
    args: ['--sticky', 'address', '--drain-timeout', '300ms'],
  });
  const clients = await openClients(t, 500, (i) => ({
    port: served.port,
    session: `s${i}`,
    localAddress: `127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`,
  }));
  const sizes = [...byPid(clients).values()].map((group) => group.length);
  t.equal(sizes.length, 4);
  t.ok(Math.min(...sizes) >= 80, `each has its part: ${sizes.join(', ')}`);
  await visitAgain(t, clients.slice(0, 100));

  await killSlot(t, served, clients, 2);
  await visitAgain(t, clients.slice(0, 200));
  await killSlot(t, served, clients, 4);

  await t.test('a reload moves everybody to the new worker of the same slot', async (t) => {
    const before = await slotPerClient(served, clients);
    const old = [...(await slotsOf(served)).keys()];
    served.signal('SIGHUP');
    await served.until(
      'all workers are new',
      ({ reloading, workers, serving }) =>
        !reloading && serving === 4 && !workers.some(({ pid }) => pid !== null && old.includes(pid)),
    );
    t.ok(await allBack(clients));
    t.strictSame(await slotPerClient(served, clients), before);
  });
  t.ok((await Promise.all(clients.map((client) => client.isAlive()))).every(Boolean), 'all can talk');
  for (const client of clients) client.close();
  await served.stop();
});

/** The sticky cookie, as a browser gets it with the page before it opens a WebSocket. */
async function visitPage(port: number): Promise<{ readonly cookie: string; readonly pid: number }> {
  const get = request({ host: '127.0.0.1', port, agent: false });
  get.end();
  const [response] = await once(get, 'response');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const set = (response.headers['set-cookie'] ?? []) as readonly string[];
  return { cookie: set.map((one) => one.split(';')[0]).join('; '), pid: (JSON.parse(text) as Who).pid };
}

test('WebSocket clients, sticky by cookie, come back to the slot of their session', async (t) => {
  const served = await serve(t, 'ws.mjs', { workers: 3, args: ['--sticky', 'cookie:seat'] });
  const pages: Awaited<ReturnType<typeof visitPage>>[] = [];
  for (let i = 0; i < 60; i++) pages.push(await visitPage(served.port));
  t.ok(pages.every(({ cookie }) => cookie.startsWith('seat=')));
  const clients = await openClients(t, 60, (i) => ({
    port: served.port,
    session: `s${i}`,
    cookie: `theme=dark; ${pages[i]?.cookie}; lang=en`,
  }));
  t.strictSame(
    clients.map(({ hello }) => hello?.pid),
    pages.map(({ pid }) => pid),
    'the page and the WebSocket are at one worker',
  );
  t.equal(byPid(clients).size, 3);
  await visitAgain(t, clients);
  await killSlot(t, served, clients, 1);
  await visitAgain(t, clients);
  for (const client of clients) client.close();
  await served.stop();
});

test('without stickiness, clients that reconnect after a death are spread', async (t) => {
  const served = await serve(t, 'ws.mjs', {
    workers: 4,
    args: ['--balance', 'least-connections', '--spread', '10s'],
  });
  const clients = await openClients(t, 100, (i) => ({ port: served.port, session: `s${i}` }));
  const sizes = () => [...byPid(clients).values()].map((group) => group.length);
  t.ok(Math.max(...sizes()) - Math.min(...sizes()) <= 2, `even at first: ${sizes().join(', ')}`);

  const [victim] = servingOf(await served.until('there is a standby', ({ standbys }) => standbys > 0));
  killForGood([victim?.pid ?? 0]);
  await eventually(() => clients.some(({ losses }) => losses > 0), BACK_MS);
  t.ok(await allBack(clients));
  t.equal(sizes().length, 4);
  t.ok(Math.max(...sizes()) - Math.min(...sizes()) <= 4, `even after one death: ${sizes().join(', ')}`);

  const losses = clients.map((client) => client.losses);
  killForGood((await served.status()).workers.flatMap(({ pid }) => pid ?? []));
  await eventually(() => clients.every((client, i) => client.losses > (losses[i] ?? 0)), BACK_MS);
  t.ok(await allBack(clients));
  // The first worker back gets all of them elsewhere.
  t.ok(Math.max(...sizes()) <= 40, `no worker took the herd: ${sizes().join(', ')}`);
  for (const client of clients) client.close();
  await served.stop();
});

/**
 * A long poll in progress is a request in progress: a stop would wait for its end, until the next ping. Seen in the
 * kernel's table, as what a worker says of its connections may be a second old.
 */
async function nobodyConnected(t: Test, port: number): Promise<void> {
  const TIME_WAIT = '06';
  const to = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const isOpen = (line: string): boolean => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return (remote ?? '').endsWith(to) && state !== TIME_WAIT;
  };
  const nobody = () => !readFileSync('/proc/net/tcp', 'utf8').split('\n').some(isOpen);
  t.ok(await eventually(nobody, BACK_MS), 'nobody is connected');
}

interface IoClient {
  readonly socket: Socket;
  readonly hellos: (Who & { readonly visits: number })[];
  readonly transport: () => string;
}

function openIo(t: Test, port: number, session: string, options: Parameters<typeof io>[1]): IoClient {
  const socket = io(`http://127.0.0.1:${port}`, {
    forceNew: true,
    auth: { session },
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    ...options,
  });
  const hellos: IoClient['hellos'] = [];
  socket.on('hello', (hello: IoClient['hellos'][number]) => hellos.push(hello));
  t.teardown(() => socket.disconnect());
  return { socket, hellos, transport: () => socket.io.engine.transport.name };
}

for (const by of ['address', 'cookie'] as const) {
  test(`socket.io, sticky by ${by}: polling and upgrades work, and sessions outlive the death of another worker`, async (t) => {
    const served = await serve(t, 'socket-io.cjs', { workers: 3, args: ['--sticky', by] });
    const clients: IoClient[] = [];
    for (let i = 0; i < 24; i++) {
      const { cookie } = by === 'cookie' ? await visitPage(served.port) : { cookie: '' };
      // Not kept alive: after a reset of a kept connection, the XHR of the client sends its poll again and never looks at the answer.
      const agent = new Agent({ localAddress: `127.0.3.${i + 1}` });
      t.teardown(() => agent.destroy());
      clients.push(
        openIo(t, served.port, `s${i}`, {
          ...(by === 'cookie' ? { extraHeaders: { cookie } } : { agent: agent as never }),
          // Half of them by polling for ever, half from polling to WebSocket, as browsers do.
          transports: i % 2 === 0 ? ['polling'] : ['polling', 'websocket'],
        }),
      );
    }
    const settled = (at: number) =>
      eventually(
        () =>
          clients.every(
            ({ hellos, transport }, i) =>
              hellos.length >= at && transport() === (i % 2 === 0 ? 'polling' : 'websocket'),
          ),
        BACK_MS,
      );
    t.ok(await settled(1), 'all are connected, by the transport that they asked for');
    t.equal(new Set(clients.map(({ hellos }) => hellos[0]?.pid)).size, 3, 'at all workers');
    const talk = () =>
      Promise.all(
        clients.map(
          async ({ socket }) => ((await socket.timeout(BACK_MS).emitWithAck('say', 'hi')) as Who).pid,
        ),
      );
    t.strictSame(
      await talk(),
      clients.map(({ hellos }) => hellos[0]?.pid),
      'each talks to the worker of its session',
    );

    const slots = await slotsOf(served);
    const before = clients.map(({ hellos }) => slots.get(hellos[0]?.pid ?? 0));
    const victim = clients[0]?.hellos[0]?.pid ?? 0;
    const isVictims = clients.map(({ hellos }) => hellos[0]?.pid === victim);
    killForGood([victim]);
    const isBack = () => clients.every(({ hellos }, i) => hellos.length === (isVictims[i] ? 2 : 1));
    t.ok(await eventually(isBack, BACK_MS), 'the clients of the victim, and only they, connected again');
    const slotsNow = await slotsOf(served);
    t.strictSame(
      (await talk()).map((pid) => slotsNow.get(pid)),
      before,
      'everybody is in the slot of its session',
    );
    t.strictSame(
      clients.map(({ hellos }) => hellos.length),
      isVictims.map((is) => (is ? 2 : 1)),
      'and nobody else was moved',
    );
    for (const { socket } of clients) socket.disconnect();
    await nobodyConnected(t, served.port);
    await served.stop();
  });
}

test('socket.io with an empty cookie jar: the first answer of a long poll names the slot', async (t) => {
  const served = await serve(t, 'socket-io.cjs', { workers: 3, args: ['--sticky', 'cookie'] });
  const clients = Array.from({ length: 9 }, (_, i) =>
    openIo(t, served.port, `s${i}`, { transports: ['polling'], withCredentials: true, reconnection: false }),
  );
  t.ok(await eventually(() => clients.every(({ hellos }) => hellos.length === 1), BACK_MS));
  for (const { socket, hellos } of clients) {
    for (let i = 0; i < 5; i++) {
      const { pid } = (await socket.timeout(BACK_MS).emitWithAck('say', 'hi')) as Who;
      t.equal(pid, hellos[0]?.pid);
    }
  }
  for (const { socket } of clients) socket.disconnect();
  await nobodyConnected(t, served.port);
  await served.stop();
});
