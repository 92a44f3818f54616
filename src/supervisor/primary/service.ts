import type { Logger } from 'pino';
import { ChaosError } from '../../base/errors.ts';
import { shownValue } from '../options/problems.ts';
import { countOfWorkers } from '../options/special-kinds.ts';
import { scaled } from '../policy/copies.ts';
import type { Command, Event, Phase, PolicyState } from '../policy/model.ts';
import { tallyOf } from '../policy/tally.ts';
import { initialState, transition } from '../policy/transition.ts';
import type { ServiceSettings } from '../settings.ts';
import { Alarm } from './alarm.ts';
import type { BusHub } from './bus.ts';
import { Connections } from './connections.ts';
import { Counters } from './counters.ts';
import { Dying } from './dying.ts';
import { Inbox } from './inbox.ts';
import { Listeners } from './listeners.ts';
import { nowMs } from './now.ts';
import { type Heard, Pulse } from './pulse.ts';
import { Suspects } from './suspects.ts';
import { noteTransitions } from './transitions.ts';
import { Upkeep } from './upkeep.ts';
import { WorkerProcess } from './worker-process.ts';

export interface ServiceEvents {
  readonly onReloaded: () => void;
  readonly onReloadAborted: () => void;
  readonly onStopped: () => void;
  /** Its first worker that ended could not listen before: nothing that is done later would help. */
  readonly onCannotListen: (error: ChaosError) => void;
  /** After each change of workers. */
  readonly onChange: () => void;
}

/**
 * Binds the policy to one service: what happens to its workers and connections becomes events, and the policy's commands
 * are carried out. Nothing is decided here.
 */
