import type { Command, PolicyState, Reason, Step, WorkerState } from './model.ts';

/**
 * One transition in the making: the state so far and the commands so far. The state it began with is never written to,
 * so a transition stays a pure function of what it was given.
 */
export class Draft {
  readonly nowMs: number;
  state: PolicyState;
  readonly commands: Command[] = [];

  constructor(state: PolicyState, nowMs: number) {
    this.state = state;
    this.nowMs = nowMs;
  }

  get workers(): readonly WorkerState[] {
    return this.state.workers;
  }

  worker(id: number): WorkerState | undefined {
    const { workers } = this.state;
    for (let i = workers.length - 1; i >= 0; i--) if (workers[i]?.id === id) return workers[i];
    return undefined;
  }

  set(patch: Partial<PolicyState>): void {
    this.state = { ...this.state, ...patch };
  }

  update(id: number, patch: Partial<WorkerState>): void {
    const workers = this.state.workers.slice();
    const at = workers.findIndex((worker) => worker.id === id);
    const before = workers[at];
    if (before === undefined) return;
    workers[at] = { ...before, ...patch };
    this.state = { ...this.state, workers };
  }

  remove(id: number): void {
    this.set({ workers: this.state.workers.filter((worker) => worker.id !== id) });
  }

  say(command: Command): void {
    this.commands.push(command);
  }

  /** SIGKILL, once: what it held unread goes back to the queue when its exit is seen. */
  kill(worker: WorkerState, reason: Reason): void {
    if (worker.phase === 'ending') return;
    this.update(worker.id, { phase: 'ending', slot: null, sinceMs: this.nowMs, endReason: reason });
    this.say({ type: 'kill', worker: worker.id, reason });
  }

  /** Nothing new for it; it ends by itself when it has finished. */
  drain(worker: WorkerState, reason: Reason): void {
    if (worker.phase === 'ending' || worker.phase === 'draining') return;
    this.update(worker.id, { phase: 'draining', slot: null, sinceMs: this.nowMs, endReason: reason });
    const graceMs = this.state.config.drainMs;
    this.say({ type: 'drain', worker: worker.id, reason, graceMs });
  }

  /** A number in [0, 1) from the state's own stream. */
  random(): number {
    const [random, next] = mulberry32(this.state.random);
    this.set({ random: next });
    return random;
  }

  done(): Step {
    return { state: this.state, commands: this.commands };
  }
}

/** Tommy Ettinger's mulberry32: 32 bits of state, enough for jitter, and exact in every engine. */
function mulberry32(state: number): readonly [number, number] {
  const next = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(next ^ (next >>> 15), next | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return [((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296, next];
}
