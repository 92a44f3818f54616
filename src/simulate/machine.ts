import { Calendar } from './calendar.ts';
import { Channels } from './channels.ts';
import { hashed } from './draw.ts';
import type { Item, PrimaryPort } from './item.ts';
import { ASK, BEATING_MS, type Offered, Process } from './process.ts';
import { Pulse } from './pulse.ts';
import type { BootFate, Trouble, World } from './world.ts';

/** As `supervisor/primary` does. */
const LOOK_EVERY_MS = 100;

/** The world outside of the policy: processes, channels, connections and time. */
export class Machine {
  nowMs = 0;
  readonly world: World;
  readonly calendar = new Calendar<Item>();
  /** By id. */
  readonly processes: (Process | undefined)[] = [];
  /** Alive, in order of their id. */
  live: Process[] = [];
  /** Those whose end the primary has not read yet. */
  known: Process[] = [];
  readonly offered: Offered[] = [];
  /** Until then, boots end so. */
  bootTrouble: Extract<Trouble, { readonly type: 'boots' }> | null = null;
  bootTroubleUntilMs = 0;
  readonly badGenerations = new Map<number, BootFate>();
  slowExits = { untilMs: 0, exitMs: 0 };
  stuckDrainsUntilMs = 0;
  pausedUntilMs = 0;
  freezeAtGive: Extract<Trouble, { readonly type: 'freeze-at-give' }> | null = null;
  /** The last time at which something was wrong that the policy could not help. */
  troubledUntilMs = 0;
  readonly pulse: Pulse;
  readonly channels: Channels;
  readonly #primary: () => PrimaryPort;

  constructor(world: World, primary: () => PrimaryPort, isExact: boolean) {
    this.world = world;
    this.#primary = primary;
    this.pulse = new Pulse(this, isExact);
    this.channels = new Channels(this);
    for (const trouble of world.troubles) this.calendar.add(trouble.atMs, { type: 'trouble', trouble });
  }

  get primary(): PrimaryPort {
    return this.#primary();
  }

  /** A time of this worker's or connection's own, in quarters of a ms, so that sums are exact. */
  lasting(subject: number, ask: number, minMs: number, maxMs: number): number {
    return minMs + Math.floor(hashed(this.world.seed, subject, ask) * (maxMs - minMs) * 4) / 4;
  }

  troubled(untilMs: number): void {
    this.troubledUntilMs = Math.max(this.troubledUntilMs, untilMs);
  }

  fork(id: number, slot: number | null, generation: number): void {
    const process = new Process({ id, slot, generation, forkedAtMs: this.nowMs });
    this.processes[id] = process;
    this.known.push(process);
    const { nature, seed } = this.world;
    const fate = this.#fateOf(process);
    if (fate === 'fork-fails') {
      process.isEnding = true;
      this.calendar.add(this.nowMs, { type: 'failed', process });
      return;
    }
    this.live.push(process);
    // No two at the very same moment, then or in their beats: which of them is first would be by chance.
    const bootMs = this.lasting(id, ASK.boot, nature.bootMsMin, nature.bootMsMax) + (id % 256) / 4096;
    const takesMs = fate === 'slow' ? bootMs * (2 + Math.floor(hashed(seed, id, ASK.late) * 6)) : bootMs;
    if (fate === 'crash') this.calendar.add(this.nowMs + bootMs, { type: 'die', process });
    else if (fate !== 'never-ready') this.calendar.add(this.nowMs + takesMs, { type: 'booted', process });
    if (fate === 'slow') this.troubled(this.nowMs + takesMs);
  }

