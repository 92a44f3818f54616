/**
 * The agent's control loop: a thread of its own, so that it hears and heals while the main thread hangs. It must
 * not use the thread pool of libuv (asynchronous fs, dns, crypto), which a fault or the app may have filled.
 */
import type * as Net from 'node:net';
import type * as Threads from 'node:worker_threads';
import type { ControlData, Inside, ToControl, ToMain } from './inside.cts';
import type { PingsModule } from './pings.cts';
import type { AgentFrame, HubFrame, WireRecord } from './protocol.cts';

const net = require('node:net') as typeof Net;
const { workerData } = require('node:worker_threads') as typeof Threads;
const { createPings } = require('./pings.cjs') as PingsModule;
const { SLOT_BLOCK, SLOT_BEATS, SLOT_FLUSHED, LEASE_MS } = require('./inside.cjs') as Inside;

/** The hub's frames are a few hundred bytes. */
const FRAME_CHARS_MAX = 65_536;
/** After a lease ran out: time to read what arrived while the whole process was stopped. */
const LEASE_GRACE_MS = 50;

const { cells: shared, port, socketPath, token, identity } = workerData as ControlData;
const cells = new Int32Array(shared);
const toMain = (message: ToMain): void => port.postMessage(message);

interface Block {
  readonly id: string;
  readonly serial: number;
  /** The command that began it. */
  readonly command: number;
  /** The command that heals it. */
  heal: number | null;
  /** Once it ended. */
  blockedMs: number | null;
}

/** The one block that may be active: a blocked thread cannot begin another. */
let block: Block | null = null;
let serial = 0;
let lease: NodeJS.Timeout | null = null;
/** What the main thread said before the line was up. */
let backlog: ToControl[] | null = [];

function send(socket: Net.Socket, frame: AgentFrame): void {
  socket.write(`${JSON.stringify(frame)}\n`);
}

function releaseBlock(): void {
  Atomics.store(cells, SLOT_BLOCK, 0);
  Atomics.notify(cells, SLOT_BLOCK);
}

function healAll(): void {
  releaseBlock();
  toMain({ k: 'heal-all' });
}

function renewLease(ms: number, onEnd: () => void): void {
  if (lease) clearTimeout(lease);
  lease = setTimeout(onEnd, ms);
}

function onFrame(socket: Net.Socket, frame: HubFrame): void {
  Atomics.add(cells, SLOT_BEATS, 1);
  renewLease(LEASE_MS, () => renewLease(LEASE_GRACE_MS, healAll));
  if (frame.t !== 'command') return;
  const { id, name, params } = frame;
  const answer = (evidence: WireRecord): void => send(socket, { t: 'result', id, ok: true, evidence });
  if (name === 'ping-main') {
    const waitMs = typeof params['waitMs'] === 'number' ? params['waitMs'] : 0;
    return pings.ask(waitMs, answer);
  }
  if (name === 'block') {
    if (block?.blockedMs === null) return answer({ refused: `it is already blocked by ${block.id}` });
    block = { id: String(params['id'] ?? ''), serial: ++serial, command: id, heal: null, blockedMs: null };
    Atomics.store(cells, SLOT_BLOCK, serial);
  }
  if (name === 'heal-all') releaseBlock();
  if (name === 'heal' && block && block.id === params['id']) {
    block.heal = id;
    releaseBlock();
  }
  toMain({ k: 'run', id, name, params, serial });
}

function onMain(socket: Net.Socket, message: ToControl): void {
  switch (message.k) {
    case 'event':
      return send(socket, { t: 'event', event: message.event });
    case 'pong':
      return pings.answered(message.n, message.atMs);
    case 'block-ended':
      if (block?.serial === message.serial) block.blockedMs = message.blockedMs;
      return;
    case 'result': {
      const { k: _, ...result } = message;
      send(socket, { t: 'result', ...withBlock(result) });
      Atomics.store(cells, SLOT_FLUSHED, message.id);
      Atomics.notify(cells, SLOT_FLUSHED);
      return;
    }
  }
}

type Result = Omit<Extract<ToControl, { k: 'result'; ok: true }>, 'k'> | Omit<Refusal, 'k'>;
type Refusal = Extract<ToControl, { k: 'result'; ok: false }>;

/** Adds to the answer to a heal how long the main thread was held. */
function withBlock(result: Result): Result {
  if (!block) return result;
  // Healed before it began.
  if (!result.ok && result.id === block.command) block = null;
  if (!result.ok || result.id !== block?.heal) return result;
  const { blockedMs } = block;
  block = null;
  return blockedMs === null ? result : { ...result, evidence: { ...result.evidence, blockedMs } };
}

/** Cuts the stream into frames; junk and oversized frames end the line, which heals everything. */
function createReader(socket: Net.Socket): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > FRAME_CHARS_MAX) socket.destroy();
    for (const line of lines) {
      try {
        onFrame(socket, JSON.parse(line) as HubFrame);
      } catch {
        // Not from our hub.
        socket.destroy();
      }
    }
  };
}

const pings = createPings((n) => toMain({ k: 'ping', n }));
const socket = net.connect(socketPath);
socket.setEncoding('utf8');
socket.on('connect', () => {
  send(socket, { t: 'hello', v: 1, token, identity });
  renewLease(LEASE_MS, healAll);
  for (const message of backlog ?? []) onMain(socket, message);
  backlog = null;
});
socket.on('data', createReader(socket));
// 'close' follows.
socket.on('error', () => {});
socket.on('close', () => {
  // The hub is gone, so is all that could heal: this is the dead man's switch. Then the thread ends by itself.
  healAll();
  if (lease) clearTimeout(lease);
  pings.close();
  port.close();
});
port.on('message', (message: ToControl) => {
  if (backlog) backlog.push(message);
  else if (!socket.destroyed) onMain(socket, message);
});
