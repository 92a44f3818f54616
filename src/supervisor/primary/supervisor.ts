import cluster from 'node:cluster';
import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { ChaosError } from '../../base/errors.ts';
import { tallyOf } from '../policy/tally.ts';
import type { ServiceSettings, Supervisor, SupervisorSettings } from '../settings.ts';
import { BusHub } from './bus.ts';
import { deferred } from './deferred.ts';
import { nowMs } from './now.ts';
import { Reaper } from './reaper.ts';
import { planReload, type ReloadPlan } from './reload-plan.ts';
import { Service } from './service.ts';
import { statusOf } from './status.ts';

export interface SupervisorGiven {
  readonly logger: Logger;
}

/**
 * Starts a primary and the workers of all its services. One a process: node:cluster has one set of workers.
 *
 * @throws ChaosError 'usage' when this process is itself a worker
 */
export function startPrimary(settings: SupervisorSettings, { logger }: SupervisorGiven): Supervisor {
  if (!cluster.isPrimary) {
    throw new ChaosError('usage', 'a supervisor was started inside of a worker', {
      hint: 'Start it in a process of its own: `chaos serve app.js`, or startSupervisor() in a primary.',
    });
  }
  const balances = settings.services.map((service) => service.policy.balance);
  // Before the first fork: node:cluster freezes it then.
  cluster.schedulingPolicy = balances.includes('none') ? cluster.SCHED_NONE : cluster.SCHED_RR;
  return new Primary(settings, logger).handle();
}

/** One in progress. */
interface Reload {
  /** Who is not through. */
  readonly pending: Set<Service>;
  /** Those that are new: they stop if it is given up. */
  readonly added: ReadonlySet<Service>;
  /** They stop when all others are through, and go on if it is given up. */
  readonly removed: readonly Service[];
  readonly done: ReturnType<typeof deferred<void>>;
}

class Primary {
  readonly #log: Logger;
  readonly #reaper: Reaper;
  readonly #hub = new BusHub();
  readonly #services = new Set<Service>();
  /** No longer wanted, and not yet drained. */
  readonly #leaving = new Set<Service>();
  readonly #startedMs = nowMs();
  readonly #ready = deferred<void>();
  readonly #stopped = deferred<void>();
  #reload: Reload | null = null;
  /** Who cannot listen ends the supervisor: nobody else is lost by that. */
  #isFirstStart = true;
  #isStopping = false;

