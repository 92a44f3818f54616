// The load process: runs the engine as its parent tells it to, and ends with its parent.
import { setPriority } from 'node:os';
import { ChaosError, messageOf } from '../base/errors.ts';
import { LoadEngine } from './engine.ts';
import type { ChildConfig, ChildMessage, ParentMessage } from './protocol.ts';

/** The load must not take the processor from the harness, whose timers say when faults happen. */
const NICE = 10;

let engine: LoadEngine | null = null;
let stopping = false;

function tell(message: ChildMessage, then: () => void = () => undefined): void {
  // A parent that is gone is met by 'disconnect'.
  if (process.connected) process.send?.(message, then);
}

async function start(config: ChildConfig): Promise<void> {
  try {
    engine = await LoadEngine.start(config, (progress) => tell({ type: 'progress', progress }));
    tell({ type: 'started' });
  } catch (error) {
    const hint = error instanceof ChaosError ? (error.hint ?? null) : null;
    tell({ type: 'refused', message: messageOf(error), hint }, () => process.exit(1));
  }
}

async function stop(): Promise<void> {
  if (engine === null || stopping) return;
  stopping = true;
  const summary = await engine.stop();
  tell({ type: 'stopped', summary }, () => process.exit(0));
}

/** Without a parent, or asked by the system: what is known is written, nothing is waited for. */
function leave(): void {
  engine?.finish();
  process.exit(0);
}

process.on('message', (raw) => {
  const message = raw as ParentMessage;
  if (message.type === 'start') void start(message.config);
  else if (message.type === 'rate') engine?.setRate(message.ratePerSecond);
  else if (message.type === 'flush') {
    engine?.flush();
    tell({ type: 'flushed' });
  } else void stop();
});
process.on('disconnect', leave);
process.on('SIGTERM', leave);
// Ctrl-C reaches the whole foreground group; it is the harness that decides when the load ends.
process.on('SIGINT', () => undefined);

setPriority(NICE);
