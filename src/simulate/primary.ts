import { type Copy, copyOfConfig, copyOfState, copyOfWorker, scaled } from '../supervisor/policy/copies.ts';
import type {
  Command,
  Connection,
  Event,
  PolicyConfig,
  PolicyState,
  WorkerState,
} from '../supervisor/policy/model.ts';
import { Checks } from './checks/checks.ts';
import type { PrimaryPort } from './item.ts';
import type { Machine } from './machine.ts';
import type { Policy } from './policy-port.ts';
import { GONE_ID } from './process.ts';
import { Violation, violated } from './violation.ts';
import type { Trouble } from './world.ts';

type ReloadFate = Extract<Trouble, { readonly type: 'reload' }>['fate'];

export interface PrimaryOptions {
  /** Compare every state with its JSON, when it is made and when the next is made of it. */
  readonly isStrict: boolean;
  readonly onStep?: (seen: {
    readonly event: Event;
    readonly commands: readonly Command[];
    readonly atMs: number;
  }) => void;
}

/** The primary: tells the policy what happened, and carries out what it commands, as `supervisor/primary` does. */
export class Primary implements PrimaryPort {
  state: PolicyState;
  steps = 0;
  /** It reads nothing: from a trouble that takes it away until it has read what came meanwhile. */
  isAway = false;
  awayFromMs = 0;
  awayUntilMs = 0;
  readonly #policy: Policy;
  readonly #machine: Machine;
  readonly #options: PrimaryOptions;
  readonly #unread: Event[] = [];
  /** The settings as the user knows them. */
  #config: PolicyConfig;
  readonly #reloads: ReloadFate[] = [];
  readonly checks: Checks;

  constructor(policy: Policy, machine: Machine, options: PrimaryOptions) {
    this.#policy = policy;
    this.#machine = machine;
    this.#options = options;
    this.state = policy.initialState(machine.world.config, machine.world.seed);
    this.#config = machine.world.config;
    this.checks = new Checks(machine, this.state);
  }

  /** When the policy wants to be woken. */
  get wakeMs(): number {
    return this.state.wakeAtMs ?? Number.POSITIVE_INFINITY;
  }

  goAway(forMs: number): void {
    this.#awayUntil(Math.max(this.awayUntilMs, this.#machine.nowMs + forMs));
  }

  /** The whole machine stood still: what was to bring the primary back comes later by as much. */
  pauseFor(forMs: number): void {
    this.#awayUntil(Math.max(this.awayUntilMs, this.#machine.nowMs) + forMs);
  }

