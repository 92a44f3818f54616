import { messageOf } from '../base/errors.ts';
import type { Evidence } from '../model/journal.ts';
import type { PlannedFault } from '../model/plan.ts';
import type { Effect, FaultContext, FaultKind, Injection, TargetHandle, Victim } from '../model/ports.ts';
import type { HarnessPorts } from './ports.ts';

interface Active {
  readonly fault: PlannedFault;
  readonly kind: FaultKind;
  readonly victims: readonly Victim[];
  readonly injections: readonly Injection[];
  healing: Promise<void> | null;
}

/** Fires the planned faults, journals what they did, and heals each of them exactly once. */
export class Injector {
  readonly #ports: HarnessPorts;
  readonly #target: TargetHandle;
  readonly #signal: AbortSignal;
  readonly #active = new Map<string, Active>();
  readonly #pending = new Set<Promise<unknown>>();
  /** Aborts when the chaos phase ends: whatever is still held is healed then. */
  readonly #ended = new AbortController();
  /** Ids of faults whose healing failed. */
  readonly unhealed: string[] = [];
  lastFault: string | null = null;
  /** Workers that the server should have now: what it started with, and what it was asked to change. */
  workersWanted: number;

  constructor(
    ports: HarnessPorts,
    target: TargetHandle,
    options: { readonly workers: number; readonly signal: AbortSignal },
  ) {
    this.#ports = ports;
    this.#target = target;
    this.#signal = options.signal;
    this.workersWanted = options.workers;
  }

  /** Fires all faults at their times after `chaosStartMs`; returns when the last one was fired. */
  async fire(faults: readonly PlannedFault[], chaosStartMs: number, abort: AbortSignal): Promise<void> {
    for (const fault of faults) {
      await this.#ports.clock.until(chaosStartMs + fault.atMs, abort);
      if (abort.aborted) return;
      this.#keep(this.#inject(fault, chaosStartMs + fault.atMs));
    }
  }

