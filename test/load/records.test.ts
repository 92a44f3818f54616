import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import t from 'tap';
import { ChaosError } from '../../dist/base/errors.js';
import { checkAutocannon } from '../../dist/load/autocannon-internals.js';
import { Backlog } from '../../dist/load/backlog.js';
import { shapeOf } from '../../dist/load/body-shape.js';
import { BODY_READ_MAX, BodyTable } from '../../dist/load/body-table.js';
import { everyShare, interleave } from '../../dist/load/interleave.js';
import { Pacer } from '../../dist/load/pacer.js';
import { wireRequest } from '../../dist/load/request-bytes.js';
import type { BodyEntry } from '../../dist/model/samples.js';
import { BLOCK_ROWS, readSamples, SampleWriter } from '../../dist/runtime/samples-file.js';
import { request } from '../contract/load-driver.ts';

const dir = mkdtempSync(join(tmpdir(), 'chaos-records-'));
t.teardown(() => rmSync(dir, { recursive: true }));

// ------------------------------------------------------------------------------------------ samples file

function addRow(writer: SampleWriter, row: number): void {
  writer.add(row + 0.25, 0.5, 1.5, row % 9, 200, 70_000 + row, 40_000, row % 3, row % 2, row % 1000);
}

t.test('what is written is read again, over several blocks', (t) => {
  const file = join(dir, 'blocks.bin');
  const writer = new SampleWriter(file);
  const rows = 2 * BLOCK_ROWS + 17;
  const body: BodyEntry = { shape: 7, bytes: 3, preview: 'é"', accepted: true };
  writer.addBody(body);
  for (let row = 0; row < rows; row++) addRow(writer, row);
  writer.addBody({ ...body, accepted: null });
  writer.close();
  const { columns, bodies } = readSamples(file);
  t.equal(columns.count, rows);
  t.equal(bodies.length, 3, 'entry 0 stands for no body');
  t.strictSame(bodies[1], body);
  for (const row of [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, rows - 1]) {
    t.equal(columns.dueMs[row], row + 0.25);
    t.equal(columns.latencyMs[row], 1.5);
    t.equal(columns.worker[row], 70_000 + row);
    t.equal(columns.outcome[row], row % 9);
    t.equal(columns.body[row], row % 1000);
  }
  t.end();
});

t.test('a file torn at any byte is read up to its last whole block', (t) => {
  const file = join(dir, 'whole.bin');
  const writer = new SampleWriter(file);
  writer.addBody({ shape: 1, bytes: 1, preview: 'a', accepted: null });
  const sizes: number[] = [];
  for (let row = 0; row < 12; row++) {
    addRow(writer, row);
    if (row % 4 === 3) writer.flush();
    if (row % 4 === 3) sizes.push(statSync(file).size);
  }
  writer.close();
  const bytes = readFileSync(file);
  const torn = join(dir, 'torn.bin');
  for (let size = 0; size <= bytes.length; size++) {
    writeFileSync(torn, bytes.subarray(0, size));
    const { columns } = readSamples(torn);
    const whole = sizes.filter((end) => end <= size).length * 4;
    if (columns.count !== whole)
      t.fail(`${columns.count} rows of the first ${size} bytes, expected ${whole}`);
  }
  appendFileSync(torn, 'torn');
  t.equal(readSamples(torn).columns.count, 12);
  truncateSync(torn, 3);
  t.equal(readSamples(torn).columns.count, 0);
  t.end();
});

t.test('a missing file has no rows, and a foreign one is refused', (t) => {
  t.equal(readSamples(join(dir, 'missing.bin')).columns.count, 0);
  const foreign = join(dir, 'foreign.bin');
  for (const text of [
    'something else altogether',
    '\x01\0\0\0\x02\0\0\0{}',
    '\x01\0\0\0\x02\0\0\0no',
    '\x02\0\0\0\0\0\0\0',
  ]) {
    writeFileSync(foreign, text);
    t.throws(() => readSamples(foreign), /is not a samples file of version 1/);
  }
  t.end();
});

t.test('rows beyond the limit are counted, not kept', (t) => {
  const file = join(dir, 'limit.bin');
  const writer = new SampleWriter(file, 10);
  for (let row = 0; row < 15; row++) addRow(writer, row);
  writer.close();
  t.match(writer, { rows: 10, dropped: 5 });
  t.equal(readSamples(file).columns.count, 10);
  t.end();
});

// ------------------------------------------------------------------------------------------ bodies

const shape = (text: string): number => shapeOf(Buffer.from(text));

