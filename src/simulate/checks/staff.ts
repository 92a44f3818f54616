import type { Command, PolicyState, Reason } from '../../supervisor/policy/model.ts';
import type { Process } from '../process.ts';
import { violated } from '../violation.ts';
import { ForkChecks } from './forks.ts';
import { isFresh, isScaledAway, type Known, type Seen, workerOf } from './known.ts';

/** Why a serving worker may leave its slot to nobody. */
const LEAVES_NOBODY: ReadonlySet<Reason> = new Set(['surplus', 'stop', 'force']);

/** Reasons that kill nobody but who boots: all others drain for them. */
const FOR_BOOTS: ReadonlySet<Reason> = new Set(['surplus', 'stop']);

/** Who is there, in which slot, and whether that is as it should be. */
export class StaffChecks {
  readonly forks: ForkChecks;
  readonly #known: Known;
  /** In this step, a worker was replaced for nothing but its generation. */
  #hasReplacedOld = false;
  /** Slots that drains of this step left. */
  #left: number[] = [];
  #served: { readonly id: number; readonly slot: number }[] = [];

  constructor(known: Known) {
    this.#known = known;
    this.forks = new ForkChecks(known);
  }

  command(command: Command, after: PolicyState): void {
    switch (command.type) {
      case 'fork':
        return this.#fork(command, after);
      case 'serve':
        return this.#serve(command.worker, command.slot, after);
      case 'drain':
        return this.#drain(command, after);
      case 'kill': {
        const process = this.#process(command.worker);
        if (process.phase === 'ending') {
          violated('twice', `worker ${process.id} is killed twice`);
        }
        if (FOR_BOOTS.has(command.reason) && process.phase !== 'booting') {
          violated('drain', `worker ${process.id} (${process.phase}) is killed as '${command.reason}'`);
        }
        process.phase = 'ending';
        process.servesSlot = null;
        process.endReason = command.reason;
        return;
      }
      case 'reload-aborted':
        return this.forks.reloadAborted();
      default:
    }
  }

