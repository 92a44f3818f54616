import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type AppAddress,
  ask,
  askFresh,
  type Digest,
  type Exchange,
  type Line,
  openLine,
  patternOf,
  readAll,
  sha256,
} from './app-client.ts';
import { type Attempt, freshLoad, keptLoad } from './app-load.ts';
import { killForGood, type Served, servingOf } from './serve.ts';

export interface AppCheck {
  readonly claim: string;
  readonly check: (served: Served, address: AppAddress) => Promise<void>;
}

/** What holds for every app that speaks HTTP. In this order: the last one ends the supervisor. */
export const HTTP_CHECKS: readonly AppCheck[] = [
  { claim: 'fresh connections go to all workers in turn', check: checkBalance },
  { claim: 'keep-alive, uploads and streaming work', check: checkAnswers },
  { claim: 'a SIGKILLed worker takes only its own requests with it', check: checkKillOne },
  { claim: 'with all workers SIGKILLed, connections wait and none is refused', check: checkKillAll },
  { claim: 'a reload fails no request and breaks no transfer', check: checkReload },
  { claim: 'SIGTERM lets a transfer finish, ends with 0 and leaves no process', check: checkStop },
];

/** More than the kernel buffers, or a window of HTTP/2, so that a client that does not read keeps the response open. */
const LONG_BYTES = {
  http: 24 * 1024 * 1024,
  https: 24 * 1024 * 1024,
  h2c: 2 * 1024 * 1024,
  h2: 2 * 1024 * 1024,
};
const UPLOAD_BYTES = 3 * 1024 * 1024 + 7;
const FRESH_EVERY_MS = 10;

/** Counts by pid over fresh connections, one after the other. Starting anywhere, round robin is even to within 1. */
export async function countFresh(
  address: AppAddress,
  connections: number,
): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for (let i = 0; i < connections; i++) {
    const { pid } = await askFresh(address);
    counts.set(pid, (counts.get(pid) ?? 0) + 1);
  }
  return counts;
}

async function checkBalance(served: Served, address: AppAddress): Promise<void> {
  const serving = servingOf(await served.status());
  assertEven(await countFresh(address, serving.length * 5 + 1), pidsOf(serving));
  // All at once, the order is up to the workers; that each is answered is not.
  const together = await Promise.all(Array.from({ length: serving.length * 10 }, () => askFresh(address)));
  const strangers = together.filter(({ pid }) => !pidsOf(serving).includes(pid));
  assert.deepEqual(strangers, [], 'answered by a worker out of rotation');
}

export function assertEven(counts: ReadonlyMap<number, number>, pids: readonly number[]): void {
  const seen = JSON.stringify([...counts]);
  assert.deepEqual(new Set(counts.keys()), new Set(pids), `who answered: ${seen}`);
  const each = [...counts.values()];
  assert.ok(Math.max(...each) - Math.min(...each) <= 1, `uneven: ${seen}`);
}

async function checkAnswers(_served: Served, address: AppAddress): Promise<void> {
  const line = openLine(address);
  const pids = new Set<number>();
  for (let i = 0; i < 10; i++) pids.add((await ask(line)).pid);
  assert.equal(pids.size, 1, 'a kept connection stays with its worker');

  const body = patternOf(UPLOAD_BYTES);
  const upload = line.exchange('POST', '/digest');
  upload.request.end(body);
  const digest = JSON.parse((await readAll(upload.answer)).toString()) as Digest;
  assert.equal(digest.bytes, UPLOAD_BYTES);
  assert.equal(digest.sha256, sha256(body));

  const echo = line.exchange('POST', '/echo');
  echo.request.end(body);
  assert.equal(sha256(await readAll(echo.answer)), sha256(body));

  const download = line.exchange('GET', `/bytes/${UPLOAD_BYTES}`);
  download.request.end();
  assert.equal(sha256(await readAll(download.answer)), sha256(body));
  assert.equal(line.connections(), 1, 'all of it over one connection');
  line.close();
}

/** A transfer in progress at a worker that is known. */
interface Held {
  readonly line: Line;
  readonly pid: number;
  readonly exchange: Exchange;
  readonly first: Buffer;
}

/** An echo of which the first bytes have come back, so the app is in the middle of it. */
async function holdEcho(line: Line): Promise<Held> {
  const { pid } = await ask(line);
  const exchange = line.exchange('POST', '/echo');
  exchange.request.write('begin ');
  const { body } = await exchange.answer;
  const [first] = await once(body, 'data');
  body.pause();
  return { line, pid, exchange, first: first as Buffer };
}

/** Ends the echo; true when all of it came back. */
async function finishEcho({ line, exchange, first }: Held): Promise<boolean> {
  exchange.request.end('end');
  try {
    return Buffer.concat([first, await readAll(exchange.answer)]).toString() === 'begin end';
  } catch {
    // It broke off.
    return false;
  } finally {
    line.close();
  }
}

/** One transfer in progress at each worker. */
async function holdEachWorker(served: Served, address: AppAddress): Promise<ReadonlyMap<number, Held>> {
  const wanted = pidsOf(servingOf(await served.status()));
  const held = new Map<number, Held>();
  // In turn: one connection for each worker is enough, unless a standby was just promoted.
  for (let i = 0; held.size < wanted.length && i < wanted.length * 3; i++) {
    const one = await holdEcho(openLine(address));
    if (held.has(one.pid)) one.line.close();
    else held.set(one.pid, one);
  }
  assert.deepEqual(new Set(held.keys()), new Set(wanted), 'a transfer at each worker');
  return held;
}

