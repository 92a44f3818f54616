import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentOptions } from '../agent/inside.cts';
import type { AgentFrame, AgentRole, SchedulingPolicy } from '../agent/protocol.cts';
import { ChaosError } from '../base/errors.ts';
import type { AgentLink, RunClock } from '../model/ports.ts';
import { createFrameReader } from './agent-frames.ts';
import { type AgentLine, createAgentLine } from './agent-line.ts';

/** Who a process of the target is, as its agent said; times on the run's clock, ms. */
export interface AgentHello {
  readonly pid: number;
  readonly ppid: number;
  /** `single` until the first cluster fork makes it a `primary`. */
  readonly role: AgentRole;
  readonly workerId: number | null;
  readonly node: string;
  readonly argv1: string | null;
  readonly loadedAtMs: number;
  /** `null` unless the role is `primary`. */
  readonly scheduling: SchedulingPolicy | null;
}

/** What the agents tell. `pid` is the process that speaks, `atMs` when it happened, on the run's clock. */
export type AgentEvent =
  /** An agent is connected, or its role has changed since. */
  | { readonly type: 'hello'; readonly pid: number; readonly atMs: number; readonly hello: AgentHello }
  | {
      readonly type: 'listening';
      readonly pid: number;
      readonly atMs: number;
      readonly address: string;
      readonly port: number;
    }
  | {
      readonly type: 'fork' | 'online' | 'disconnect';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
    }
  | {
      readonly type: 'worker-listening';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly port: number | null;
    }
  | {
      readonly type: 'worker-exit';
      readonly pid: number;
      readonly atMs: number;
      readonly workerPid: number;
      readonly workerId: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** The primary itself had asked the worker to go. */
      readonly retired: boolean;
    }
  /** The line is gone: the process died, or only its control thread did. A hint, to be confirmed. */
  | { readonly type: 'closed'; readonly pid: number; readonly atMs: number };

export interface AgentHubOptions {
  /** Short private directory (0700): the socket's path must fit into 107 bytes. */
  readonly privateDir: string;
  readonly clock: RunClock;
  readonly onEvent: (event: AgentEvent) => void;
}

/** The harness' end of the lines to all agents of one target. */
export interface AgentHub {
  /** What the target's NODE_OPTIONS must end with to preload the agent. */
  readonly nodeOptions: string;
  /** The line to the agent in that process, `null` without one. */
  link(pid: number): AgentLink | null;
  hello(pid: number): AgentHello | null;
  /** While this file is there, boots crash: see `agent/boot-crash.cts`. */
  readonly crashFlag: string;
  /** Closes all lines, which heals every fault that an agent still holds. */
  close(): Promise<void>;
}

/** A hello comes at once; whoever stays silent is no agent. */
const HELLO_DEADLINE_MS = 5000;
/** Far more processes than a target has; a fork bomb must not take our descriptors. */
const LINES_MAX = 1024;
/** A quarter of the agent's lease. */
const BEAT_MS = 500;
/** `sun_path` holds 108 bytes with its final zero. */
const SOCKET_PATH_BYTES_MAX = 107;

const AGENT_FILE = fileURLToPath(new URL('../agent/main.cjs', import.meta.url));

/**
 * Listens for agents and writes the file that preloads them.
 * @throws ChaosError 'usage' if the directory's path is too long for a unix socket
 */
export async function startAgentHub(options: AgentHubOptions): Promise<AgentHub> {
  const socketPath = join(options.privateDir, 'agent.sock');
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    throw new ChaosError('usage', `the path ${socketPath} is too long for a unix socket`, {
      hint: `Set TMPDIR to a directory so short that it fits into ${SOCKET_PATH_BYTES_MAX} bytes.`,
    });
  }
  const token = randomBytes(32).toString('hex');
  const bootFile = join(options.privateDir, 'boot.cjs');
  const crashFlag = join(options.privateDir, 'crash-at-boot.json');
  // Socket and token go by this file and not by the environment, which apps like to print.
  writeFileSync(bootFile, bootSource({ socketPath, token, crashFlag }), { mode: 0o600 });

  const lines = new Map<number, Line>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size >= LINES_MAX) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // 'close' follows.
    socket.on('error', () => {});
    receive({ socket, token, lines, clock: options.clock, onEvent: options.onEvent });
  });
  server.listen(socketPath);
  await once(server, 'listening');
  chmodSync(socketPath, 0o600);
  const beats = setInterval(() => {
    for (const { line } of lines.values()) line.beat();
  }, BEAT_MS);
  beats.unref();

  return {
    crashFlag,
    nodeOptions: `--require ${JSON.stringify(bootFile)}`,
    link: (pid) => lines.get(pid)?.line.link ?? null,
    hello: (pid) => lines.get(pid)?.hello ?? null,
    async close() {
      clearInterval(beats);
      for (const socket of sockets) socket.destroy();
      if (server.listening) {
        server.close();
        await once(server, 'close');
      }
    },
  };
}

/** One agent's line and what it said of itself; replaced when the agent's control thread was started again. */
interface Line {
  readonly line: AgentLine;
  hello: AgentHello;
}

interface Receiving {
  readonly socket: Socket;
  readonly token: string;
  readonly lines: Map<number, Line>;
  readonly clock: RunClock;
  readonly onEvent: (event: AgentEvent) => void;
}

function bootSource(agent: AgentOptions): string {
  return `'use strict';
// Preloads the agent of cluster-chaos. Never harmful: without it the process runs as it would anyway.
try {
  require(${JSON.stringify(AGENT_FILE)}).start(${JSON.stringify(agent)});
} catch {}
`;
}

function receive({ socket, token, lines, clock, onEvent }: Receiving): void {
  const read = createFrameReader();
  const silence = setTimeout(() => socket.destroy(), HELLO_DEADLINE_MS);
  let own: Line | null = null;

  const onFrame = (frame: AgentFrame): void => {
    if (own === null) {
      if (frame.t !== 'hello' || !isToken(frame.token, token)) return void socket.destroy();
      clearTimeout(silence);
      const { loadedAtMs, ...identity } = frame.identity;
      const hello = { ...identity, loadedAtMs: loadedAtMs - clock.zeroMs };
      own = { line: createAgentLine(hello.pid, socket), hello };
      lines.set(hello.pid, own);
      return onEvent({ type: 'hello', pid: hello.pid, atMs: clock.now(), hello });
    }
    if (frame.t === 'hello') return void socket.destroy();
    if (frame.t === 'result') return own.line.onResult(frame);
    const { pid } = own.hello;
    const atMs = frame.event.atMs - clock.zeroMs;
    if (frame.event.type !== 'primary') return onEvent({ ...frame.event, pid, atMs });
    own.hello = { ...own.hello, role: 'primary', scheduling: frame.event.scheduling };
    onEvent({ type: 'hello', pid, atMs, hello: own.hello });
  };

  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const frames = read(chunk);
    if (frames === null) socket.destroy();
    for (const frame of frames ?? []) if (!socket.destroyed) onFrame(frame);
  });
  socket.on('close', () => {
    clearTimeout(silence);
    if (own === null) return;
    const { pid } = own.hello;
    if (lines.get(pid) === own) lines.delete(pid);
    own.line.onClose();
    onEvent({ type: 'closed', pid, atMs: clock.now() });
  });
}

function isToken(given: string, token: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}
