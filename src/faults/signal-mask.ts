import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** Whether the process has a handler of its own for the signal; `null` when there is no such process. */
export function catchesSignal(pid: number, signal: NodeJS.Signals): boolean | null {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    // In /proc this is how a process that is gone shows.
    return null;
  }
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (mask === undefined) return null;
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}
