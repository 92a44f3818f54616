import type { Draft } from './draft.ts';
import { drain, kill } from './endings.ts';
import { forkNotBeforeMs } from './failures.ts';
import type { PolicyConfig, PolicyState, WorkerState } from './model.ts';
import { isFresh, type Tally } from './tally.ts';

/** Fills vacant slots, replaces who must go, and forks what is missing: the same few steps after every event. */
export function staff(draft: Draft): void {
  shrink(draft);
  fillSlots(draft);
  replaceOne(draft);
  dropSurplus(draft);
  fork(draft);
}

/** After a scale down: slots above N go. */
function shrink(draft: Draft): void {
  const { config } = draft.state;
  if (draft.tally.slotMax <= config.workers) return;
  for (const worker of draft.workers) {
    if (worker.slot === null || worker.slot <= config.workers) continue;
    // Bound to a slot that is no more, if it does not serve yet.
    if (worker.phase === 'booting') kill(draft, worker, 'surplus');
    else drain(draft, worker, 'surplus');
  }
}

function fillSlots(draft: Draft): void {
  const { config } = draft.state;
  if (draft.tally.serving === config.workers || draft.tally.standby === 0) return;
  for (let slot = 1; slot <= config.workers; slot++) {
    if (draft.workers.some((worker) => worker.phase === 'serving' && worker.slot === slot)) continue;
    const standby = standbyFor(draft, slot, () => true);
    if (standby !== undefined) serve(draft, standby, slot);
  }
}

/** One that is heard; an old generation or one to be retired is better than none. */
function standbyFor(
  draft: Draft,
  slot: number,
  isMeant: (worker: WorkerState) => boolean,
): WorkerState | undefined {
  return draft.workers.find(
    (worker) =>
      worker.phase === 'standby' &&
      !worker.suspect &&
      (worker.slot === null || worker.slot === slot) &&
      isMeant(worker),
  );
}

function serve(draft: Draft, worker: WorkerState, slot: number): void {
  const nowMs = draft.nowMs;
  draft.update(worker.id, (own) => {
    own.phase = 'serving';
    own.slot = slot;
    own.sinceMs = nowMs;
    own.servingAtMs = nowMs;
  });
  // It has nothing yet: the next turn is its own.
  draft.state.cursor = slot - 1;
  draft.say({ type: 'serve', worker: worker.id, slot });
}

/** A fresh standby takes the place of a worker that must go; so nobody's slot is ever empty for it. */
function replaceOne(draft: Draft): void {
  if (draft.tally.leaving === 0 || draft.tally.standby === 0) return;
  for (const old of going(draft)) {
    if (old.slot === null) continue;
    const fresh = standbyFor(draft, old.slot, (worker) => isFresh(draft.state, worker));
    if (fresh === undefined) continue;
    // A reload waits for drains, so that a standby is left for those who die meanwhile.
    if (old.retire === null && draft.tally.draining >= draft.state.config.surge) return;
    drain(draft, old, old.retire ?? 'generation');
    serve(draft, fresh, old.slot);
  }
}

/** Who must go: who has a reason of its own before who is merely of an old generation; then by slot. */
function going(draft: Draft): readonly WorkerState[] {
  const serving = draft.workers.filter(
    (worker) => worker.phase === 'serving' && !isFresh(draft.state, worker),
  );
  const urgency = (worker: WorkerState): number => (worker.retire === null ? 1 : 0);
  return serving.sort((a, b) => urgency(a) - urgency(b) || (a.slot ?? 0) - (b.slot ?? 0));
}

/** Standbys beyond what is wanted end, and those that must go as soon as they are no more needed. */
function dropSurplus(draft: Draft): void {
  const wanted = draft.state.config.standbys;
  const { standby, freshStandby, leaving } = draft.tally;
  if (standby === freshStandby && standby <= wanted) return;
  const standbys = draft.workers.filter((worker) => worker.phase === 'standby');
  const fresh = standbys.filter((worker) => isFresh(draft.state, worker));
  const stale = standbys.filter((worker) => !isFresh(draft.state, worker));
  // Kept until a fresh one is up: a death in between is still replaced at once.
  const kept = freshStandby > 0 ? 0 : wanted;
  for (const worker of stale.slice(kept)) drain(draft, worker, worker.retire ?? 'generation');
  if (leaving > 0) return;
  for (const worker of fresh.slice(wanted)) drain(draft, worker, 'surplus');
}