async function checkKillOne(served: Served, address: AppAddress): Promise<void> {
  const before = servingOf(await served.status());
  const held = await holdEachWorker(served, address);
  const load = freshLoad(served, address, FRESH_EVERY_MS);
  await load.succeeded(10);
  const victim = before[0];
  assert.ok(victim !== undefined);

  killForGood([victim.pid]);
  const deadMs = performance.now();

  await load.succeeded(10);
  const after = await served.until('the slot has another worker', (now) =>
    servingOf(now).some(({ slot, pid }) => slot === victim.slot && pid !== victim.pid),
  );
  assertOnlyInFlight(await load.stop(), deadMs);
  for (const [pid, one] of held)
    assert.equal(await finishEcho(one), pid !== victim.pid, 'only the victim loses transfers');
  const survivors = before.slice(1).map(({ pid, slot }) => [slot, pid]);
  assert.deepEqual(
    servingOf(after)
      .slice(1)
      .map(({ pid, slot }) => [slot, pid]),
    survivors,
    'nobody else was touched',
  );
  assertEven(await countFresh(address, before.length * 3), pidsOf(servingOf(after)));
}

async function checkKillAll(served: Served, address: AppAddress): Promise<void> {
  const before = await served.until(
    'there is a standby again',
    (now) => now.standbys > 0 && now.serving === now.workersWanted,
  );
  const load = freshLoad(served, address, FRESH_EVERY_MS);
  await load.succeeded(10);

  const pids = before.workers.flatMap(({ pid }) => pid ?? []);
  killForGood(pids);
  const deadMs = performance.now();

  await load.succeeded(10);
  const after = await served.until('all slots have other workers', (now) => {
    const serving = pidsOf(servingOf(now));
    return serving.length === now.workersWanted && serving.every((pid) => !pids.includes(pid));
  });
  assertOnlyInFlight(await load.stop(), deadMs);
  assertEven(await countFresh(address, after.workersWanted * 3), pidsOf(servingOf(after)));
}

function assertOnlyInFlight(attempts: readonly Attempt[], deadMs: number): void {
  const failed = attempts.filter(({ error }) => error !== null);
  assert.deepEqual(
    failed.filter(({ error }) => error === 'ECONNREFUSED'),
    [],
    'refused',
  );
  const late = failed.filter(({ startedMs }) => startedMs > deadMs);
  assert.deepEqual(late, [], `failed though started after the death, at ${deadMs}`);
}

async function checkReload(served: Served, address: AppAddress): Promise<void> {
  const before = await served.status();
  const old = pidsOf(servingOf(before));
  const fresh = freshLoad(served, address, FRESH_EVERY_MS);
  const kept = keptLoad(served, address, 4);
  await kept.succeeded(20);
  const [first] = before.workers.filter(({ slot }) => slot === 1);
  assert.ok(first?.pid != null);
  const held = await holdTransfers(address, first.pid);

  served.signal('SIGHUP');
  const during = await served.until('slot 1 has another worker', (now) =>
    servingOf(now).some(({ slot, pid }) => slot === 1 && pid !== first.pid),
  );
  const draining = during.workers.filter(({ phase }) => phase === 'draining').map(({ pid }) => pid);
  assert.ok(draining.includes(first.pid), 'a worker with transfers in progress is waited for');
  await held.finish();

  const after = await served.until(
    'the old workers are gone',
    (now) => !now.reloading && !now.workers.some(({ pid }) => pid !== null && old.includes(pid)),
  );
  await Promise.all([kept.succeeded(20), fresh.succeeded(5)]);
  const failed = [...(await kept.stop()), ...(await fresh.stop())].filter(({ error }) => error !== null);
  assert.deepEqual(failed, [], 'failed requests');
  assert.equal(after.counters.crashes, before.counters.crashes, 'nobody died');
  assertEven(await countFresh(address, old.length * 3), pidsOf(servingOf(after)));
}

/** Half an upload, a long response that nobody reads yet, and an echo, all at that worker. */
async function holdTransfers(address: AppAddress, pid: number): Promise<{ finish: () => Promise<void> }> {
  const body = patternOf(UPLOAD_BYTES);
  const uploading = await openLineTo(address, pid);
  const upload = uploading.exchange('POST', '/digest');
  upload.request.write(body.subarray(0, body.length / 2));
  const downloading = await openLineTo(address, pid);
  const longBytes = LONG_BYTES[address.protocol];
  const download = downloading.exchange('GET', `/bytes/${longBytes}`);
  download.request.end();
  await download.answer;
  const echo = await holdEcho(await openLineTo(address, pid));
  return {
    async finish() {
      upload.request.end(body.subarray(body.length / 2));
      const digest = JSON.parse((await readAll(upload.answer)).toString()) as Digest;
      assert.deepEqual([digest.pid, digest.bytes, digest.sha256], [pid, body.length, sha256(body)]);
      assert.equal(sha256(await readAll(download.answer)), sha256(patternOf(longBytes)));
      assert.ok(await finishEcho(echo), 'an echo broke off');
      uploading.close();
      downloading.close();
    },
  };
}

async function openLineTo(address: AppAddress, pid: number): Promise<Line> {
  for (let i = 0; i < 50; i++) {
    const line = openLine(address);
    if ((await ask(line)).pid === pid) return line;
    line.close();
  }
  throw new Error(`none of 50 connections came to ${pid}`);
}

async function checkStop(served: Served, address: AppAddress): Promise<void> {
  const held = await holdEachWorker(served, address);
  const stopped = served.stop();
  stopped.catch(() => undefined);
  await served.until('it stops', ({ goal }) => goal !== 'run');
  for (const one of held.values()) assert.ok(await finishEcho(one), 'a transfer breaks off at the stop');
  await stopped;
  await assert.rejects(askFresh(address), 'somebody still listens');
}

function pidsOf(workers: readonly { readonly pid: number }[]): readonly number[] {
  return workers.map(({ pid }) => pid);
}
