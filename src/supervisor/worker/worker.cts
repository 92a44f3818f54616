/** A supervised worker: binds its parts to the channel. Loaded by `boot` only where a supervisor forked us. */
import type Cluster from 'node:cluster';
import type { BusMessage, ToWorker, WorkerSettings } from '../wire.cts';
import type { Beats } from './beats.cts';
import type { BusModule, Handler } from './bus.cts';
import type { Channel } from './channel.cts';
import type { Connections } from './connections.cts';
import type { Draining } from './drain.cts';
import type { Health } from './health.cts';
import type { Handle, Listen } from './listen.cts';
import type { Signals } from './signals.cts';
import type { StickyCookie } from './sticky-cookie.cts';
import type { SupervisedModule } from './supervised.cts';
import type { WarmUp } from './warm-up.cts';
import type { ParentWatch } from './watch-parent.cts';

const cluster = require('node:cluster') as typeof Cluster;
const { startBeats } = require('./beats.cjs') as Beats;
const { createBus } = require('./bus.cjs') as BusModule;
const { later, onMessage, send } = require('./channel.cjs') as Channel;
const { watchConnections } = require('./connections.cjs') as Connections;
const { beforeExit, drain, isDraining } = require('./drain.cjs') as Draining;
const { watchHealth } = require('./health.cjs') as Health;
const listen = require('./listen.cjs') as Listen;
const { exitWithPrimary, installSignals } = require('./signals.cjs') as Signals;
const { addStickyCookie } = require('./sticky-cookie.cjs') as StickyCookie;
const { warmUp } = require('./warm-up.cjs') as WarmUp;
const { publish } = require('./supervised.cjs') as SupervisedModule;

/** By then a worker that is needed at once has its slot: only one that waits has time to warm up. */
const WARM_UP_AFTER_MS = 100;

/** Says `ready` once. */
function createReadiness(): () => void {
  let said = false;
  return () => {
    if (said) return;
    said = true;
    send({ t: 'ready' });
  };
}

/** pm2's convention, for apps written for it: `process.send('ready')`. */
function hearReadyOfPm2(ready: () => void): void {
  const original = process.send?.bind(process) as ((...args: unknown[]) => boolean) | undefined;
  if (!original) return;
  process.send = (...args: unknown[]) => {
    if (args[0] === 'ready') ready();
    return original(...args);
  };
}

/** `cluster.worker.disconnect()` is how an app asks to leave; the primary sees that nothing is dropped by it. */
function retireOnDisconnect(): void {
  const { worker } = cluster;
  if (!worker) return;
  worker.disconnect = () => {
    worker.exitedAfterDisconnect = true;
    send({ t: 'retire', reason: 'cluster.worker.disconnect()' });
    return worker;
  };
}

/** Slot and those who wait for it. */
function createPlace(): {
  readonly slot: () => number | null;
  readonly serve: (slot: number) => void;
  readonly onServe: (listener: (slot: number) => void) => void;
} {
  let mine: number | null = null;
  const listeners: ((slot: number) => void)[] = [];
  return {
    slot: () => mine,
    serve(slot) {
      mine = slot;
      for (const listener of listeners.splice(0)) listener(slot);
    },
    onServe(listener) {
      const slot = mine;
      if (slot === null) listeners.push(listener);
      else later.setImmediate(() => listener(slot));
    },
  };
}

function startWorker(settings: WorkerSettings, exitListeners: number): void {
  const place = createPlace();
  const handlers = new Map<string, Handler>();
  const bus = createBus({
    send: (message: BusMessage, done) => send(message, done),
    limits: settings.ipc,
    slot: () => place.slot() ?? 0,
    handlers,
  });
  const ready = createReadiness();
  const onListening = (server: object, isOwn: boolean): void => {
    // Where others have listened through the primary, a server of its own is a side door, as for a debugger.
    if (settings.ready === 'listening' && !(isOwn && settings.hasListened)) ready();
    const warmUpIfIdle = (): void => {
      if (place.slot() !== null || isDraining()) return;
      warmUp(server);
      if (settings.balance !== 'none') send({ t: 'rehearse' });
    };
    later.setTimeout(warmUpIfIdle, WARM_UP_AFTER_MS).unref();
  };

  const receive = (message: ToWorker, handle: unknown): void => {
    switch (message.t) {
      case 'connection':
        return listen.onConnection(message, handle as Handle | undefined, settings.claimMs);
      case 'listening':
      case 'listen-error':
        return listen.onAnswer(message);
      case 'serve':
        listen.startAccepting();
        return place.serve(message.slot);
      case 'drain':
        return void drain(message.graceMs);
      default:
        return bus.receive(message);
    }
  };

  exitWithPrimary(exitListeners, bus.close);
  installSignals();
  onMessage(receive);
  watchConnections();
  send({ t: 'hello' });
  if (!listen.install(settings, onListening))
    send({ t: 'plain', detail: 'cluster._getServer is no function' });
  retireOnDisconnect();
  if (settings.stickyCookie !== null) addStickyCookie(settings.stickyCookie, place.slot);
  if (settings.watchParent) (require('./watch-parent.cjs') as ParentWatch).watchParent();
  // After the main module has run, as far as it ran without waiting.
  if (settings.ready === 'online') later.setImmediate(ready);
  if (settings.ready === 'signal') hearReadyOfPm2(ready);
  publish({
    service: settings.service,
    generation: settings.generation,
    slot: place.slot,
    onServe: place.onServe,
    ready: settings.ready === 'signal' ? ready : () => {},
    health: watchHealth,
    beforeExit,
    retire: (reason) => {
      if (!isDraining()) send({ t: 'retire', reason });
    },
    ask: bus.ask,
    handle: (topic, handler) => void handlers.set(topic, handler),
    broadcast: bus.broadcast,
  });
  startBeats(settings);
}

const worker = { startWorker };
export type WorkerModule = typeof worker;
module.exports = worker;
