import type { JournalEventOf } from '../../model/journal.ts';
import type { JournalIndex } from './journal-index.ts';

/** The life of one worker process; all times on the run's clock, `null` where it never came. */
export interface WorkerLife {
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
  readonly spawnedAtMs: number;
  readonly onlineAtMs: number | null;
  readonly listeningAtMs: number | null;
  readonly exit: JournalEventOf<'worker.exit'> | null;
  /** When the supervisor itself saw the exit. */
  readonly noticedAtMs: number | null;
  /** Not one of those that the server was started with. */
  readonly respawned: boolean;
  /** `seq` of the records about it. */
  readonly evidence: readonly number[];
}

type Draft = { -readonly [K in keyof WorkerLife]: WorkerLife[K] } & { evidence: number[] };

/** The workers in the order in which they were started. */
export function workerLives(journal: JournalIndex): readonly WorkerLife[] {
  const lives: Draft[] = [];
  const byPid = new Map<number, Draft>();
  const steps = journal.of('worker.spawn', 'worker.online', 'worker.listening', 'worker.exit');
  // Two records of one moment: a worker is started before anything else happens to it.
  for (const event of [...steps].sort((a, b) => a.atMs - b.atMs || order(a.type) - order(b.type))) {
    let life = byPid.get(event.pid);
    // A pid can come back once its process is gone.
    if (!life || (event.type === 'worker.spawn' && life.exit !== null)) {
      life = draft(event, journal);
      lives.push(life);
      byPid.set(event.pid, life);
    }
    life.evidence.push(event.seq);
    if (event.type === 'worker.online') life.onlineAtMs ??= event.atMs;
    else if (event.type === 'worker.listening') life.listeningAtMs ??= event.atMs;
    else if (event.type === 'worker.exit') life.exit ??= event;
  }
  for (const event of journal.of('worker.noticed')) {
    const life = byPid.get(event.pid);
    if (life) life.noticedAtMs ??= event.atMs;
  }
  return lives;
}

function draft(
  event: JournalEventOf<'worker.spawn' | 'worker.online' | 'worker.listening' | 'worker.exit'>,
  { ready }: JournalIndex,
): Draft {
  const { slot, generation, pid, atMs } = event;
  return {
    slot,
    generation,
    pid,
    spawnedAtMs: atMs,
    onlineAtMs: null,
    listeningAtMs: null,
    exit: null,
    noticedAtMs: null,
    // A warm standby was started before the server was ready, and has a slot only when it takes over.
    respawned: generation > 1 || (ready !== null && atMs > ready.atMs),
    evidence: [],
  };
}

function order(type: string): number {
  return ['worker.spawn', 'worker.online', 'worker.listening', 'worker.exit'].indexOf(type);
}
