import { scaled } from '../../supervisor/policy/copies.ts';
import type { Command, Event, PolicyState, Reason } from '../../supervisor/policy/model.ts';
import type { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import { violated } from '../violation.ts';
import { FlowChecks } from './flow.ts';
import { HealthChecks } from './health.ts';
import { AWAY_MS, isFresh, isSuspect, Known, type Seen } from './known.ts';
import { boundMs, ReloadChecks } from './reloads.ts';
import { StaffChecks } from './staff.ts';

/** For so long a look that found a worker starved excuses its silence. */
const STARVED_MS = 400;

/** All rules that must hold in every world, after every step and at the end. */
export class Checks {
  readonly #known: Known;
  readonly #staff: StaffChecks;
  readonly #health: HealthChecks;
  readonly #flow: FlowChecks;
  readonly #reloads: ReloadChecks;
  #event: Event = { type: 'wake' };
  /** Of the next fork. */
  #generation = 1;
  /** How many there shall be if the reload in progress is given up. */
  #workersBefore = 0;

  constructor(machine: Machine, state: PolicyState) {
    this.#known = new Known(machine, state.config);
    this.#staff = new StaffChecks(this.#known);
    this.#health = new HealthChecks(this.#known);
    this.#flow = new FlowChecks(this.#known);
    this.#reloads = new ReloadChecks(this.#known);
  }

  before(event: Event, wakeMs: number, before: PolicyState): void {
    const known = this.#known;
    this.#event = event;
    known.lateMs = Math.max(0, known.nowMs - wakeMs - known.machine.world.nature.timerLateMs);
    if (known.nowMs - wakeMs > AWAY_MS) known.awayAtMs = known.nowMs;
    this.#staff.forks.before();
    this.#health.before();
    this.#flow.before();
    this.#generation = before.generation;
    this.#note(event, before);
  }

  #heard(worker: number): Process | undefined {
    const process = this.#known.machine.processes[worker];
    if (process !== undefined) process.heardAtMs = this.#known.nowMs;
    return process;
  }

  #ended(process: Process, reason: Reason | null): void {
    if (this.#staff.forks.ended(process, reason, this.#generation)) this.#reloads.bootFailed();
  }

  /** What the event itself tells. */
  #note(event: Event, before: PolicyState): void {
    const known = this.#known;
    const { machine, nowMs } = known;
    switch (event.type) {
      case 'beats':
        for (const beat of event.beats) {
          const process = this.#heard(beat.worker);
          if (process !== undefined) this.#health.heard(process, beat);
        }
        return;
      case 'connection':
        return this.#flow.offered();
      case 'taken':
        this.#heard(event.worker);
        return this.#flow.taken(event.worker, event.connection, before);
      case 'reload':
        this.#staff.forks.reloaded();
        this.#reloads.booted();
        if (before.goal !== 'run') return;
        known.config = event.config;
        if (known.reloadSinceMs === null) this.#workersBefore = before.config.workers;
        known.reloadSinceMs ??= nowMs;
        return;
      case 'scale':
        this.#staff.forks.scaled();
        known.config = scaled(known.config, event.workers);
        this.#workersBefore = event.workers;
        return;
      case 'stop':
      case 'force':
        known.stopAtMs ??= nowMs;
        if (event.type === 'force') known.isForced = true;
        return;
      case 'exit':
      case 'fork-failed': {
        const process = machine.processes[event.worker];
        if (process !== undefined) this.#ended(process, null);
        return machine.forget(event.worker);
      }
      case 'starved': {
        const process = machine.processes[event.worker];
        if (process !== undefined) process.excusedUntilMs = nowMs + STARVED_MS;
        return;
      }
      case 'ready': {
        const process = this.#heard(event.worker);
        // One that is being killed said so too late.
        if (process?.phase !== 'booting') return;
        process.readyAtMs = nowMs;
        process.phase = 'standby';
        this.#staff.forks.booted();
        return this.#reloads.booted();
      }
      case 'listening':
      case 'unlistened': {
        const process = machine.processes[event.worker];
        if (process !== undefined) process.told[event.listener as 'a' | 'b'] = event.type === 'listening';
        return;
      }
      default:
    }
  }

  command(command: Command, before: PolicyState, after: PolicyState): void {
    const { machine } = this.#known;
    // A reload that is given up brings the old one back.
    this.#known.config = after.config;
    switch (command.type) {
      case 'kill':
      case 'drain': {
        const process = machine.processes[command.worker];
        if (process === undefined || process.isGone)
          violated('unknown', `worker ${command.worker} is not there`);
        this.#health.sentAway(process, command.reason, { event: this.#event, before, after });
        this.#ended(process, command.reason);
        return this.#staff.command(command, after);
      }
      case 'give': {
        const process = machine.processes[command.worker];
        if (process === undefined || process.isGone)
          violated('unknown', `worker ${command.worker} is not there`);
        return this.#flow.give(command, process, after);
      }
      case 'serve':
        this.#flow.served(command.slot);
        return this.#staff.command(command, after);
      case 'shed':
        return this.#flow.shed(command.connection, before, this.#event);
      case 'reloaded':
      case 'reload-aborted':
        this.#reloads.ended(command.type, after);
        this.#generation = after.generation;
        if (command.type === 'reload-aborted') {
          const isAsBefore = after.config.workers === this.#workersBefore;
          if (!isAsBefore) {
            violated(
              'reload-ends',
              `given up, and ${after.config.workers} workers instead of ${this.#workersBefore}`,
            );
          }
        }
        return this.#staff.command(command, after);
      case 'stopped':
        if (this.#known.hasStopped || after.workers.length !== 0) {
          violated('stops', 'stopped, with workers left');
        }
        this.#known.hasStopped = true;
        return;
      default:
        return this.#staff.command(command, after);
    }
  }

  after(seen: Seen): void {
    const { after } = seen;
    const known = this.#known;
    known.config = after.config;
    if (!isQuiet(seen)) this.#staff.after(seen);
    this.#health.acted(seen);
    this.#health.after(seen);
    this.#flow.after(seen);
    this.#reloads.after(seen);
    this.#wakes(seen);
    const { stopAtMs } = known;
    if (stopAtMs === null) return;
    const isLate = known.nowMs > Math.max(stopAtMs, known.machine.troubledUntilMs) + boundMs.stop(known);
    if (isLate && after.goal !== 'stopped')
      violated(
        'stops',
        `${after.workers.length} workers are left ${known.nowMs - stopAtMs} ms after the stop`,
      );
    if (after.goal === 'stopped' && !known.hasStopped) violated('stops', 'stopped without saying so');
  }

  /** It never asks to be woken in the past, unless it was late already. */
  #wakes({ before, after }: Seen): void {
    const { nowMs } = this.#known;
    const soonestMs = Math.min(nowMs, before.wakeAtMs ?? nowMs);
    if (after.wakeAtMs !== null && after.wakeAtMs < soonestMs - 1e-6)
      violated('wake', `at ${nowMs} ms it wants to be woken at ${after.wakeAtMs} ms`);
  }

  /** Whether all is as it should be when no trouble comes any more. */
  isSettled(state: PolicyState): boolean {
    return this.#unsettled(state) === null;
  }

  /** No figures in these: they are asked for after every step. */
  #unsettled(state: PolicyState): string | null {
    const { config } = state;
    const known = this.#known;
    if (known.stopAtMs !== null) return state.goal === 'stopped' ? null : 'it has not stopped';
    let serving = 0;
    let standbys = 0;
    for (const worker of state.workers) {
      if (worker.phase === 'serving' && !worker.suspect) serving++;
      if (worker.phase === 'standby' && isFresh(state, worker)) standbys++;
      if (worker.phase === 'serving' && known.machine.processes[worker.id]?.mustGo === true)
        return 'a worker that must go still serves';
    }
    if (serving < config.workers) return 'not all workers serve';
    if (standbys < config.standbys && !config.slotBound) return 'not all standbys are there';
    if (state.reloadFrom !== null) return 'a reload has not ended';
    if (state.waiting.length > 0) return 'connections wait';
    return null;
  }

  /** Called as time goes on: once no trouble comes any more, all must be well again within the bound. */
  time(state: PolicyState): void {
    const known = this.#known;
    const { troubledUntilMs } = known.machine;
    if (known.nowMs <= troubledUntilMs || this.#wellAfterMs === troubledUntilMs) return;
    const what = this.#unsettled(state);
    if (what === null) this.#wellAfterMs = troubledUntilMs;
    else if (known.nowMs > troubledUntilMs + boundMs.whole(known))
      violated('serves-again', `${what}, ${known.nowMs - troubledUntilMs} ms after the last trouble`);
  }

  /** All was well after the trouble that ended then. */
  #wellAfterMs = -1;

  end(state: PolicyState): void {
    this.#flow.audit(state);
    const what = this.#unsettled(state);
    if (what !== null) {
      violated('serves-again', `${what}, and nothing more will happen`);
    }
  }
}

/** Nobody can have changed its place, unless a command says so. */
function isQuiet({ event, before, commands }: Seen): boolean {
  for (const command of commands) if (command.type !== 'give') return false;
  switch (event.type) {
    case 'connection':
    case 'listening':
    case 'starved':
      return true;
    // A suspect that is heard again may be just who was missed.
    case 'beats':
      return event.beats.every(({ worker }) => !isSuspect(before, worker));
    case 'taken':
      return !isSuspect(before, event.worker);
    default:
      return false;
  }
}
