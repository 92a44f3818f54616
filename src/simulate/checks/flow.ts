import type { Command, Connection, Event, PolicyState, WorkerState } from '../../supervisor/policy/model.ts';
import type { Offered, Process } from '../process.ts';
import { violated } from '../violation.ts';
import { DEAF_FACTOR, isSuspect, type Known, type Seen, SLACK_MS, workerOf } from './known.ts';
import { acceptedAtMs, inRotation, isIn, StickyChecks } from './sticky.ts';

/** Connections: none lost, none in two places, none given to whom it must not, none waiting for nothing. */
export class FlowChecks {
  readonly #known: Known;
  #offered = 0;
  #settled = 0;
  /** A connection waits, and somebody could take it from this time on. */
  #dueMs = Number.POSITIVE_INFINITY;
  #dueFor: Connection | null = null;
  #lastSlot = 0;
  readonly #sticky: StickyChecks;

  constructor(known: Known) {
    this.#known = known;
    this.#sticky = new StickyChecks(known);
  }

  /** A step begins. */
  before(): void {
    const { nowMs, lateMs } = this.#known;
    if (this.#dueFor !== null && lateMs <= 0 && nowMs > this.#dueMs + SLACK_MS)
      this.#waitsForNothing(this.#dueFor);
  }

  offered(): void {
    this.#offered++;
  }

  taken(by: number, id: number, before: PolicyState): void {
    const worker = workerOf(before, by);
    const isWithdrawn = worker?.withdrawn.includes(id) === true;
    if (!isWithdrawn && worker?.hands.some((hand) => hand.connection.id === id)) this.#settled++;
    // It was withdrawn, and nobody else has it yet: it is well where it is.
    else if (isWithdrawn && before.waiting.some((connection) => connection.id === id)) this.#settled++;
  }

  shed(id: number, before: PolicyState, event: Event): void {
    const connection = this.#connection(id);
    if (connection.fate !== 'waits' && !connection.doubled) {
      violated('lost', `connection ${id} is shed and is ${connection.fate}`);
    }
    const { stopAtMs, config } = this.#known;
    if (event.type === 'closed') {
      if (event.listener !== connection.listener)
        violated('lost', `connection ${id} is shed, and its listener ${connection.listener} is open`);
    } else if (
      stopAtMs === null &&
      (before.waiting.length < config.waitingMax || event.type !== 'connection')
    ) {
      violated(
        'lost',
        `connection ${id} is shed while ${before.waiting.length} of ${config.waitingMax} wait`,
      );
    }
    if (event.type === 'connection' && stopAtMs === null) this.#isInVain(event.connection, before);
    const [holder, other] = before.workers.filter(
      ({ withdrawn, hands }) => withdrawn.includes(id) || hands.some((hand) => hand.connection.id === id),
    );
    if (holder !== undefined && other === undefined) connection.leftTo = holder.id;
    this.#settled++;
  }

  /** Nobody could take it; of sticky ones that is asked elsewhere. */
  #isInVain(connection: Connection, before: PolicyState): void {
    if (connection.key !== null || connection.slot !== null) return;
    const waiting = [...before.waiting, connection];
    const share = isScarce(before) ? fairShare({ ...before, waiting }) : Number.POSITIVE_INFINITY;
    const able = before.workers.find(
      (worker) => isAble(worker, connection.listener, before.config.handsMax) && heldBy(worker) < share,
    );
    if (able !== undefined)
      violated('lost', `connection ${connection.id} is shed, and worker ${able.id} could take it`);
  }