  constructor(settings: SupervisorSettings, log: Logger) {
    this.#log = log;
    this.#reaper = new Reaper(log);
    // Who does not ask for them shall not see an unhandled rejection.
    this.#ready.promise.catch(() => undefined);
    this.#stopped.promise.catch(() => undefined);
    this.#start(settings).catch((error: unknown) => {
      this.#ready.reject(error);
      this.#stopped.reject(error);
    });
  }

  handle(): Supervisor {
    return {
      status: () => ({
        version: 1,
        pid: process.pid,
        uptimeMs: Math.round(nowMs() - this.#startedMs),
        services: this.#shown().map(statusOf),
      }),
      reload: (settings) => this.#startReload(settings),
      scale: (name, workers) => this.#service(name).scale(workers),
      stop: () => this.#stop(),
      force: () => this.#force(),
      ready: this.#ready.promise,
      stopped: this.#stopped.promise,
      // Async, so that an unknown service rejects as all else does.
      ask: async (to, topic, body, options) =>
        this.#hub.ask(this.#service(to.service), to.slot, topic, body, options),
      broadcast: (name, topic, body) => this.#hub.broadcast(this.#service(name), topic, body),
      handle: (topic, handler) => this.#hub.handle(topic, handler),
    };
  }

  async #start(settings: SupervisorSettings): Promise<void> {
    const first = settings.services.map((service) => this.#add(service));
    await this.#reaper.start();
    if (this.#isStopping) return;
    // A reload may have come meanwhile.
    for (const service of first) if (this.#services.has(service)) service.start();
  }

  #add(settings: ServiceSettings): Service {
    const service: Service = new Service(settings, {
      log: this.#log,
      events: {
        onReloaded: () => this.#reloaded(service),
        onReloadAborted: () => this.#reloadAborted(service),
        onStopped: () => this.#serviceStopped(service),
        onCannotListen: (error) => this.#cannotListen(error),
        onChange: () => this.#changed(service),
      },
      watchParent: () => !this.#reaper.isAlive,
      reap: { add: (pid) => this.#reaper.add(pid), remove: (pid) => this.#reaper.remove(pid) },
      bus: this.#hub,
      seed: randomInt(2 ** 31),
    });
    this.#services.add(service);
    return service;
  }

  #changed(service: Service): void {
    if ([...this.#services].every(isComplete)) {
      this.#ready.resolve();
      if (this.#services.size > 1) this.#isFirstStart = false;
    }
    const { added, pending } = this.#reload ?? { added: new Set(), pending: new Set() };
    // Of one that runs and changes over, the policy says how that ended.
    if (!added.has(service) || !pending.has(service) || service.state.reloadFrom !== null) return;
    const { name, policy } = service.settings;
    if (isComplete(service)) this.#through(service);
    else if (service.state.bootFailures >= policy.reloadTries) {
      this.#giveUp(new ChaosError('unhealthy', `service '${name}', which is new, does not boot`));
    }
  }

  #cannotListen(error: ChaosError): void {
    if (!this.#isFirstStart) return;
    this.#ready.reject(error);
    this.#stopped.reject(error);
    this.#force();
  }

  #service(name: string): Service {
    const service = [...this.#services].find(({ settings }) => settings.name === name);
    if (service !== undefined) return service;
    const known = [...this.#services].map(({ settings }) => settings.name).join(', ');
    throw new ChaosError('usage', `no service '${name}'; known: ${known}`);
  }

  /** One that drains is seen as long as no other has its name. */
  #shown(): readonly Service[] {
    const names = new Set([...this.#services].map(({ settings }) => settings.name));
    return [...this.#services, ...[...this.#leaving].filter(({ settings }) => !names.has(settings.name))];
  }

  async #startReload(settings?: SupervisorSettings): Promise<void> {
    if (this.#isStopping) throw new ChaosError('unhealthy', 'the supervisor is stopping');
    const running = [...this.#services];
    const wanted = settings?.services ?? running.map((service) => service.settings);
    const canDelegate = cluster.schedulingPolicy === cluster.SCHED_NONE;
    const plan = planReload(running, wanted, { canDelegate });
    this.#isFirstStart = false;
    return this.#carryOut(plan);
  }

  #carryOut({ kept, added, removed }: ReloadPlan<Service>): Promise<void> {
    const done = deferred<void>();
    // One that is overtaken by the next ends with it.
    const overtaken = this.#reload;
    if (overtaken !== null) done.promise.then(overtaken.done.resolve, overtaken.done.reject);
    const stillNew = kept.map(({ service }) => service).filter((service) => overtaken?.added.has(service));
    const fresh = added.map((next) => this.#add(next));
    this.#reload = {
      pending: new Set([...kept.map(({ service }) => service), ...fresh]),
      added: new Set([...stillNew, ...fresh]),
      removed,
      done,
    };
    for (const { service, next } of kept) service.reload(next);
    for (const service of fresh) service.start();
    return done.promise;
  }

  #reloaded(service: Service): void {
    service.counters.reloads++;
    service.previous = null;
    this.#log.info({ service: service.settings.name }, 'reload done');
    this.#through(service);
  }

  #reloadAborted(service: Service): void {
    service.counters.reloadsAborted++;
    const { name } = service.settings;
    service.revert();
    const message = 'the new generation does not boot; the old one goes on';
    this.#log.error({ service: name }, `reload given up: ${message}`);
    this.#giveUp(new ChaosError('unhealthy', `service '${name}': ${message}`));
  }

  #through(service: Service): void {
    const reload = this.#reload;
    if (reload === null || !reload.pending.delete(service) || reload.pending.size > 0) return;
    this.#reload = null;
    for (const removed of reload.removed) this.#remove(removed);
    reload.done.resolve();
  }

  /** Each service that runs changes over, or not, for itself; no other comes or goes. */
  #giveUp(error: ChaosError): void {
    const reload = this.#reload;
    this.#reload = null;
    for (const service of reload?.added ?? []) this.#remove(service);
    reload?.done.reject(error);
  }

  #remove(service: Service): void {
    this.#services.delete(service);
    this.#leaving.add(service);
    service.stop();
  }

  #stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#log.info('stopping: no new connections, then every worker drains');
      for (const service of this.#services) service.stop();
      this.#finishIfOver();
    }
    return this.#stopped.promise;
  }

  #force(): void {
    this.#isStopping = true;
    for (const service of [...this.#services, ...this.#leaving]) service.force();
  }

  #serviceStopped(service: Service): void {
    this.#services.delete(service);
    this.#leaving.delete(service);
    this.#finishIfOver();
  }

  #finishIfOver(): void {
    if (this.#isStopping && this.#services.size + this.#leaving.size === 0) this.#finish();
  }

  #finish(): void {
    this.#reaper.release();
    const stopped = new ChaosError('interrupted', 'the supervisor was stopped');
    this.#ready.reject(stopped);
    this.#reload?.done.reject(stopped);
    this.#log.info('stopped: no worker is left');
    this.#stopped.resolve();
  }
}

function isComplete({ state }: Service): boolean {
  return tallyOf(state).serving >= state.config.workers;
}