t.test('bodies that differ in numbers, ids and times only have one shape', (t) => {
  const same: readonly (readonly string[])[] = [
    ['{"n":1}', '{"n":22.5}', '{"n":-3}', '{"n":1e-7}', '{"n":+0.5}'],
    ['pid 12 up 3.5 s', 'pid 90211 up 1000 s'],
    ['id: 7b3f0c52-1d2e-4f6a-9a0b-3c4d5e6f7a8b', 'id: abcdefab-abcd-4bcd-abcd-abcdefabcdef'],
    ['key V1StGXR8_Z5jdHi6B-myT', 'key _3StGXR8-Z5jdHi6BAmyT2'.replace('_', 'a')],
    ['etag "9f86d081884c7d65"', 'etag "60303ae22b998861"'],
    ['etag "deadbeef"', 'etag "60303ae2"'],
    ['at 2026-11-22T19:58:29.123Z', 'at 2025-01-02T03:04:05Z', 'at 1763841509'],
    ['Date: Sun, 22 Nov 2026 19:58:29 GMT', 'Date: Mon, 01 Jan 2024 00:00:00 GMT'],
    ['9:05 AM', '12:30 PM'],
    ['10.0.0.1:8080', '127.0.0.1:3000'],
  ];
  for (const group of same) t.equal(new Set(group.map(shape)).size, 1, group.join('  |  '));
  t.end();
});

t.test('bodies that differ in anything else have shapes of their own', (t) => {
  const different: readonly (readonly [string, string])[] = [
    ['hello world', 'hello word'],
    ['', ' '],
    ['{"ok":true}', '{"ok":false}'],
    ['{"n":1}', '{"n":null}'],
    ['{"n":1}', '{"m":1}'],
    ['[1]', '[1,2]'],
    ['{"a":1}', '{"a":"1"}'],
    ['worker 1 ok', 'worker 1 failed'],
    ['user-1', 'item-1'],
    ['May I', 'Can I'],
  ];
  for (const [one, other] of different) t.not(shape(one), shape(other), `${one}  |  ${other}`);
  t.end();
});

t.test('any two numbers, and any two uuids, in the same text have one shape', (t) => {
  const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
  const text = fc.stringMatching(/^[a-z {}:"]{0,20}$/);
  fc.assert(
    fc.property(text, text, number, number, (head, tail, a, b) => {
      t.equal(shape(`${head} ${a}"${tail}`), shape(`${head} ${b}"${tail}`));
    }),
  );
  fc.assert(fc.property(fc.uuid(), fc.uuid(), (a, b) => shape(`"${a}"`) === shape(`"${b}"`)));
  t.end();
});

t.test('a shape is never more than a safe integer, whatever the bytes', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => Number.isSafeInteger(shapeOf(bytes))));
  t.end();
});

function table(...requests: readonly ReturnType<typeof request>[]): {
  bodies: BodyTable;
  entries: BodyEntry[];
} {
  const entries: BodyEntry[] = [];
  return { bodies: new BodyTable(requests, (entry) => entries.push(entry)), entries };
}

const find = (bodies: BodyTable, text: string, index = 0) =>
  bodies.find(Buffer.from(text), Buffer.byteLength(text), index);

t.test('up to 1000 bodies are told apart exactly; then a body is represented by one of its shape', (t) => {
  const { bodies, entries } = table(request());
  for (let n = 1; n <= 1000; n++) t.equal(find(bodies, `answer ${n}`).id, n);
  t.equal(find(bodies, 'answer 77').id, 77, 'still exact');
  t.equal(find(bodies, 'answer 1001').id, 1, 'the first of its shape');
  t.equal(find(bodies, 'question 1').id, 1001, 'a shape not seen before');
  t.equal(find(bodies, 'question 2').id, 1001);
  t.equal(entries.length, 1001);
  t.end();
});

t.test('the table does not grow without end', (t) => {
  const { bodies, entries } = table(request());
  const word = (n: number): string =>
    n.toString(26).replace(/./g, (char) => String.fromCharCode(103 + (parseInt(char, 26) % 16))) +
    'x'.repeat(n % 50);
  const ids = new Set<number>();
  for (let n = 0; n < 20_000; n++) ids.add(find(bodies, word(n) + '!'.repeat(n % 97)).id);
  t.ok(entries.length <= 3001, `${entries.length} entries`);
  t.equal(Math.max(...ids), entries.length);
  t.end();
});

t.test('the same body is accepted for one request and not for another, also by shape', (t) => {
  const { bodies, entries } = table(
    request({ expectBody: { type: 'equals', text: 'count 5' } }),
    request({ expectBody: { type: 'matches', source: '^COUNT', flags: 'gi' } }),
    request(),
  );
  t.strictSame(
    [0, 1, 2, 1].map((index) => find(bodies, 'count 5', index).accepted),
    [true, true, null, true],
  );
  for (let n = 10; n < 1100; n++) find(bodies, `count ${n}`, 2);
  t.equal(find(bodies, 'count 6', 0).accepted, false);
  t.equal(entries[find(bodies, 'count 6', 0).id - 1]?.accepted, false);
  t.equal(
    entries[find(bodies, 'count 7', 0).id - 1]?.accepted,
    false,
    'not that of the accepted body of this shape',
  );
  t.end();
});

