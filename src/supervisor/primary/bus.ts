import { createRequire } from 'node:module';
import { ChaosError } from '../../base/errors.ts';
import type { AskOptions, Handler } from '../settings.ts';
import type { BusMessage } from '../wire.cts';
import type { Bus, BusError, BusModule } from '../worker/bus.cts';
import type { Service } from './service.ts';
import type { WorkerProcess } from './worker-process.ts';

const { busError, createBus } = createRequire(import.meta.url)('../worker/bus.cjs') as BusModule;

/** The primary's ends of all channels: one bus a worker, one set of handlers. */
export class BusHub {
  readonly #buses = new Map<WorkerProcess, Bus>();
  readonly #handlers = new Map<string, Handler>();

  hear(service: Service, worker: WorkerProcess, message: BusMessage): void {
    this.#busOf(service, worker).receive(message);
  }

  /** The worker is gone: who still waits for its answer is told. */
  drop(worker: WorkerProcess): void {
    this.#buses.get(worker)?.close();
    this.#buses.delete(worker);
  }

  /** Rejects when no worker serves in that slot, or as `Bus.ask` does. */
  ask(service: Service, slot: number, topic: string, body: unknown, options?: AskOptions): Promise<unknown> {
    const known = service.state.workers.find((worker) => worker.phase === 'serving' && worker.slot === slot);
    const worker = known === undefined ? undefined : service.workers.get(known.id);
    if (worker === undefined) {
      const { name } = service.settings;
      return Promise.reject(new ChaosError('usage', `service '${name}' has no worker in slot ${slot} now`));
    }
    return this.#busOf(service, worker).ask(topic, body, options);
  }

  /**
   * To every worker that can take it: who can't keeps nobody else from it.
   *
   * @throws BusError after it was sent to all others, with the code of the first who could not take it
   */
  broadcast(service: Service, topic: string, body: unknown): void {
    const errors: BusError[] = [];
    for (const worker of service.workers.values()) {
      const error = this.#busOf(service, worker).relay({ t: 'cast', topic, body, from: 0 });
      // A closed channel is that of a worker on its way out: nobody misses it.
      if (error !== null && error.code !== 'IPC_CLOSED') errors.push(error);
    }
    const [first] = errors;
    if (first === undefined) return;
    const { size } = service.workers;
    throw busError(first.code, `${errors.length} of ${size} workers did not get it; ${first.message}`);
  }

  handle(topic: string, handler: Handler): void {
    this.#handlers.set(topic, handler);
  }

  #busOf(service: Service, worker: WorkerProcess): Bus {
    const known = this.#buses.get(worker);
    if (known !== undefined) return known;
    const bus = createBus({
      send: (message, done) => worker.send(message, done),
      limits: service.settings.ipc,
      slot: () => 0,
      handlers: this.#handlers,
      onCast: (message) => this.#relay(service, worker, message),
    });
    this.#buses.set(worker, bus);
    return bus;
  }

  /** A worker's broadcast goes to all others of its service. */
  #relay(service: Service, from: WorkerProcess, message: Extract<BusMessage, { t: 'cast' }>): void {
    for (const worker of service.workers.values()) {
      if (worker !== from) this.#busOf(service, worker).relay(message);
    }
  }
}
