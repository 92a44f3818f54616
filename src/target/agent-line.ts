import type { Socket } from 'node:net';
import type { AgentFrame, HubFrame } from '../agent/protocol.cts';
import { ChaosError } from '../base/errors.ts';
import type { AgentLink } from '../model/ports.ts';

const COMMAND_TIMEOUT_MS = 2000;
/** More commands than this wait for one agent only if it is lost. */
const PENDING_MAX = 256;

interface Pending {
  readonly resolve: (evidence: Awaited<ReturnType<AgentLink['command']>>) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** One agent's line, once it has proven itself. */
export interface AgentLine {
  readonly link: AgentLink;
  onResult(frame: Extract<AgentFrame, { t: 'result' }>): void;
  /** Renews the agent's lease. */
  beat(): void;
  onClose(): void;
}

/** Commands out, results in; every command ends in exactly one of result, refusal, timeout and closed line. */
export function createAgentLine(pid: number, socket: Socket): AgentLine {
  const pending = new Map<number, Pending>();
  let markClosed = (): void => {};
  const closed = new Promise<void>((resolve) => {
    markClosed = resolve;
  });
  let lastId = 0;
  const send = (frame: HubFrame): void => {
    socket.write(`${JSON.stringify(frame)}\n`);
  };
  const settle = (id: number): Pending | undefined => {
    const entry = pending.get(id);
    pending.delete(id);
    clearTimeout(entry?.timer);
    return entry;
  };
  return {
    link: {
      closed,
      command: (name, params, timeoutMs = COMMAND_TIMEOUT_MS) =>
        new Promise((resolve, reject) => {
          const fail = (why: string): void =>
            reject(new ChaosError('unhealthy', `agent command ${name} to pid ${pid}: ${why}`));
          if (socket.destroyed) return fail('the line is closed');
          if (pending.size >= PENDING_MAX) return fail(`${PENDING_MAX} commands are already waiting`);
          const id = ++lastId;
          const timer = setTimeout(() => {
            settle(id);
            fail(`no answer within ${timeoutMs} ms`);
          }, timeoutMs);
          pending.set(id, { resolve, reject: (error) => fail(error.message), timer });
          send({ t: 'command', id, name, params });
        }),
    },
    onResult(frame) {
      const entry = settle(frame.id);
      if (frame.ok) entry?.resolve(frame.evidence);
      else entry?.reject(new Error(frame.error));
    },
    // A stopped process reads nothing: beats would pile up here.
    beat: () => void (socket.writableLength === 0 && send({ t: 'beat' })),
    onClose() {
      for (const id of pending.keys()) settle(id)?.reject(new Error('the line closed'));
      markClosed();
    },
  };
}