t.test('of a long body the beginning and the length count', (t) => {
  const { bodies, entries } = table(request());
  const start = Buffer.alloc(BODY_READ_MAX, 'x');
  const one = bodies.find(start, 100_000, 0);
  t.equal(bodies.find(Buffer.from(start), 100_000, 0), one);
  t.not(bodies.find(start, 100_001, 0).id, one.id);
  t.match(entries[0], { bytes: 100_000, preview: 'x'.repeat(200) });
  t.end();
});

// ------------------------------------------------------------------------------------------ arrivals

t.test('requests interleave smoothly, in proportion to their weights, always alike', (t) => {
  const draw = (weights: readonly number[], count: number): readonly number[] => {
    const next = interleave(weights);
    return Array.from({ length: count }, () => next());
  };
  t.strictSame(draw([5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
  t.strictSame(draw([1], 3), [0, 0, 0]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const drawn = draw(weights, 3 * total);
      for (const [index, weight] of weights.entries()) {
        t.equal(drawn.filter((value) => value === index).length, 3 * weight);
      }
    }),
  );
  t.end();
});

t.test('a share of calls is exact and spread evenly', (t) => {
  for (const share of [0, 0.1, 0.25, 0.5, 1]) {
    const next = everyShare(share);
    const drawn = Array.from({ length: 1000 }, () => next());
    t.equal(drawn.filter(Boolean).length, 1000 * share);
    t.equal(drawn.slice(0, 100).filter(Boolean).length, 100 * share);
  }
  t.end();
});

t.test('the backlog is a queue, and keeps its order when it grows', (t) => {
  const backlog = new Backlog();
  let pushed = 0;
  let taken = 0;
  const take = (): void => {
    if (backlog.dueMs !== taken || backlog.request !== taken % 256) t.fail(`out of order at ${taken}`);
    backlog.drop();
    taken++;
  };
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 100 * (round % 7); i++) backlog.push(pushed, pushed++ % 256);
    while (backlog.size > 50 * round) take();
  }
  while (backlog.size > 0) take();
  t.equal(taken, pushed);
  t.ok(Number.isNaN(backlog.dueMs));
  t.end();
});

t.test('the pacer lets every due time pass once, in order, however late its timer is', (t) => {
  let nowMs = 100;
  const due: number[] = [];
  const pacer = new Pacer(
    () => nowMs,
    (dueMs) => due.push(dueMs),
    250,
  );
  t.teardown(() => pacer.stop());
  pacer.start();
  for (const lateMs of [1, 3, 50, 0.2, 500, 7]) {
    nowMs += lateMs;
    pacer.fire();
  }
  t.strictSame(
    due,
    Array.from({ length: due.length }, (_, index) => 100 + 4 * index),
  );
  t.equal(due.length, Math.floor((nowMs - 100) / 4) + 1);
  const before = due.length;
  pacer.setRate(0);
  nowMs += 1000;
  pacer.fire();
  t.equal(due.length, before, 'a rate of 0 is a pause, without arrears');
  pacer.setRate(1000);
  nowMs += 10;
  pacer.fire();
  t.ok(due.length - before >= 10 && due.length - before <= 11);
  t.end();
});

t.test('a request is one request on the wire', (t) => {
  const text = (changes: Parameters<typeof request>[0], fresh = false): string =>
    wireRequest(request(changes), 'a.test:80', fresh).bytes.toString();
  t.equal(text({}), 'GET / HTTP/1.1\r\nHost: a.test:80\r\nConnection: keep-alive\r\n\r\n');
  t.match(text({}, true), /\r\nConnection: close\r\n/);
  t.equal(
    text({
      method: 'POST',
      path: '/x?y=1',
      body: 'é',
      headers: { host: 'b', Connection: 'upgrade', 'X-A': '1' },
    }),
    'POST /x?y=1 HTTP/1.1\r\nConnection: keep-alive\r\nhost: b\r\nX-A: 1\r\nContent-Length: 2\r\n\r\né',
  );
  for (const bad of [{ method: 'G T' }, { path: 'x' }, { path: '/a\r\nb' }, { headers: { 'a b': '1' } }]) {
    t.throws(() => text(bad), ChaosError);
  }
  t.end();
});

t.test('an autocannon with other internals is refused by name of what changed', (t) => {
  const client = { _connect: () => undefined, _doRequest: () => undefined, pipelinedRequests: {} };
  const check = (changed: object): void => checkAutocannon(changed as Parameters<typeof checkAutocannon>[0]);
  t.throws(() => check({}), /client\._connect is not a function/);
  t.throws(() => check(client), /pipelinedRequests changed/);
  const queue = { addByteCount: () => undefined };
  const opts = { hostname: 'x' };
  t.throws(() => check({ ...client, pipelinedRequests: queue, opts }), /client\.parser\.execute/);
  const parser = { execute: () => 0, finish: () => undefined, reinitialize: () => undefined, state: 'NEW' };
  t.throws(() => check({ ...client, pipelinedRequests: queue, opts, parser }), /reads test answers as "NEW/);
  t.end();
});
