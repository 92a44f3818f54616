import { type Copy, copyOfState, copyOfWorker } from './copies.ts';
import type { Command, PolicyState, Step, WorkerState } from './model.ts';
import { type Tally, tallyOf } from './tally.ts';

/**
 * One transition in the making: a copy of the state, and the commands so far. The state it began with is never written
 * to, nor is any record in it, so a transition stays a pure function of what it was given.
 */
export class Draft {
  readonly nowMs: number;
  readonly state: Copy<PolicyState>;
  readonly commands: Command[] = [];
  /** Something that decides who serves and who is forked has changed. */
  isStaffDue = false;

  /** Null when it must be counted anew. */
  #tally: Tally | null = null;

  constructor(state: PolicyState, nowMs: number) {
    this.state = copyOfState(state);
    this.state.atMs = nowMs;
    this.nowMs = nowMs;
  }

  get workers(): readonly WorkerState[] {
    return this.state.workers;
  }

  get tally(): Tally {
    this.#tally ??= tallyOf(this.state);
    return this.#tally;
  }

  worker(id: number): WorkerState | undefined {
    const { workers } = this.state;
    for (let i = workers.length - 1; i >= 0; i--) if (workers[i]?.id === id) return workers[i];
    return undefined;
  }

  set(patch: Partial<PolicyState>): void {
    this.#staffChanged();
    Object.assign(this.state, patch);
  }

  /** `change` writes to a copy: faster than to assign a patch. */
  update(id: number, change: (own: Copy<WorkerState>) => void): void {
    const { workers } = this.state;
    for (let at = 0; at < workers.length; at++) {
      const before = workers[at];
      if (before?.id !== id) continue;
      const changed = workers.slice();
      const after = copyOfWorker(before);
      change(after);
      changed[at] = after;
      this.state.workers = changed;
      if (isOtherStaff(before, after)) this.#staffChanged();
      return;
    }
  }

  add(worker: WorkerState): void {
    this.#staffChanged();
    this.state.workers = [...this.state.workers, worker];
  }

  remove(id: number): void {
    this.#staffChanged();
    this.state.workers = this.state.workers.filter((worker) => worker.id !== id);
  }

  #staffChanged(): void {
    this.isStaffDue = true;
    this.#tally = null;
  }

  say(command: Command): void {
    this.commands.push(command);
  }

  /** A number in [0, 1) from the state's own stream. */
  random(): number {
    const [random, next] = mulberry32(this.state.random);
    this.state.random = next;
    return random;
  }

  done(): Step {
    return { state: this.state, commands: this.commands, isOtherStaff: this.isStaffDue };
  }
}

function isOtherStaff(before: WorkerState, after: WorkerState): boolean {
  return before.phase !== after.phase || before.retire !== after.retire || before.suspect !== after.suspect;
}

/** Tommy Ettinger's mulberry32: 32 bits of state, enough for jitter, and exact in every engine. */
function mulberry32(state: number): readonly [number, number] {
  const next = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(next ^ (next >>> 15), next | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return [((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296, next];
}
