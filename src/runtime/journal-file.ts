import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { ChaosError } from '../base/errors.ts';
import { JOURNAL_VERSION, type JournalEntry, type JournalEvent } from '../model/journal.ts';
import type { Recorder, RunClock } from '../model/ports.ts';

/** An open journal. Every record is written at once, so that a killed harness loses none. */
export interface Journal {
  readonly record: Recorder;
  close(): void;
}

/** Creates `journal.ndjson`; `onEvent` sees every record after it was written. */
export function openJournal(file: string, clock: RunClock, onEvent?: (event: JournalEvent) => void): Journal {
  const fd = openSync(file, 'wx', 0o644);
  let seq = 0;
  let open = true;
  return {
    record(entry: JournalEntry, atMs = clock.now()) {
      if (!open) return;
      const event: JournalEvent = { seq: seq++, atMs: Math.round(atMs * 1000) / 1000, ...entry };
      writeSync(fd, `${JSON.stringify(event)}\n`);
      onEvent?.(event);
    },
    close() {
      open = false;
      closeSync(fd);
    },
  };
}

/**
 * Reads a journal; a last line that was cut off is left out.
 * @throws ChaosError `usage` if there is none, it is not a journal, or of another version
 */
export function readJournal(file: string): readonly JournalEvent[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ChaosError('usage', `cannot read the journal ${file}`, {
      cause,
      hint: 'Name the folder of a run, as in reports/latest.',
    });
  }
  const lines = text.split('\n');
  const events: JournalEvent[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const event = parseLine(line);
    if (event === null && index === lines.length - 1) break;
    if (event === null) throw new ChaosError('usage', `${file}: line ${index + 1} is not a journal record`);
    events.push(event);
  }
  const first = events[0];
  if (first?.type !== 'run.start')
    throw new ChaosError('usage', `${file} does not begin with a run.start record`);
  const version: number = first.version;
  if (version !== JOURNAL_VERSION) {
    throw new ChaosError('usage', `${file} has version ${version}, expected ${JOURNAL_VERSION}`);
  }
  return events;
}

function parseLine(line: string): JournalEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('type' in value) || !('seq' in value)) return null;
    return value as JournalEvent;
  } catch {
    // Not JSON: the caller says which line.
    return null;
  }
}
