import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('../../dist/agent/main.cjs', import.meta.url));

/** A hub that says exactly what a test tells it to, and else nothing: no beats. */
export interface RawHub {
  readonly dir: string;
  readonly nodeOptions: string;
  /** The first agent that dials. */
  readonly socket: Promise<Socket>;
  /** Everything agents sent, one parsed frame each. */
  readonly frames: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

export async function startRawHub(): Promise<RawHub> {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-raw-'));
  const boot = join(dir, 'boot.cjs');
  const socketPath = join(dir, 'hub.sock');
  writeFileSync(
    boot,
    `require(${JSON.stringify(AGENT)}).start(${JSON.stringify({ socketPath, token: 'secret' })});`,
  );
  const frames: Record<string, unknown>[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let rest = '';
    socket.on('data', (data) => {
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) frames.push(JSON.parse(line) as Record<string, unknown>);
    });
  });
  const socket = once(server, 'connection').then(([first]) => first as Socket);
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    dir,
    nodeOptions: `--require ${JSON.stringify(boot)}`,
    socket,
    frames,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