  /** Heals what is still active, newest first, and waits until every effect is known. */
  async healAll(): Promise<void> {
    this.#ended.abort();
    while (this.#active.size > 0 || this.#pending.size > 0) {
      for (const active of [...this.#active.values()].reverse()) await this.#heal(active);
      await Promise.allSettled(this.#pending);
    }
  }

  async #inject(fault: PlannedFault, plannedAtMs: number): Promise<void> {
    const { record } = this.#ports;
    const faultId = fault.id;
    try {
      const kind = this.#ports.faultKind(fault.kind);
      const victims = this.#victims(fault);
      if (victims.length === 0) throw new Error('no ready worker was there to be its victim');
      if (kind.needs === 'agent' && victims.some((victim) => victim.agent === null)) {
        throw new Error(`${fault.kind} needs the agent, which could not be loaded into the victim`);
      }
      if (fault.expect !== 'survives') {
        for (const victim of victims) this.#target.expectExit(victim.pid, faultId);
      }
      this.lastFault = `${faultId} → ${describe(victims)}`;
      const injections = await this.#injectEach(kind, fault, victims);
      const atMs = Math.min(...injections.map((injection) => injection.atMs));
      const slots = victims.flatMap((victim) => victim.slot ?? []);
      const pids = victims.map((victim) => victim.pid);
      const { expect, holdMs } = fault;
      record(
        { type: 'fault.inject', faultId, kind: fault.kind, slots, pids, plannedAtMs, expect, holdMs },
        atMs,
      );
      const active: Active = { fault, kind, victims, injections, healing: null };
      this.#active.set(faultId, active);
      this.#keep(this.#recordEffect(active));
      if (holdMs !== null) this.#keep(this.#healAfter(active, atMs + holdMs));
    } catch (error) {
      record({ type: 'fault.error', faultId, message: messageOf(error) });
    }
  }

  /** On all victims at once; if one fails, what was done to the others is healed before the error is told. */
  async #injectEach(
    kind: FaultKind,
    fault: PlannedFault,
    victims: readonly Victim[],
  ): Promise<readonly Injection[]> {
    const context = this.#context(fault.id);
    const results = await Promise.allSettled(
      victims.map((victim) => kind.inject(victim, fault.params, context)),
    );
    const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return done;
    for (const injection of done) await injection.heal();
    throw failed.reason;
  }

  async #recordEffect(active: Active): Promise<void> {
    const effects = await Promise.all(
      active.injections.map((injection) =>
        injection.effect.catch(
          (error: unknown): Effect => ({ effective: false, evidence: {}, reason: messageOf(error) }),
        ),
      ),
    );
    const failed = effects.find((effect) => !effect.effective);
    this.#ports.record({
      type: 'fault.effect',
      faultId: active.fault.id,
      effective: failed === undefined,
      evidence: merge(
        active.victims,
        effects.map((effect) => effect.evidence),
      ),
      reason: failed === undefined || failed.effective ? null : failed.reason,
    });
    this.#changeWanted(active.fault.id, effects);
    if (active.fault.holdMs === null) await this.#heal(active);
  }

  #changeWanted(faultId: string, effects: readonly Effect[]): void {
    const by = effects.reduce((sum, effect) => sum + (effect.effective ? (effect.workersBy ?? 0) : 0), 0);
    if (by === 0) return;
    this.workersWanted += by;
    this.#ports.record({ type: 'workers.wanted', faultId, workers: this.workersWanted });
  }

  /** At the end of its hold, or as soon as somebody else has ended all its victims, unless it outlives them. */
  async #healAfter(active: Active, atMs: number): Promise<void> {
    const over = this.#ports.clock.sleep(atMs - this.#ports.clock.now(), this.#ended.signal);
    const gone = Promise.all(active.victims.map((victim) => victim.exited));
    await (active.kind.outlivesVictims ? over : Promise.race([over, gone]));
    await this.#heal(active);
  }

  #heal(active: Active): Promise<void> {
    active.healing ??= this.#healOnce(active);
    return active.healing;
  }

  async #healOnce(active: Active): Promise<void> {
    const { record } = this.#ports;
    const faultId = active.fault.id;
    try {
      const healed = await Promise.all(active.injections.map((injection) => injection.heal()));
      const how = healed.find((heal) => heal.how === 'healed')?.how ?? healed[0]?.how ?? 'not-needed';
      const evidence = merge(
        active.victims,
        healed.map((heal) => heal.evidence),
      );
      record({ type: 'fault.heal', faultId, ok: true, how, evidence });
    } catch (error) {
      this.unhealed.push(faultId);
      record({
        type: 'fault.heal',
        faultId,
        ok: false,
        how: 'not-needed',
        evidence: { error: messageOf(error) },
      });
    } finally {
      this.#active.delete(faultId);
    }
  }

  /** The planned slots' workers; one that is not ready, or already under a fault, gives way to the next slot's. */
  #victims(fault: PlannedFault): readonly Victim[] {
    const { victims } = fault;
    if (victims.by === 'primary') {
      const primary = this.#target.primary();
      if (primary === null) return [];
      return [{ ...primary, role: 'primary', slot: null, exited: this.#target.exited(primary.pid) }];
    }
    const busy = new Set(
      [...this.#active.values()].flatMap((active) => active.victims.map((victim) => victim.pid)),
    );
    const free = this.#target.workers().filter((worker) => worker.state === 'ready' && !busy.has(worker.pid));
    const wanted = victims.by === 'slots' ? victims.slots : [free.at(-1)?.slot ?? 0];
    const chosen = new Map<number, Victim>();
    for (const slot of wanted) {
      const worker =
        victims.by === 'last-started'
          ? [...free].sort((a, b) => b.generation - a.generation || b.pid - a.pid)[0]
          : ([...free.filter((w) => w.slot >= slot), ...free].find((w) => !chosen.has(w.pid)) ?? undefined);
      if (worker)
        chosen.set(worker.pid, { ...worker, role: 'worker', exited: this.#target.exited(worker.pid) });
    }
    return [...chosen.values()];
  }

  #context(faultId: string): FaultContext {
    const { clock, guardian, processes } = this.#ports;
    return {
      faultId,
      clock,
      guardian,
      target: this.#target,
      signal: this.#signal,
      kill: (victim, signal) => processes.signal(victim, signal),
      inspect: (victim) => processes.inspect(victim),
    };
  }

  #keep(work: Promise<unknown>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }
}

function describe(victims: readonly Victim[]): string {
  return victims.map((victim) => (victim.slot === null ? 'primary' : `slot ${victim.slot}`)).join(', ');
}

/** One victim: its evidence as it is; several: each key with its slot. */
function merge(victims: readonly Victim[], parts: readonly Evidence[]): Evidence {
  if (parts.length === 1) return parts[0] ?? {};
  return Object.fromEntries(
    parts.flatMap((part, index) => {
      const victim = victims[index];
      const prefix = victim?.slot === null || victim === undefined ? 'primary' : `slot${victim.slot}`;
      return Object.entries(part).map(([key, value]) => [`${prefix}.${key}`, value]);
    }),
  );
}
