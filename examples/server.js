// The server that the shipped scenarios run against: node:cluster with a refork on exit, and a heartbeat, so that a
// worker that hangs is ended and replaced too. PORT and WORKERS come from the environment.
import cluster from 'node:cluster';
import { createServer } from 'node:http';

const PORT = Number(process.env.PORT ?? 3000);
const WORKERS = Number(process.env.WORKERS ?? 4);
const HEARTBEAT_MS = 250;
/** Longer than any pause a healthy worker makes, shorter than what users put up with. */
const SILENT_MS = 2000;
const BOOT_MS = 10_000;

if (cluster.isPrimary) {
  const lastBeat = new Map();
  const fork = () => {
    const worker = cluster.fork();
    lastBeat.set(worker, performance.now() + BOOT_MS);
    worker.on('message', () => lastBeat.set(worker, performance.now()));
  };
  cluster.on('exit', (worker) => {
    lastBeat.delete(worker);
    fork();
  });
  let lastLook = performance.now();
  setInterval(() => {
    const now = performance.now();
    // After a pause of our own the beats are still unread in the channel: look again next time.
    const wePaused = now - lastLook > SILENT_MS / 2;
    lastLook = now;
    for (const [worker, beat] of lastBeat) {
      // SIGKILL, since a stopped or busy worker cannot act on anything milder.
      if (!wePaused && worker.isConnected() && now - beat > SILENT_MS) worker.process.kill('SIGKILL');
    }
  }, HEARTBEAT_MS);
  for (let i = 0; i < WORKERS; i++) fork();
} else {
  setInterval(() => process.connected && process.send('alive'), HEARTBEAT_MS);
  const server = createServer((request, response) => {
    // A little asynchronous work, as a database query would be.
    setTimeout(() => response.end('hello from a cluster\n'), 2);
  });
  server.listen(PORT);
}