  #awayUntil(untilMs: number): void {
    if (!this.isAway) this.awayFromMs = this.#machine.nowMs;
    this.isAway = true;
    this.awayUntilMs = untilMs;
    this.#machine.calendar.add(untilMs, { type: 'back' });
  }

  reload(patch: Partial<PolicyConfig>, fate: ReloadFate): void {
    const config = Object.assign(copyOfConfig(this.#config), patch);
    this.#reloads.push(fate);
    this.deliver({ type: 'reload', config });
  }

  /** A connection that is accepted while the primary is away is accepted when it is back. */
  offer(connection: Connection): void {
    this.deliver({ type: 'connection', connection });
  }

  /** What lay unread comes first, in its order; timers after that. */
  back(): void {
    if (this.#machine.nowMs < this.awayUntilMs) return;
    this.isAway = false;
    const unread = this.#unread.splice(0);
    const elided = this.#machine.pulse.recall(this.awayFromMs);
    for (const event of unread) this.#step(event);
    for (const beat of elided) this.#step({ type: 'beats', beats: [beat] });
  }

  deliver(event: Event): void {
    const { type } = event;
    if (type === 'scale') this.#config = scaled(this.#config, event.workers);
    if (type === 'reload') this.#config = event.config;
    if (this.isAway) this.#unread.push(event);
    else this.#step(event);
  }

  wake(): void {
    this.#step({ type: 'wake' });
  }

  fold(id: number, change: (own: Copy<WorkerState>) => void): void {
    const at = this.state.workers.findIndex((worker) => worker.id === id);
    const before = this.state.workers[at];
    if (before === undefined) return;
    const after = copyOfWorker(before);
    change(after);
    const workers = this.state.workers.slice();
    workers[at] = after;
    const state = copyOfState(this.state);
    state.workers = workers;
    state.wakeAtMs = this.#policy.nextWakeMs(state);
    this.state = state;
  }

  #step(happened: Event): void {
    const { nowMs } = this.#machine;
    const event = received(happened, nowMs);
    const before = this.state;
    this.checks.before(event, this.wakeMs, before);
    const { state, commands } = this.#decide(before, event);
    this.steps++;
    this.state = state;
    if (event.type === 'reload') this.#reloaded(state);
    this.#options.onStep?.({ event, commands, atMs: nowMs });
    for (const command of commands) {
      this.checks.command(command, before, state);
      this.#carryOut(command);
    }
    this.checks.after({ event, before, after: state, commands });
    // What it has just begun may be due at once: a drain that has no time at all.
    if (event.type === 'wake' && this.wakeMs <= nowMs && commands.length === 0) {
      violated('wake', `woken at ${nowMs} ms, it does nothing, and wants to be woken at ${this.wakeMs} ms`);
    }
    this.#noted(event);
  }

  #decide(before: PolicyState, event: Event): ReturnType<Policy['transition']> {
    try {
      if (!this.#options.isStrict) return this.#policy.transition(before, event, this.#machine.nowMs);
      const json = JSON.stringify(before);
      const step = this.#policy.transition(before, event, this.#machine.nowMs);
      if (JSON.stringify(before) !== json)
        violated('pure', 'the state that the policy was given was written to');
      if (!isPlain(step.state)) violated('json', 'the state does not survive JSON');
      return step;
    } catch (error) {
      if (error instanceof Violation) throw error;
      violated('throws', `the policy threw: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #reloaded({ goal, generation }: PolicyState): void {
    const fate = this.#reloads.shift() ?? 'good';
    if (goal === 'run' && fate !== 'good') this.#machine.badGenerations.set(generation, fate);
  }

  /** What the machine must know of what the primary has read. */
  #noted(event: Event): void {
    const machine = this.#machine;
    switch (event.type) {
      case 'reload':
        for (const process of machine.live) machine.pulse.planNews(process);
        return;
      case 'beats':
        for (const { worker } of event.beats) this.#heardOf(worker);
        return;
      case 'ready':
      case 'taken':
        return this.#heardOf(event.worker);
      default:
    }
  }

  #heardOf(worker: number): void {
    const process = this.#machine.processes[worker];
    if (process !== undefined) this.#machine.pulse.heard(process);
  }

  #carryOut(command: Command): void {
    const machine = this.#machine;
    switch (command.type) {
      case 'fork':
        return machine.fork(command.worker, command.slot, command.generation);
      case 'drain': {
        const process = machine.processes[command.worker];
        return process && machine.drain(process);
      }
      case 'kill': {
        const process = machine.processes[command.worker];
        return process && machine.end(process);
      }
      case 'give': {
        const process = machine.processes[command.worker];
        const connection = machine.offered[command.connection];
        return process && connection && machine.channels.give(process, connection);
      }
      case 'shed': {
        const connection = machine.offered[command.connection];
        // Who took it and could not say so yet has a copy of its own.
        if (connection?.fate === 'waits') connection.fate = 'shed';
        return;
      }
      case 'reload-aborted':
        return machine.troubled(machine.nowMs);
      case 'serve':
      case 'reloaded':
      case 'stopped':
        return;
    }
  }
}

/** A beat counts from when it was read, a connection from when it was accepted. */
function received(event: Event, nowMs: number): Event {
  if (event.type === 'connection' && event.connection.sinceMs !== nowMs) {
    const { id, listener, key, slot } = event.connection;
    return { type: 'connection', connection: { id, listener, key, slot, sinceMs: nowMs } };
  }
  if (event.type !== 'beats' || event.beats[0] === undefined) return event;
  // The real primary reads those of all workers at once, and one of them may be gone by now.
  const beats = [{ ...event.beats[0], worker: GONE_ID }, ...event.beats];
  return { type: 'beats', beats: beats.map((beat) => ({ ...beat, atMs: nowMs })) };
}

/** JSON makes null of what is not finite, and plain objects of all others. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return value !== undefined;
  const isKnown = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isKnown && Object.values(value).every(isPlain);
}
