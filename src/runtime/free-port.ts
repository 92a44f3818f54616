import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { ChaosError } from '../base/errors.ts';
import { withDeadline } from './wait.ts';

/** Below the ephemeral range, so that no outgoing connection can take the port between our look and the target's bind. */
const RANGE = { from: 20_000, to: 32_000 } as const;
const TRIES = 50;

/** A TCP port that is free on all addresses now. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (await canListen(port)) return port;
  }
  throw new ChaosError(
    'unhealthy',
    `no free port found in ${TRIES} tries between ${RANGE.from} and ${RANGE.to}`,
  );
}

/** Whether something accepts connections there. */
export async function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  const socket = connect({ port, host });
  try {
    await withDeadline(once(socket, 'connect'), 1000);
    return true;
  } catch {
    // Refused, or nobody answered within a second on loopback: nobody listens.
    return false;
  } finally {
    socket.destroy();
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    // Taken: the caller draws another one.
    return false;
  } finally {
    server.close();
  }
}