  #fateOf({ id, generation }: Process): BootFate | null {
    const bad = this.badGenerations.get(generation);
    if (bad !== undefined) return bad;
    const trouble = this.bootTrouble;
    if (trouble === null || this.nowMs >= this.bootTroubleUntilMs) return null;
    return hashed(this.world.seed, id, ASK.fate) < trouble.share ? trouble.how : null;
  }

  booted(process: Process): void {
    if (process.isEnding) return;
    if (process.isHung) {
      // It goes on booting where it stood still.
      if (process.hungUntilMs < BEATING_MS)
        this.calendar.add(process.hungUntilMs + 1, { type: 'booted', process });
      return;
    }
    const { id } = process;
    const fate = this.#fateOf(process);
    process.saidReadyAtMs = this.nowMs;
    process.listens.a = true;
    this.pulse.start(process);
    if (fate === 'leaky') this.pulse.leak(process, 'rss', this.lasting(id, ASK.soon, 20, 600));
    const listening = { type: 'listening', worker: id, listener: 'a' } as const;
    const isReadyFirst = hashed(this.world.seed, id, ASK.order) < 0.5;
    if (!isReadyFirst) this.primary.deliver(listening);
    this.primary.deliver({ type: 'ready', worker: id });
    if (isReadyFirst) this.primary.deliver(listening);
    if (this.world.nature.listeners === 2) {
      this.calendar.add(this.nowMs + this.lasting(id, ASK.order, 0, 20), { type: 'listen', process });
    }
    if (fate === 'crash-soon') {
      this.calendar.add(this.nowMs + this.lasting(id, ASK.soon, 1, 600), { type: 'die', process });
    }
  }

  /** The primary closes a listener that nobody has. */
  sweep(): void {
    if (this.known.every(({ told }) => !told.b)) this.primary.deliver({ type: 'closed', listener: 'b' });
  }

  listen(process: Process): void {
    if (process.isEnding || process.isMute || process.listens.b) return;
    if (process.isHung) {
      if (process.hungUntilMs < BEATING_MS)
        this.calendar.add(process.hungUntilMs + 1, { type: 'listen', process });
      return;
    }
    process.listens.b = true;
    this.primary.deliver({ type: 'listening', worker: process.id, listener: 'b' });
  }

  /** Its event loop stands still from now on. */
  hang(process: Process, forMs: number | null): void {
    if (!process.isRunning) return;
    this.pulse.stop(process);
    process.isHung = true;
    process.hungUntilMs = forMs === null ? BEATING_MS : this.nowMs + forMs;
    if (forMs !== null) this.calendar.add(process.hungUntilMs, { type: 'resume', process });
  }

  /** As a hang, but the primary finds out that it would run if it could. */
  starve(process: Process, forMs: number): void {
    if (!process.isRunning) return;
    this.hang(process, forMs);
    process.isStarved = true;
    this.calendar.add(this.nowMs + LOOK_EVERY_MS, { type: 'look', process });
  }

  /** The primary looks at those who are silent. */
  look(process: Process): void {
    if (!process.isStarved || process.isEnding) return;
    const { isAway } = this.primary;
    if (process.isSuspect && !isAway) this.primary.deliver({ type: 'starved', worker: process.id });
    this.calendar.add(this.nowMs + LOOK_EVERY_MS, { type: 'look', process });
  }

  resume(process: Process): void {
    if (!process.isHung || process.isEnding || this.nowMs < process.hungUntilMs) return;
    process.isHung = false;
    process.isStarved = false;
    if (process.saidReadyAtMs === null) return;
    const isOnTime = this.nowMs >= process.flapUntilMs;
    if (isOnTime) this.pulse.start(process);
    const { unsaid } = process;
    process.unsaid = [];
    const isBeatFirst = hashed(this.world.seed, process.id, ASK.beat) < 0.5;
    if (unsaid.length === 0 && !isBeatFirst) this.channels.turn(process);
    if (!process.isMute) {
      this.channels.sayTaken(process, unsaid);
      if (process.isRunning && isOnTime) this.pulse.sayNow(process);
    }
    if (process.isRunning) this.channels.turnSoon(process, process.id);
  }

  drain(process: Process): void {
    process.isDraining = true;
    process.drainedAtMs = this.nowMs;
    if (this.nowMs < this.stuckDrainsUntilMs) process.isStuck = true;
    this.channels.turnSoon(process, process.id);
  }

  /** A drained worker ends when it has nothing left to do. */
  finish(process: Process): void {
    if (process.isDraining && !process.isStuck && process.held.size === 0 && process.isRunning) {
      if (process.channel.length === 0) this.end(process);
    }
  }

  /** Nothing of it runs from now on: it died, was killed, or has finished. */
  end(process: Process): void {
    if (process.isEnding) return;
    this.pulse.stop(process);
    process.isEnding = true;
    process.channel = [];
    for (const connection of process.held) if (connection.taker === process) connection.fate = 'dead';
    const isSlow = this.nowMs < this.slowExits.untilMs;
    const { exitMsMax } = this.world.nature;
    const exitMs = isSlow ? this.slowExits.exitMs : this.lasting(process.id, ASK.exit, 0.5, exitMsMax);
    if (isSlow) this.troubled(this.nowMs + exitMs);
    this.calendar.add(this.nowMs + exitMs, { type: 'gone', process });
    const seenMs = exitMs * hashed(this.world.seed, process.id, ASK.seen);
    if (seenMs < exitMs / 4) this.calendar.add(this.nowMs + seenMs, { type: 'dying', process });
  }

  /** The primary looks at one that is ending, and sees that. */
  dying(process: Process): void {
    if (!process.isAlive || this.primary.isAway) return;
    process.faults.add('dying');
    this.primary.deliver({ type: 'dying', worker: process.id });
  }

  gone(process: Process): void {
    process.isAlive = false;
    this.live = this.live.filter((other) => other !== process);
    const worker = process.id;
    const last = hashed(this.world.seed, worker, ASK.late);
    // It got ready just as it was killed.
    if (last > 0.8 && process.phase === 'ending' && process.saidReadyAtMs === null)
      this.primary.deliver({ type: 'ready', worker });
    this.primary.deliver({ type: 'exit', worker });
    // What it said last may be read after its exit.
    if (last < 0.05) this.primary.deliver({ type: 'unhealthy', worker });
  }

  /** The primary has read of its end. */
  forget(id: number): void {
    const process = this.processes[id];
    if (process !== undefined) process.isGone = true;
    this.known = this.known.filter((other) => other !== process);
  }

  /** It sends more than it may, and goes on as long as it lives: each second the primary finds so. */
  flood(process: Process): void {
    if (!process.isAlive) return;
    process.faults.add('ipc-flood');
    this.primary.deliver({ type: 'ipc-flood', worker: process.id });
    this.calendar.add(this.nowMs + 1000, { type: 'flood', process });
  }

  cutOff(process: Process): void {
    if (!process.isAlive) return;
    this.primary.deliver({ type: 'ipc-lost', worker: process.id });
  }

  /** Everything on the machine stands still, and the clock goes on; the outside goes on too. */
  pause(forMs: number): void {
    this.pausedUntilMs = this.nowMs + forMs;
    this.calendar.postpone(forMs, ({ type }) => type !== 'trouble' && type !== 'arrive' && type !== 'back');
    // What was to be over by then is over so much later.
    if (this.troubledUntilMs > this.nowMs) this.troubledUntilMs += forMs;
    for (const process of this.live) {
      const isCredited = process.isCredited;
      if (isCredited) this.pulse.stop(process);
      process.beatsFromMs = process.lastBeatMs(this.nowMs, this.world.nature.beatMs) + forMs;
      if (process.isHung) process.hungUntilMs += forMs;
      if (process.flapUntilMs > this.nowMs) process.flapUntilMs += forMs;
      if (isCredited) {
        this.pulse.note(process, process.nextBeatMs(this.nowMs + forMs, this.world.nature.beatMs));
      }
    }
  }
}
