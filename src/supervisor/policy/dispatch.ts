import type { Copy } from './copies.ts';
import type { Draft } from './draft.ts';
import { kill } from './endings.ts';
import type { Connection, Hand, PolicyState, WorkerState } from './model.ts';

/** How many withdrawn ids a worker's record keeps: as many as one may have in hand. */
const WITHDRAWN_MAX = 1024;

/** A new connection: to the worker whose turn it is, or into the queue, or away if that is full. */
export function accept(draft: Draft, connection: Connection): void {
  const { waiting, config } = draft.state;
  // Nobody is overtaken: those who wait could go to nobody, or they would have gone.
  const target = choose(draft, connection, waiting.length + 1);
  if (target !== null) give(draft, target, connection);
  else if (waiting.length < config.waitingMax) draft.state.waiting = [...waiting, connection];
  else draft.say({ type: 'shed', connection: connection.id });
}

/** Gives out what waits, oldest first, as far as workers can take it. */
export function dispatch(draft: Draft): void {
  const { waiting } = draft.state;
  if (waiting.length === 0) return;
  const left: Connection[] = [];
  const stuck = new Set<string>();
  waiting.forEach((connection, index) => {
    const isStuck = !isSticky(connection) && stuck.has(connection.listener);
    const target = isStuck ? null : choose(draft, connection, waiting.length - index + left.length);
    if (target !== null) return give(draft, target, connection);
    left.push(connection);
    // Without stickiness all on a listener are alike: none behind it finds a worker either.
    if (!isSticky(connection)) stuck.add(connection.listener);
  });
  if (left.length !== waiting.length) draft.state.waiting = left;
}

/** A listener is closed: who waits for it is told so, instead of waiting for nobody. */
export function closed(draft: Draft, listener: string): void {
  const { waiting } = draft.state;
  for (const connection of waiting) if (connection.listener === listener) shed(draft, connection);
  draft.state.waiting = waiting.filter((connection) => connection.listener !== listener);
}

/** Nobody will come for those that wait: a close tells the client sooner than silence. */
export function shedAll(draft: Draft): void {
  for (const connection of draft.state.waiting) shed(draft, connection);
  draft.state.waiting = [];
}

function shed(draft: Draft, { id }: Connection): void {
  draft.say({ type: 'shed', connection: id });
  // From whom it was withdrawn may have taken it all the same: now it has it alone, unless there are two of them.
  const holders = draft.workers.filter(({ withdrawn }) => withdrawn.includes(id));
  if (holders.length !== 1) return;
  for (const holder of holders) {
    draft.update(holder.id, (own) => {
      own.withdrawn = holder.withdrawn.filter((withdrawn) => withdrawn !== id);
    });
  }
}

function isSticky(connection: Connection): boolean {
  return connection.key !== null || connection.slot !== null;
}

function give(draft: Draft, worker: WorkerState, connection: Connection): void {
  draft.update(worker.id, (own) => {
    own.hands = [...worker.hands, { connection, atMs: draft.nowMs }];
  });
  if (worker.slot !== null) draft.state.cursor = worker.slot;
  draft.say({ type: 'give', worker: worker.id, connection: connection.id });
}

/** The worker took it over: it is its own from now on. */
export function taken(draft: Draft, worker: WorkerState, id: number, open: number): void {
  const wasWithdrawn = isWithdrawn(worker, id);
  draft.update(worker.id, (own) => {
    own.heardAtMs = Math.max(worker.heardAtMs, draft.nowMs);
    own.suspect = false;
    own.open = open;
    settle(own, id);
  });
  if (!wasWithdrawn) return;
  const { waiting } = draft.state;
  const left = waiting.filter((connection) => connection.id !== id);
  draft.state.waiting = left;
  // Withdrawn, and nobody else has it yet: then it is well where it is. Else it and another read from one socket now:
  // rare (it stopped between its check and its answer), and never harmless.
  if (left.length === waiting.length) kill(draft, worker, 'took-withdrawn');
}

/** The worker dropped it unread: it came too late, or the channel refused it. */
export function returned(draft: Draft, worker: WorkerState, id: number): void {
  const wasWithdrawn = isWithdrawn(worker, id);
  draft.update(worker.id, (own) => {
    settle(own, id);
  });
  if (!wasWithdrawn)
    requeue(
      draft,
      worker.hands.filter(({ connection }) => connection.id === id),
    );
}

/**
 * A worker answers in the order in which it was given. So if a connection was withdrawn from it and given to it once more,
 * the first answer is for what was withdrawn.
 */
function isWithdrawn(worker: WorkerState, id: number): boolean {
  return worker.withdrawn.includes(id);
}

function settle(own: Copy<WorkerState>, id: number): void {
  if (isWithdrawn(own, id)) own.withdrawn = own.withdrawn.toSpliced(own.withdrawn.indexOf(id), 1);
  else own.hands = own.hands.filter(({ connection }) => connection.id !== id);
}

/** Takes back connections that a worker has not taken; it will find them stale, or never look at them. */
export function withdraw(draft: Draft, worker: WorkerState, isMeant: (hand: Hand) => boolean): void {
  const back = worker.hands.filter(isMeant);
  if (back.length === 0) return;
  requeue(draft, back);
  draft.update(worker.id, (own) => {
    own.hands = worker.hands.filter((hand) => !isMeant(hand));
    own.withdrawn = [...worker.withdrawn, ...back.map((hand) => hand.connection.id)].slice(-WITHDRAWN_MAX);
  });
}

