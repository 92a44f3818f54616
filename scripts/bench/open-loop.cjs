'use strict';
// Open loop: requests at fixed times over keep-alive connections, fresh connections beside them, whatever the answers do.
// It sends the signals too, so that a kill and the requests it took are on one clock and in one order.
const { RawConnection, nowMs, requestBytes } = require('./raw-connection.cjs');

const KEEP = requestBytes('/', false);
const FRESH = requestBytes('/', true);

let spec = null;
let isSending = true;
let onDone = null;
let waiting = 0;
/** In the order they were sent, and so of their deadlines; the head may already be done. */
const sent = [];
const rows = [];
/** Free slots; an empty one connects when it is used next. */
const free = [];
/** Requests that found no free connection, by due time. */
const backlog = [];
/** Fresh connections are fired in bursts at these times as well. */
let bursts = [];

function open(kind, dueMs) {
  const row = { kind, dueMs, sentMs: nowMs(), endMs: 0, outcome: '', pid: 0, knownPid: 0 };
  waiting += 1;
  return { row, connection: null };
}

function close({ row, connection }, outcome) {
  row.endMs = nowMs();
  row.outcome = outcome;
  row.pid = outcome === 'ok' ? connection.pid : 0;
  rows.push(row);
  waiting -= 1;
}

function sendKept(entry, slot) {
  slot.connection = slot.connection?.isOpen ? slot.connection : new RawConnection(spec.port);
  const { connection } = slot;
  Object.assign(entry, { connection });
  Object.assign(entry.row, { sentMs: nowMs(), knownPid: connection.pid });
  sent.push(entry);
  connection.send(KEEP, (outcome) => {
    close(entry, outcome);
    const next = backlog.shift();
    if (next) sendKept(next, slot);
    else free.push(slot);
  });
}

function fireKept(dueMs) {
  const entry = open('kept', dueMs);
  const slot = free.shift();
  if (slot) sendKept(entry, slot);
  else backlog.push(entry);
}

function fireFresh(dueMs) {
  const entry = open('fresh', dueMs);
  entry.connection = new RawConnection(spec.port);
  sent.push(entry);
  entry.connection.send(FRESH, (outcome) => close(entry, outcome));
}

/**
 * Who waits for a connection has the same patience as who waits for an answer, and each wait is counted by itself: a
 * request sent with little of its time left would break its connection and make a short overload a lasting one.
 */
function expire(limitMs) {
  while (backlog.length > 0 && backlog[0].row.dueMs <= limitMs) close(backlog.shift(), 'TIMEOUT');
  while (sent.length > 0) {
    const { row, connection } = sent[0];
    if (row.outcome === '') {
      if (row.sentMs > limitMs) return;
      connection.giveUp('TIMEOUT');
    }
    sent.shift();
  }
}

let keptDueMs = 0;
let freshDueMs = 0;

function tick() {
  const now = nowMs();
  if (isSending) {
    for (; keptDueMs <= now; keptDueMs += 1000 / spec.ratePerSecond) fireKept(keptDueMs);
    for (; freshDueMs <= now; freshDueMs += spec.freshEveryMs) fireFresh(freshDueMs);
    while (bursts.length > 0 && bursts[0] <= now) fireFresh(bursts.shift());
  }
  expire(now - spec.timeoutMs);
  if (isSending || waiting > 0) return void setTimeout(tick, 1);
  onDone(rows);
}

/** Times of fresh connections beside the others, in parts one after the other. */
function burstTimes(parts, fromMs) {
  const times = [];
  let after = 0;
  for (const { everyMs, forMs } of parts) {
    const endMs = after + forMs;
    for (; after < endMs; after += everyMs) times.push(fromMs + after);
  }
  return times;
}

function signal({ pids, name, burst }) {
  const atMs = nowMs();
  for (const pid of pids) process.kill(pid, name);
  bursts = burstTimes(burst, atMs);
  return atMs;
}

/** Workers that answered fresh connections of late, and how many each. */
function recent(forMs) {
  const fromMs = nowMs() - forMs;
  const counts = {};
  for (let i = rows.length - 1; i >= 0 && rows[i].endMs >= fromMs; i--) {
    const { kind, pid, sentMs } = rows[i];
    if (kind === 'fresh' && pid !== 0 && sentMs >= fromMs) counts[pid] = (counts[pid] ?? 0) + 1;
  }
  return counts;
}

/** How the load was carried of late: without a fault it must be well, else nothing after the fault says anything. */
function health(forMs) {
  const fromMs = nowMs() - forMs;
  const latest = rows.slice(rows.findLastIndex(({ endMs }) => endMs < fromMs) + 1);
  return {
    failed: latest.filter(({ outcome }) => outcome !== 'ok').length,
    latencies: latest.map(({ dueMs, endMs }) => endMs - dueMs),
  };
}

function order(path, reply) {
  const connection = new RawConnection(spec.port);
  connection.send(requestBytes(path, true), (outcome) =>
    reply({ outcome, pid: connection.pid, atMs: nowMs() }),
  );
}

function start(given) {
  spec = given;
  for (let i = 0; i < spec.connections; i++) free.push({ connection: null });
  keptDueMs = freshDueMs = nowMs();
  tick();
}

process.on('message', ({ id, ask, value }) => {
  const reply = (answer) => process.send({ id, answer });
  if (ask === 'start') reply(start(value));
  else if (ask === 'signal') reply(signal(value));
  else if (ask === 'recent') reply(recent(value));
  else if (ask === 'health') reply(health(value));
  else if (ask === 'order') order(value, reply);
  else if (ask === 'stop') {
    isSending = false;
    onDone = reply;
  }
});
// A Ctrl-C goes to the whole group; the bench ends us when it has cleaned up, by closing the channel.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