  #process(id: number) {
    return (
      this.#known.machine.processes[id] ??
      violated('unknown', `a command for worker ${id}, which is not there`)
    );
  }

  #fork(command: Extract<Command, { type: 'fork' }>, after: PolicyState): void {
    const { config, stopAtMs, machine } = this.#known;
    if (stopAtMs !== null) {
      violated('fork-after-stop', `worker ${command.worker} is forked after the stop`);
    }
    if (machine.processes[command.worker] !== undefined) {
      violated('unknown', `id ${command.worker} is used again`);
    }
    let live = 1;
    let booting = 1;
    for (const process of machine.known) {
      if (process.isGone || isScaledAway(process)) continue;
      live++;
      if (process.phase === 'booting') booting++;
    }
    const liveMax = config.workers + config.standbys + config.surge;
    if (live > liveMax) {
      violated('live-max', `${live} workers live, at most ${liveMax} may`);
    }
    if ((command.slot !== null) !== config.slotBound) {
      violated('slots', `worker ${command.worker} is forked for slot ${command.slot}`);
    }
    if (command.slot !== null && (command.slot < 1 || command.slot > config.workers)) {
      violated('slots', `slot ${command.slot} of ${config.workers}`);
    }
    this.forks.fork(command, booting);
    const worker = workerOf(after, command.worker);
    if (worker !== undefined) this.forks.share(worker.limitShare);
  }

  #serve(id: number, slot: number, after: PolicyState): void {
    const process = this.#process(id);
    const { nowMs, config, stopAtMs } = this.#known;
    if (process.phase !== 'standby') {
      violated('serve', `worker ${id} is to serve and is ${process.phase}`);
    }
    if (stopAtMs !== null) {
      violated('serve', `worker ${id} is to serve after the stop`);
    }
    if (slot < 1 || slot > config.workers) {
      violated('slots', `slot ${slot} of ${config.workers}`);
    }
    const isBoundElsewhere = process.slot !== null && process.slot !== slot;
    if (isBoundElsewhere) {
      violated('slots', `worker ${id} was made for slot ${process.slot}, and gets ${slot}`);
    }
    const worker = workerOf(after, id);
    if (worker?.suspect === true) {
      violated('serve', `worker ${id} is to serve and is a suspect`);
    }
    process.phase = 'serving';
    process.servesSlot = slot;
    process.servingAtMs = nowMs;
    this.#served.push({ id, slot });
  }

  #drain({ worker: id, reason, graceMs }: Extract<Command, { type: 'drain' }>, after: PolicyState): void {
    const process = this.#process(id);
    const { config, nowMs, machine } = this.#known;
    const { phase } = process;
    if (phase !== 'serving' && phase !== 'standby') {
      violated('twice', `worker ${id} is to drain and is ${phase}`);
    }
    if (graceMs !== config.drainMs) {
      violated('drain', `worker ${id} has ${graceMs} ms to drain, not ${config.drainMs}`);
    }
    if (phase === 'serving' && !LEAVES_NOBODY.has(reason) && process.servesSlot !== null) {
      this.#left.push(process.servesSlot);
    }

    if (phase === 'standby' && !LEAVES_NOBODY.has(reason)) {
      const standbys = after.workers.filter((worker) => worker.phase === 'standby');
      if (standbys.length < config.standbys && !standbys.some((worker) => isFresh(after, worker))) {
        violated('standby-kept', `standby ${id} goes (${reason}) before another is up`);
      }
    }
    if (phase === 'serving' && reason === 'generation') {
      this.#hasReplacedOld = true;
      this.#isLowest(process, after);
      let draining = 0;
      for (const other of machine.known) if (!other.isGone && other.phase === 'draining') draining++;
      if (draining >= config.surge) {
        violated('one-by-one', `worker ${id} is replaced while ${draining} drain, surge is ${config.surge}`);
      }
    }
    process.phase = 'draining';
    process.servesSlot = null;
    process.endReason = reason;
    process.drainedAtMs = nowMs;
  }

  /** A reload goes by slot, unless who is up was made for another. */
  #isLowest({ servesSlot }: Process, { wantedGeneration }: PolicyState): void {
    const { config, machine } = this.#known;
    if (config.slotBound || servesSlot === null) return;
    for (const { generation, servesSlot: slot } of machine.known) {
      if (slot !== null && slot < servesSlot && generation < wantedGeneration)
        violated('urgency', `slot ${servesSlot} is replaced before slot ${slot}`);
    }
  }

  after(seen: Seen): void {
    const { after, before } = seen;
    this.forks.after(seen);
    const left = this.#left;
    const served = this.#served;
    if (after.workers === before.workers && after.config === before.config && left.length === 0) return;
    let slots = 0;
    for (const worker of after.workers) {
      const process = this.#process(worker.id);
      if (worker.phase !== process.phase) {
        violated(
          'agrees',
          `worker ${worker.id} is ${worker.phase} by the state and ${process.phase} by commands`,
        );
      }
      const { slot } = worker;
      if (slot !== slotOf(process))
        violated('agrees', `worker ${worker.id} (${worker.phase}) has slot ${slot}`);
      if (slot === null) continue;
      if (slot > after.config.workers && after.goal === 'run') {
        violated(
          'slots',
          `worker ${worker.id} (${worker.phase}) has slot ${slot} of ${after.config.workers}`,
        );
      }
      if (worker.phase !== 'serving') continue;

      if ((slots & (1 << slot)) !== 0) violated('two-in-one-slot', `two workers serve slot ${slot}`);
      slots |= 1 << slot;
    }
    this.#left = [];
    this.#served = [];
    for (const slot of left) {
      if (slot > after.config.workers) continue;
      const next = after.workers.find((worker) => worker.phase === 'serving' && worker.slot === slot);
      if (next === undefined) {
        violated('serving-drops', `slot ${slot} was left to nobody`);
      }
      if (next !== undefined && !isFresh(after, next)) {
        violated('freshest', `slot ${slot} goes to worker ${next?.id}, which must go itself`);
      }
    }
    if (after.goal === 'run') this.#standbys(after, slots, served);
    this.#hasReplacedOld = false;
  }

  // oxlint-disable-next-line max-lines-per-function -- one rule after the other.
  #standbys(
    after: PolicyState,
    slots: number,
    served: readonly { readonly id: number; readonly slot: number }[],
  ): void {
    const { config, workers } = after;
    let draining = 0;
    let fresh = 0;
    let stale = 0;
    let isReplacing = false;
    for (const worker of workers) {
      const isGood = isFresh(after, worker);
      if (worker.phase === 'draining') draining++;
      if (worker.phase === 'serving' && !isGood) isReplacing = true;
      if (worker.phase !== 'standby') continue;
      if (isGood) fresh++;
      else stale++;
    }
    if (fresh + stale === 0) return;
    if (isReplacing) this.#replaces(after, draining, served);
    for (let slot = 1; slot <= config.workers; slot++) {
      if ((slots & (1 << slot)) !== 0) continue;
      const idle = workers.find((worker) => isUsable(worker, slot));
      if (idle !== undefined) violated('vacant-slot', `slot ${slot} is vacant, and worker ${idle.id} waits`);
    }
    const standbysMax = config.slotBound ? config.workers : config.standbys;
    if (!isReplacing && fresh > standbysMax)
      violated('surplus', `${fresh} standbys wait, ${config.standbys} are wanted`);
    if (stale > (fresh > 0 ? 0 : config.standbys))
      violated('surplus', `${stale} standbys that must go are kept`);
    this.#urgent(after);
  }

  /** Who must go is replaced as soon as somebody can. */
  #replaces(
    after: PolicyState,
    draining: number,
    served: readonly { readonly id: number; readonly slot: number }[],
  ): void {
    for (const old of after.workers) {
      if (old.phase !== 'serving' || isFresh(after, old)) continue;
      const better = after.workers.find((worker) => isUsable(worker, old.slot) && isFresh(after, worker));
      if (better === undefined) continue;
      if (!served.every(({ id }) => id !== old.id)) {
        violated('freshest', `worker ${old.id} got a slot though it must go and worker ${better.id} waits`);
      }
      if (old.retire !== null || draining < after.config.surge) {
        violated('replaced', `worker ${old.id} must go, worker ${better.id} waits, and nothing is done`);
      }
    }
  }

  /** Who has a reason of its own is replaced before who is merely old. */
  #urgent(after: PolicyState): void {
    if (after.config.slotBound) return;
    if (!this.#hasReplacedOld) return;
    const urgent = after.workers.find((worker) => worker.phase === 'serving' && worker.retire !== null);
    if (urgent === undefined) return;
    violated(
      'urgency',
      `worker ${urgent.id} must go (${urgent.retire}), and one that is merely old was replaced`,
    );
  }
}

/** Which slot it has by the commands so far. */
function slotOf({ phase, servesSlot, slot }: Process): number | null {
  if (phase === 'serving') return servesSlot;
  return phase === 'booting' || phase === 'standby' ? slot : null;
}

function isUsable(worker: PolicyState['workers'][number], slot: number | null): boolean {
  return worker.phase === 'standby' && !worker.suspect && (worker.slot === null || worker.slot === slot);
}