/** Back into the queue, to where they were: who came first is served first. */
export function requeue(draft: Draft, hands: readonly Hand[]): void {
  if (hands.length === 0) return;
  const waiting = [...Array.from(hands, (hand) => hand.connection), ...draft.state.waiting];
  draft.state.waiting = waiting.sort((a, b) => a.sinceMs - b.sinceMs);
}

/** `queued`: how many wait, this one included. */
function choose(draft: Draft, connection: Connection, queued: number): WorkerState | null {
  if (isSticky(connection)) return chooseSticky(draft, connection);
  const { config, cursor } = draft.state;
  const shareMax = fairShare(draft, connection, queued);
  let best: WorkerState | null = null;
  for (const worker of draft.workers) {
    if (!canTake(draft, worker, connection) || heldBy(worker) >= shareMax) continue;
    if (best === null || isBefore(worker, best, cursor, config.balance === 'least-connections'))
      best = worker;
  }
  return best;
}

function canTake(draft: Draft, worker: WorkerState, connection: Connection): boolean {
  return isInRotation(worker, connection.listener) && worker.hands.length < draft.state.config.handsMax;
}

function isInRotation(worker: WorkerState, listener: string): boolean {
  return worker.phase === 'serving' && !worker.suspect && worker.listeners.includes(listener);
}

/** Round robin: the first slot after the cursor. Least connections: fewer held, and round robin among equals. */
function isBefore(a: WorkerState, b: WorkerState, cursor: number, byLoad: boolean): boolean {
  if (byLoad && heldBy(a) !== heldBy(b)) return heldBy(a) < heldBy(b);
  const isAfter = (worker: WorkerState): boolean => (worker.slot ?? 0) > cursor;
  if (isAfter(a) !== isAfter(b)) return isAfter(a);
  return (a.slot ?? 0) < (b.slot ?? 0);
}

function heldBy(worker: WorkerState): number {
  return worker.open + worker.hands.length;
}

/**
 * After a mass death the first worker back would get every client that reconnects, and keep it. While at most half of
 * the workers serve, each gets no more than its share of all connections; for `spreadMs`, then whoever is there takes all.
 */
function fairShare(draft: Draft, connection: Connection, queued: number): number {
  const { config } = draft.state;
  if (config.spreadMs === 0 || config.workers < 3) return Number.POSITIVE_INFINITY;
  if (draft.nowMs - connection.sinceMs >= config.spreadMs) return Number.POSITIVE_INFINITY;
  let serving = 0;
  let held = queued;
  for (const worker of draft.workers) {
    if (worker.phase !== 'serving') continue;
    serving++;
    held += heldBy(worker);
  }
  if (serving * 2 > config.workers) return Number.POSITIVE_INFINITY;
  return Math.ceil(held / config.workers);
}

/**
 * The slot its cookie names, else the first in the client's own order of slots (rendezvous hashing, Thaler and
 * Ravishankar 1996): a slot that comes or goes moves only the clients of that slot.
 */
function chooseSticky(draft: Draft, connection: Connection): WorkerState | null {
  const { config } = draft.state;
  let best: WorkerState | null = null;
  let bestRank = -1;
  for (const worker of draft.workers) {
    if (worker.slot === null || !isInRotation(worker, connection.listener)) continue;
    const rank = rankOf(connection, worker.slot);
    if (rank <= bestRank) continue;
    best = worker;
    bestRank = rank;
  }
  if (best === null) return null;
  const home = homeSlot(connection, config.workers);
  if (best.slot !== home && draft.nowMs < heldUntilMs(draft.state, connection, home)) return null;
  return best.hands.length < config.handsMax ? best : null;
}

/** Its session lives, or will live, in its own slot: it waits a while for that before it moves, in ms. */
function heldUntilMs({ config, workers }: PolicyState, { sinceMs }: Connection, home: number): number {
  const untilMs = sinceMs + config.stickyHoldMs;
  const worker = workers.find(({ phase, slot }) => phase === 'serving' && slot === home);
  if (worker === undefined || worker.suspect || worker.servingAtMs === null) return untilMs;
  // Who is there and does not listen where it came in: only one that has just begun is about to.
  return Math.min(untilMs, worker.servingAtMs + config.stickyHoldMs);
}

function homeSlot(connection: Connection, workers: number): number {
  let home = 1;
  let homeRank = -1;
  for (let slot = 1; slot <= workers; slot++) {
    const rank = rankOf(connection, slot);
    if (rank > homeRank) {
      home = slot;
      homeRank = rank;
    }
  }
  return home;
}

/** In [0, 2^32]; the slot that a cookie names comes before all others. */
function rankOf(connection: Connection, slot: number): number {
  if (connection.slot === slot) return 4_294_967_296;
  let mixed = Math.imul((connection.key ?? connection.id) ^ Math.imul(slot, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** When a waiting connection may go where it could not go yet, in ms; Infinity when none waits for time. */
export function nextSpreadMs(state: PolicyState): number {
  let next = Number.POSITIVE_INFINITY;
  const { waiting, config } = state;
  for (const connection of waiting) {
    const atMs = isSticky(connection)
      ? heldUntilMs(state, connection, homeSlot(connection, config.workers))
      : connection.sinceMs + config.spreadMs;
    // Past that, only a worker that comes can help.
    if (atMs > state.atMs && atMs < next) next = atMs;
  }
  return next;
}