export class Service {
  settings: ServiceSettings;
  state: PolicyState;
  /** What a reload in progress came from. */
  previous: ServiceSettings | null = null;
  readonly counters = new Counters();
  readonly workers = new Map<number, WorkerProcess>();
  readonly #listeners: Listeners;
  readonly #connections: Connections;
  readonly #inbox: Inbox;
  readonly bus: BusHub;
  readonly #supervisorLog: Logger;
  #log: Logger;
  readonly #events: ServiceEvents;
  readonly #watchParent: () => boolean;
  readonly #reap: { readonly add: (pid: number) => void; readonly remove: (pid: number) => void };
  readonly #queue: Event[] = [];
  #isBusy = false;
  readonly #alarm = new Alarm(() => {
    this.#pulse.look();
    this.handle({ type: 'wake' });
  });
  readonly #upkeep: Upkeep;
  readonly #pulse = new Pulse(
    () => this.settings.beatMs,
    (heard) => this.#heard(heard),
  );
  readonly #suspects = new Suspects(
    () => this.state.workers,
    (id) => this.#pidOf(id),
    (id) => this.handle({ type: 'starved', worker: id }),
  );
  readonly #dying = new Dying(
    () => this.state.workers,
    (id) => this.#pidOf(id),
    (id) => this.handle({ type: 'dying', worker: id }),
  );

  constructor(
    settings: ServiceSettings,
    given: {
      readonly log: Logger;
      readonly events: ServiceEvents;
      readonly watchParent: () => boolean;
      readonly reap: { readonly add: (pid: number) => void; readonly remove: (pid: number) => void };
      readonly bus: BusHub;
      readonly seed: number;
    },
  ) {
    this.settings = settings;
    this.state = initialState(settings.policy, given.seed);
    this.#supervisorLog = given.log;
    this.#log = this.#logOf(settings);
    this.#events = given.events;
    this.#watchParent = given.watchParent;
    this.#reap = given.reap;
    this.bus = given.bus;
    this.#connections = new Connections(this.counters);
    this.#listeners = new Listeners((listener, handle) => {
      const isHttp = this.#listeners.isHttp(listener);
      this.#connections.accept({ listener, handle, isHttp, sticky: this.settings.sticky }, (connection) =>
        this.handle({ type: 'connection', connection }),
      );
    });
    this.#inbox = new Inbox({
      log: () => this.#log,
      listeners: this.#listeners,
      connections: this.#connections,
      onBus: (worker, message) => this.bus.hear(this, worker, message),
      onEvent: (event) => this.handle(event),
      onFull: (worker, connection) => {
        const giveBack = (): void => this.handle({ type: 'returned', worker, connection });
        this.#connections.refused(connection, tallyOf(this.state).serving, giveBack);
      },
      isServing: (id) => this.#phaseOf(id) === 'serving',
      isLeaving: (id) => ['draining', 'ending'].includes(this.#phaseOf(id) ?? 'ending'),
    });
    this.#upkeep = new Upkeep({
      state: () => this.state,
      workers: this.workers,
      messagesPerSecondMax: () => this.settings.messagesPerSecondMax,
      listeners: this.#listeners,
      log: () => this.#log,
      onEvent: (event) => this.handle(event),
    });
  }

  start(): void {
    this.#upkeep.start();
    this.#pulse.start();
    this.handle({ type: 'wake' });
  }

  reload(settings: ServiceSettings): void {
    this.previous ??= this.settings;
    const { workers } = this.settings.policy;
    this.#become(settings);
    // How many, too: a config that is read again takes back what was scaled since.
    const change = workers === settings.policy.workers ? {} : { workersBefore: workers };
    this.#log.info({ workers: settings.policy.workers, ...change }, 'reload begins');
    this.handle({ type: 'reload', config: settings.policy });
  }

  /** After a reload that failed: the next fork is of the settings that are known to boot. */
  revert(): void {
    this.#become(this.previous ?? this.settings);
    this.previous = null;
  }

  #become(settings: ServiceSettings): void {
    this.settings = settings;
    this.#log = this.#logOf(settings);
  }

  #logOf({ name }: ServiceSettings): Logger {
    return this.#supervisorLog.child({ service: name });
  }

  /** @throws ChaosError 'usage' when it is no number of workers that the option takes; nothing has changed then */
  scale(workers: number): void {
    if ('faults' in countOfWorkers.read(workers, { textual: false, baseDir: '' })) {
      const { expected } = countOfWorkers;
      throw new ChaosError('usage', `workers: expected ${expected}, got ${shownValue(workers)}`);
    }
    const withWorkers = (from: ServiceSettings): ServiceSettings => ({
      ...from,
      policy: scaled(from.policy, workers),
    });
    this.#log.info({ from: this.settings.policy.workers, to: workers }, 'scaled');
    this.settings = withWorkers(this.settings);
    if (this.previous !== null) this.previous = withWorkers(this.previous);
    this.handle({ type: 'scale', workers });
  }

  stop(): void {
    // First nobody new, then the drain.
    this.#listeners.closeAll();
    this.handle({ type: 'stop' });
  }

  force(): void {
    this.#listeners.closeAll();
    this.handle({ type: 'force' });
  }

  /** Events that commands cause wait until all commands of the step before are carried out. */
  handle(event: Event): void {
    this.#queue.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    } finally {
      this.#isBusy = false;
    }
  }

  #step(event: Event): void {
    const before = this.state;
    const { state, commands, isOtherStaff } = transition(before, event, nowMs());
    this.state = state;
    for (const command of commands) this.#carryOut(command);
    if (isOtherStaff) {
      this.#suspects.watch();
      const { ready } = this.settings;
      const processOf = (id: number): WorkerProcess | undefined => this.workers.get(id);
      if (noteTransitions({ before, after: state, log: this.#log, processOf, ready }))
        this.#events.onChange();
    }
    this.#alarm.set(state.wakeAtMs ?? Number.POSITIVE_INFINITY);
  }

  // oxlint-disable-next-line max-lines-per-function -- one case a command.
  #carryOut(command: Command): void {
    switch (command.type) {
      case 'fork':
        return this.#fork(command);
      case 'serve': {
        const worker = this.workers.get(command.worker);
        worker?.send({ t: 'serve', slot: command.slot });
        for (const key of worker?.addresses.keys() ?? []) worker?.announce(key);
        return;
      }
      case 'drain': {
        const worker = this.workers.get(command.worker);
        this.counters.ended(command.reason);
        worker?.expectExit();
        worker?.send({ t: 'drain', graceMs: command.graceMs, reason: command.reason });
        return;
      }
      case 'kill': {
        const worker = this.workers.get(command.worker);
        // Of itself: no signal adds to that, and it is counted as a crash when its exit is seen.
        if (command.reason === 'dying') return;
        this.counters.ended(command.reason);
        if (command.reason === 'surplus' || command.reason === 'stop') worker?.expectExit();
        return worker?.kill();
      }
      case 'give': {
        const worker = this.workers.get(command.worker);
        if (worker === undefined) return;
        const back = (): void =>
          this.handle({ type: 'returned', worker: command.worker, connection: command.connection });
        this.#connections.give(command.connection, worker, back);
        return this.#dying.given(command.worker);
      }
      case 'shed':
        this.counters.shed++;
        return this.#connections.close(command.connection);
      case 'reloaded':
        return this.#events.onReloaded();
      case 'reload-aborted':
        return this.#events.onReloadAborted();
      case 'stopped':
        this.#end();
        return this.#events.onStopped();
    }
  }

  #end(): void {
    this.#upkeep.close();
    this.#alarm.close();
    this.#pulse.close();
    this.#suspects.close();
    this.#dying.close();
    this.#listeners.closeAll();
    this.#connections.closeAll();
  }

  #fork({ worker: id, slot, generation }: Extract<Command, { type: 'fork' }>): void {
    this.counters.forks++;
    const spec = {
      service: this.settings,
      worker: id,
      slot,
      generation,
      watchParent: this.#watchParent(),
      pulse: this.#pulse.place(id),
      hasListened: this.#inbox.hasListened,
    };
    try {
      const worker = new WorkerProcess(spec, {
        onMessage: (message) => this.#inbox.hear(worker, message),
        onExit: (code, signal) => this.#exited(id, code, signal),
        onDisconnect: () => this.#disconnected(id),
      });
      this.workers.set(id, worker);
      if (worker.pid !== null) this.#reap.add(worker.pid);
    } catch (error) {
      // EAGAIN, ENOMEM: the back-off decides when to try again.
      this.#pulse.forget(id);
      this.#log.error({ err: error, worker: id }, 'cannot fork');
      this.handle({ type: 'fork-failed', worker: id });
    }
  }

  #exited(id: number, code: number | null, signal: string | null): void {
    const worker = this.workers.get(id);
    const known = this.state.workers.find((candidate) => candidate.id === id);
    if (worker?.pid != null) this.#reap.remove(worker.pid);
    if (worker !== undefined) this.bus.drop(worker);
    this.#pulse.forget(id);
    this.#dying.forget(id);
    this.#listeners.leave(id);
    const reason = known?.endReason ?? null;
    const isAsked = reason !== null && reason !== 'dying';
    const isFirst = this.counters.crashes === 0 && !this.#inbox.hasListened;
    if (!isAsked) this.counters.crashes++;
    const facts = { worker: id, pid: worker?.pid ?? null, slot: known?.slot ?? null, code, signal };
    this.#log[isAsked ? 'info' : 'warn'](facts, isAsked ? 'worker exited' : 'worker died');
    this.handle({ type: 'exit', worker: id });
    this.workers.delete(id);
    if (isFirst && worker?.refused != null) this.#events.onCannotListen(worker.refused);
  }

  #disconnected(id: number): void {
    // An exit closes the channel too, and is seen within ms; a live worker without one can never be reached again.
    setTimeout(() => {
      const { hasExited, hasDrained } = this.workers.get(id) ?? { hasExited: true };
      if (!hasExited && !hasDrained) this.handle({ type: 'ipc-lost', worker: id });
    }, 100).unref();
  }

  #heard(heard: readonly Heard[]): void {
    const beats = heard.flatMap((one) => this.workers.get(one.worker)?.hear(one, this.counters) ?? []);
    this.handle({ type: 'beats', beats });
  }

  #phaseOf(id: number): Phase | undefined {
    return this.state.workers.find((worker) => worker.id === id)?.phase;
  }

  #pidOf(id: number): number | null {
    return this.workers.get(id)?.pid ?? null;
  }
}