/** Forks what is missing, within four bounds: live workers, boots at once, back-off, and one probe while boots fail. */
function fork(draft: Draft): void {
  for (;;) {
    const { state } = draft;
    const { config } = state;
    if (draft.nowMs < forkNotBeforeMs(state) || liveOf(draft) >= liveMax(config)) return;
    if (draft.tally.booting >= (state.bootFailures > 0 ? 1 : config.bootsMax)) return;
    const slot = config.slotBound ? slotToFork(draft) : null;
    if (slot === undefined || (!config.slotBound && !isShort(config, draft.tally))) return;
    if (draft.nowMs < refillAtMs(config, draft.tally)) return;
    forkOne(draft, slot);
  }
}

/** A standby that only refills the reserve boots when who took the place before it has warmed up: both want a core. */
const REFILL_AFTER_MS = 250;

/** No fork before this time, in ms, as long as all slots are served and nobody is to be replaced. */
function refillAtMs({ workers }: PolicyConfig, { serving, leaving, servingAtMs }: Tally): number {
  return serving < workers || leaving > 0 ? Number.NEGATIVE_INFINITY : servingAtMs + REFILL_AFTER_MS;
}

/** When a standby is to be forked, in ms; Infinity when none is missing. */
export function nextRefillMs({ config, atMs }: PolicyState, tally: Tally): number {
  if (config.slotBound || tally.reserve >= config.standbys) return Number.POSITIVE_INFINITY;
  const dueMs = refillAtMs(config, tally);
  return dueMs > atMs ? dueMs : Number.POSITIVE_INFINITY;
}

/** The most workers that may be alive at one time, but for those that a scale-down drains. */
function liveMax({ workers, standbys, surge }: PolicyConfig): number {
  return workers + standbys + surge;
}

/**
 * Those above N may drain for as long as `drainMs`. If they counted, nobody could be forked until then, even if all N died.
 * Each was wanted before, so there are never more of them than were scaled away within one `drainMs`.
 */
function liveOf({ workers, tally }: Draft): number {
  return workers.length - tally.surplus;
}

function isShort(config: PolicyConfig, { serving, reserve, leaving }: Tally): boolean {
  // Without standbys a replacement is forked on top; with them, the standby is the replacement and is refilled.
  const extra = leaving > 0 ? Math.max(1, config.standbys) : config.standbys;
  return serving + reserve < config.workers + extra;
}

/** With slots of their own: the lowest slot that nobody serves or boots for, or whose worker must be replaced. */
function slotToFork(draft: Draft): number | undefined {
  const { config } = draft.state;
  for (let slot = 1; slot <= config.workers; slot++) {
    const isHeld = draft.workers.some((worker) => worker.slot === slot && isFresh(draft.state, worker));
    if (!isHeld) return slot;
  }
  return undefined;
}

function forkOne(draft: Draft, slot: number | null): void {
  const limitShare = 1 - draft.random() * draft.state.config.limits.stagger;
  const { nextWorkerId: id, generation } = draft.state;
  const worker: WorkerState = {
    id,
    generation,
    slot,
    phase: 'booting',
    sinceMs: draft.nowMs,
    forkedAtMs: draft.nowMs,
    readyAtMs: null,
    servingAtMs: null,
    heardAtMs: draft.nowMs,
    suspect: false,
    starvedUntilMs: 0,
    listeners: [],
    open: 0,
    hands: [],
    withdrawn: [],
    retire: null,
    retireAtMs: null,
    endReason: null,
    limitShare,
  };
  draft.state.nextWorkerId = id + 1;
  draft.add(worker);
  draft.say({ type: 'fork', worker: id, slot, generation });
}