  #connection(id: number): Offered {
    return (
      this.#known.machine.offered[id] ??
      violated('unknown', `a command for connection ${id}, which never was`)
    );
  }

  give(command: Extract<Command, { type: 'give' }>, process: Process, after: PolicyState): void {
    const connection = this.#connection(command.connection);
    const { nowMs, machine } = this.#known;
    const what = (): string => `connection ${connection.id} is given to worker ${process.id}`;
    if (process.phase !== 'serving') violated('give-to', `${what()}, which is ${process.phase}`);
    if (isSuspect(after, process.id)) violated('give-to', `${what()}, which is a suspect`);
    if (!process.told[connection.listener])
      violated('give-to', `${what()}, which does not listen on ${connection.listener}`);
    if (connection.doubled) return;
    if (connection.fate !== 'waits') {
      const by = connection.taker === null ? '' : ` by worker ${connection.taker.id}`;
      violated('two-places', `${what()} and is ${connection.fate}${by}`);
    }
    const last = connection.lastGivenTo;
    if (last === null || last.isEnding || last.isDeaf || last.isMute) return;
    const ageMs = nowMs - connection.lastGivenAtMs;
    const canStillTake =
      ageMs <= machine.world.nature.claimMs &&
      last.channel.some((letter) => letter.connection === connection);
    if (canStillTake) {
      violated('two-places', `${what()} while worker ${last.id} may still take it`);
    }
  }

  /** The next turn is that of who has just got a slot. */
  served(slot: number): void {
    this.#lastSlot = slot - 1;
  }

  after(seen: Seen): void {
    const { after } = seen;
    this.#sticky.slots(after.config.workers);
    let held = 0;
    for (const { id, hands } of after.workers) {
      held += hands.length;
      if (hands.length > after.config.handsMax) violated('hands', `worker ${id} has ${hands.length} in hand`);
    }
    const counted = after.waiting.length + held + this.#settled;
    if (counted !== this.#offered) {
      violated('lost', `${this.#offered} connections came, ${counted} are accounted for`);
    }
    const [command] = seen.commands;
    if (seen.commands.length === 1 && command?.type === 'give' && seen.event.type === 'connection') {
      this.#turn(seen, command.worker, seen.event.connection);
    }
    for (const given of seen.commands) {
      if (given.type !== 'give') continue;
      const worker = workerOf(after, given.worker);
      const connection = this.#connection(given.connection);
      this.#isMissed(connection.id, after);
      if (worker === undefined) continue;
      if (connection.key !== null || connection.slot !== null) this.#sticky.given(seen, worker, connection);
      else if (worker.hands.every(({ connection: { key, slot } }) => key === null && slot === null)) {
        this.#share(seen, worker, connection);
      }
      this.#lastSlot = worker.slot ?? this.#lastSlot;
    }
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#dueFor = null;
    if (after.waiting.length > 0) this.#queue(seen);
  }

  /** The policy will look whether it was taken, even if nothing else happens. */
  #isMissed(id: number, { wakeAtMs, config }: PolicyState): void {
    const missedAtMs = this.#known.nowMs + config.withdrawMs * DEAF_FACTOR;
    if (wakeAtMs === null || wakeAtMs > missedAtMs + 1e-6)
      violated('wake', `nobody looks whether connection ${id} is taken`);
  }

  /** Round robin: the next slot. Least connections: nobody has fewer. */
  #turn({ before, after }: Seen, target: number, connection: Connection): void {
    if (before.waiting.length > 0 || connection.key !== null || connection.slot !== null) return;
    if (isScarce(after)) return;
    const { balance, handsMax } = after.config;
    let next: WorkerState | null = null;
    let chosen: WorkerState | null = null;
    for (const worker of before.workers) {
      if (!isAble(worker, connection.listener, handsMax)) continue;
      if (worker.id === target) chosen = worker;
      const byLoad = next === null || balance === 'round-robin' ? 0 : heldBy(worker) - heldBy(next);
      if (next === null || byLoad < 0 || (byLoad === 0 && this.#isNearer(worker, next))) next = worker;
    }
    if (chosen === null || chosen === next) return;
    violated(
      'turn',
      `connection ${connection.id} goes to slot ${chosen.slot}, and it was slot ${next?.slot}'s turn`,
    );
  }

  /** Its turn comes sooner, counted from the slot that had the last. */
  #isNearer(a: WorkerState, b: WorkerState): boolean {
    const away = ({ slot }: WorkerState): number => ((slot ?? 0) - this.#lastSlot + 999) % 1000;
    return away(a) < away(b);
  }

  /** After a mass death nobody gets more than a fair share for a while. */
  #share({ after }: Seen, worker: WorkerState, connection: Offered): void {
    const { config } = after;
    const sinceMs = acceptedAtMs(worker, connection);
    if (!isScarce(after) || this.#known.nowMs - sinceMs >= config.spreadMs) return;
    // What has waited long enough goes to whoever is there, share or not.
    const due = worker.hands.filter(
      (hand) => hand.atMs === this.#known.nowMs && hand.atMs - hand.connection.sinceMs >= config.spreadMs,
    );
    const most = fairShare(after) + due.length;
    if (heldBy(worker) > most) {
      violated('share', `worker ${worker.id} has ${heldBy(worker)} connections, ${most} is its share`);
    }
  }

  #queue({ event, before, after }: Seen): void {
    const { waiting, config } = after;
    if (after.goal !== 'run') violated('waits', 'connections wait, and nobody will come for them');
    if (event.type === 'closed' && waiting.some(({ listener }) => listener === event.listener))
      violated('waits', `connections wait for listener ${event.listener}, which is closed`);
    const isOverfull =
      event.type === 'connection' &&
      waiting.length > before.waiting.length &&
      waiting.length > config.waitingMax;
    if (isOverfull) violated('queue', `${waiting.length} connections wait, ${config.waitingMax} may`);
    for (let at = 1; at < waiting.length; at++) {
      const [a, b] = [waiting[at - 1], waiting[at]];
      if (a !== undefined && b !== undefined && a.sinceMs > b.sinceMs) {
        violated('queue', `connection ${a.id} waits before ${b.id}, which came before it`);
      }
    }
    this.#waits(after);
  }

  /** Nothing waits that could go. */
  #waits(after: PolicyState): void {
    const { nowMs } = this.#known;
    const { config } = after;
    const isTight = isScarce(after);
    const share = fairShare(after);
    for (let at = 0; at < Math.min(16, after.waiting.length); at++) {
      const connection = after.waiting[at];
      if (connection === undefined) continue;
      const isSticky = connection.key !== null || connection.slot !== null;
      const able = after.workers.filter((worker) => isAble(worker, connection.listener, config.handsMax));
      let fromMs: number;
      if (isSticky) {
        const home = this.#sticky.homeOf(connection, config.workers);
        const isHomeAble = able.some(({ slot }) => slot === home);
        // To whom else it may go is the policy's affair, so all must be able.
        const isAnyAble = able.length > 0 && able.length === inRotation(after, connection.listener);
        if (!isHomeAble && !isAnyAble) continue;
        fromMs = isHomeAble ? nowMs : this.#sticky.heldUntilMs(after, connection.sinceMs, home);
      } else {
        if (able.length === 0) continue;
        const isUnderShare = able.some((worker) => heldBy(worker) < share);
        fromMs = isTight && !isUnderShare ? connection.sinceMs + config.spreadMs : nowMs;
      }
      if (nowMs >= fromMs - 1e-6) this.#waitsForNothing(connection);
      if (fromMs < this.#dueMs) {
        this.#dueMs = fromMs;
        this.#dueFor = connection;
      }
    }
  }

  #waitsForNothing({ id, sinceMs }: Connection): never {
    return violated('waits', `connection ${id} waits since ${sinceMs} ms, and somebody could take it`);
  }

  /** Each connection that ever came is where it should be. */
  audit(state: PolicyState): void {
    const { machine } = this.#known;
    const places = new Map<number, number>();
    const note = (id: number): void => void places.set(id, (places.get(id) ?? 0) + 1);
    for (const { id } of state.waiting) note(id);
    for (const { hands } of state.workers) for (const { connection } of hands) note(connection.id);
    for (const [id, count] of places)
      if (count !== 1) violated('two-places', `connection ${id} is in ${count} places`);
    for (const { id, fate, doubled } of machine.offered) {
      if (doubled) continue;
      const isHere = places.has(id);
      if (isHere !== (fate === 'waits'))
        violated(
          'lost',
          `connection ${id} ${fate}, and the policy ${isHere ? 'still has it' : 'has lost it'}`,
        );
    }
  }
}

function isAble(worker: WorkerState, listener: string, handsMax: number): boolean {
  return isIn(worker, listener) && worker.hands.length < handsMax;
}

/** Of all connections, for each worker. */
function fairShare({ waiting, workers, config }: PolicyState): number {
  let all = waiting.length;
  for (const worker of workers) if (worker.phase === 'serving') all += heldBy(worker);
  return Math.ceil(all / config.workers);
}

function heldBy(worker: WorkerState): number {
  return worker.open + worker.hands.length;
}

/** So few serve that connections are shared out. */
function isScarce({ config, workers }: PolicyState): boolean {
  if (config.spreadMs === 0 || config.workers < 3) return false;
  let serving = 0;
  for (const worker of workers) if (worker.phase === 'serving') serving++;
  return serving * 2 <= config.workers;
}
