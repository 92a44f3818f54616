import cluster from 'node:cluster';
import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { ChaosError } from '../../base/errors.ts';
import type { ServiceSettings, Supervisor, SupervisorSettings } from '../settings.ts';
import { BusHub } from './bus.ts';
import { deferred } from './deferred.ts';
import { nowMs } from './now.ts';
import { Reaper } from './reaper.ts';
import { Service, type ServiceEvents } from './service.ts';
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

class Primary {
  readonly #log: Logger;
  readonly #reaper: Reaper;
  readonly #hub = new BusHub();
  readonly #services = new Map<string, Service>();
  readonly #startedMs = nowMs();
  readonly #ready = deferred<void>();
  readonly #stopped = deferred<void>();
  /** Of the reload in progress: services that are not through, and how it ends. */
  #reload: { readonly pending: Set<string>; readonly done: ReturnType<typeof deferred<void>> } | null = null;
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
        services: [...this.#services.values()].map(statusOf),
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
    for (const service of settings.services) this.#add(service);
    await this.#reaper.start();
    if (this.#isStopping) return;
    for (const service of this.#services.values()) service.start();
  }

  #add(settings: ServiceSettings): Service {
    const service = new Service(settings, {
      log: this.#log.child({ service: settings.name }),
      events: this.#eventsOf(settings.name),
      watchParent: () => !this.#reaper.isAlive,
      reap: { add: (pid) => this.#reaper.add(pid), remove: (pid) => this.#reaper.remove(pid) },
      bus: this.#hub,
      seed: randomInt(2 ** 31),
    });
    this.#services.set(settings.name, service);
    return service;
  }

  #eventsOf(name: string): ServiceEvents {
    return {
      onReloaded: () => this.#reloaded(name),
      onReloadAborted: () => this.#reloadAborted(name),
      onStopped: () => this.#serviceStopped(name),
      onFatal: (error) => {
        this.#ready.reject(error);
        this.#stopped.reject(error);
        this.#force();
      },
      onChange: () => {
        if (this.#isComplete()) this.#ready.resolve();
      },
    };
  }

  #isComplete(): boolean {
    const services = [...this.#services.values()];
    return services.every(
      ({ state }) =>
        state.workers.filter((worker) => worker.phase === 'serving').length >= state.config.workers,
    );
  }

  #service(name: string): Service {
    const service = this.#services.get(name);
    if (service !== undefined) return service;
    const known = [...this.#services.keys()].join(', ');
    throw new ChaosError('usage', `no service '${name}'; known: ${known}`);
  }

  #startReload(settings?: SupervisorSettings): Promise<void> {
    if (this.#isStopping) return Promise.reject(new ChaosError('usage', 'the supervisor is stopping'));
    const wanted = settings?.services ?? [...this.#services.values()].map((service) => service.settings);
    // One that is overtaken by the next ends with it.
    const overtaken = this.#reload?.done;
    const done = deferred<void>();
    if (overtaken !== undefined) done.promise.then(overtaken.resolve, overtaken.reject);
    this.#reload = { pending: new Set(wanted.map((service) => service.name)), done };
    for (const [name, service] of this.#services) {
      if (!wanted.some((candidate) => candidate.name === name)) service.stop();
    }
    for (const next of wanted) {
      const service = this.#services.get(next.name);
      if (service !== undefined) service.reload(next);
      else {
        this.#add(next).start();
        this.#reload.pending.delete(next.name);
      }
    }
    if (this.#reload.pending.size === 0) done.resolve();
    return done.promise;
  }

  #reloaded(name: string): void {
    const service = this.#services.get(name);
    if (service !== undefined) {
      service.counters.reloads++;
      service.previous = null;
    }
    this.#log.info({ service: name }, 'reload done');
    const reload = this.#reload;
    if (reload === null || !reload.pending.delete(name) || reload.pending.size > 0) return;
    this.#reload = null;
    reload.done.resolve();
  }

  #reloadAborted(name: string): void {
    const service = this.#services.get(name);
    if (service !== undefined) {
      service.counters.reloadsAborted++;
      service.revert();
    }
    this.#log.error(
      { service: name },
      'reload given up: the new generation does not boot; the old one goes on',
    );
    const reload = this.#reload;
    this.#reload = null;
    reload?.done.reject(
      new ChaosError('unhealthy', `service '${name}': the new generation does not boot; the old one goes on`),
    );
  }

  #stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#log.info('stopping: no new connections, then every worker drains');
      const services = [...this.#services.values()];
      for (const service of services) service.stop();
      if (services.length === 0) this.#finish();
    }
    return this.#stopped.promise;
  }

  #force(): void {
    this.#isStopping = true;
    for (const service of this.#services.values()) service.force();
  }

  #serviceStopped(name: string): void {
    this.#services.delete(name);
    if (this.#isStopping && this.#services.size === 0) this.#finish();
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
