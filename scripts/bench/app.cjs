'use strict';
// The one app of all targets: plain http, 2 ms of asynchronous work, tells its pid. It knows nothing of who runs it.
const { appendFileSync, existsSync } = require('node:fs');
const http = require('node:http');

const WORK_MS = 2;
/** 4 MB of numbers every 50 ms: some 80 MB/s, so a heap of 160 MB lasts about two seconds. */
const LEAK = { everyMs: 50, numbers: 500_000 };

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const { BENCH_BOOTS, BENCH_CRASH, BENCH_FIRSTS, PORT } = process.env;

// Forks are counted here, by the app itself: a process that lives 50 ms is easily missed in the process table.
if (BENCH_BOOTS) appendFileSync(BENCH_BOOTS, `${process.pid} ${nowMs()}\n`);
if (BENCH_CRASH && existsSync(BENCH_CRASH)) process.exit(1);

const hoard = [];

function block(ms) {
  const endMs = nowMs() + ms;
  while (nowMs() < endMs);
}

function leak() {
  setInterval(() => hoard.push(Array.from({ length: LEAK.numbers }, () => hoard.length)), LEAK.everyMs);
}

const body = 'hello world';
const server = http
  .createServer((request, response) => {
    const answer = () => {
      response.writeHead(200, { 'x-pid': process.pid, 'content-length': body.length });
      response.end(body);
    };
    if (request.url === '/') return setTimeout(answer, WORK_MS);
    const url = new URL(request.url, 'http://localhost');
    // Orders are answered first: the answer tells who was hit.
    if (url.pathname === '/block') {
      response.on('finish', () => setImmediate(block, Number(url.searchParams.get('ms'))));
    }
    if (url.pathname === '/leak') leak();
    answer();
  })
  .listen(Number(PORT), '127.0.0.1');
// When it began to serve, whatever an answer takes.
server.once('connection', () => {
  if (BENCH_FIRSTS) appendFileSync(BENCH_FIRSTS, `${process.pid} ${nowMs()}\n`);
});
