import type { PolicyState, Reason, WorkerBeat, WorkerState } from '../../supervisor/policy/model.ts';
import type { Process } from '../process.ts';
import { violated } from '../violation.ts';
import { DEAF_FACTOR, isFresh, type Known, type Seen, SLACK_MS, workerOf } from './known.ts';

/** A starved worker that is silent for so many `deadMs` is ended all the same. */
const STARVED_DEADS_MAX = 5;

/** Silence is noticed in time and never imagined, and nobody is sent away without a reason that is true. */
export class HealthChecks {
  readonly #known: Known;
  /** The shortest life that any limit so far allowed. */
  #ageMs = Number.POSITIVE_INFINITY;

  constructor(known: Known) {
    this.#known = known;
  }

  /** A step begins. */
  before(): void {
    const { limits } = this.#known.config;
    if (limits.ageMs !== null) this.#ageMs = Math.min(this.#ageMs, limits.ageMs * (1 - limits.stagger));
  }

  /** A worker says how it is. */
  heard(process: Process, beat: WorkerBeat): void {
    const { limits } = this.#known.config;
    if (limits.rssBytes !== null && beat.rssBytes >= limits.rssBytes) gone(process, 'memory');
    const isFull = limits.heapShare !== null && beat.heapShare >= limits.heapShare;
    if (isFull || (limits.heapShare !== null && beat.heapSoonShare >= 1)) gone(process, 'heap');
    if (limits.requests !== null && beat.requests >= limits.requests * (1 - limits.stagger)) {
      process.faults.add('requests');
      if (beat.requests >= limits.requests) process.mustGo = true;
    }
  }

  /** A worker is drained or killed. */
  sentAway(process: Process, reason: Reason, seen: Pick<Seen, 'event' | 'before' | 'after'>): void {
    if (!this.#isTrue(process, reason, seen)) {
      violated(
        `reason-${reason}`,
        `worker ${process.id} (${process.phase}) is sent away as '${reason}', and that is not so: ${this.#truth(process)}`,
      );
    }
    if (!this.#isOnTime(process, reason)) {
      violated(
        'deadline',
        `worker ${process.id} is sent away as '${reason}' too late: ${this.#truth(process)}`,
      );
    }
  }

  /** A deadline that has passed is not found by chance later on. */
  #isOnTime(process: Process, reason: Reason): boolean {
    const { nowMs, lateMs } = this.#known;
    return nowMs <= this.#dueMs(process, reason) + SLACK_MS + lateMs;
  }

  #dueMs(process: Process, reason: Reason): number {
    const { config, awayAtMs } = this.#known;
    switch (reason) {
      case 'hung':
        return this.#deadAtMs(process, Math.max(process.heardAtMs, awayAtMs));
      case 'boot-deadline':
        return Math.max(process.forkedAtMs, awayAtMs) + config.bootMs;
      case 'drain-deadline':
        return this.#drainedByMs(process);
      default:
        return Number.POSITIVE_INFINITY;
    }
  }

  #truth(process: Process): string {
    const { nowMs } = this.#known;
    const silentMs = process.isCredited ? 0 : nowMs - process.heardAtMs;
    const faults = [...process.faults].join(', ');
    return `forked ${nowMs - process.forkedAtMs} ms ago, silent for ${silentMs} ms, ${process.isHung ? 'hung' : 'its loop turns'}${faults === '' ? '' : `, ${faults}`}`;
  }

  #isTrue(
    process: Process,
    reason: Reason,
    { event, before, after }: Pick<Seen, 'event' | 'before' | 'after'>,
  ): boolean {
    const { config, nowMs, stopAtMs, isForced, awayAtMs } = this.#known;
    const { phase } = process;
    switch (reason) {
      case 'hung':
        return (
          phase !== 'booting' &&
          !process.isCredited &&
          nowMs >= this.#deadAtMs(process, process.heardAtMs) - 1e-6 &&
          this.#isSilent(process)
        );
      case 'boot-deadline':
        return (
          phase === 'booting' &&
          process.saidReadyAtMs === null &&
          nowMs - Math.max(process.forkedAtMs, awayAtMs) >= config.bootMs - 1e-6
        );
      case 'drain-deadline':
        return phase === 'draining' && nowMs >= this.#drainedByMs(process) - 1e-6;
      case 'took-withdrawn':
        return event.type === 'taken' && this.#isDoubled(event.connection, process, before);
      case 'age':
        return process.readyAtMs !== null && nowMs - process.readyAtMs >= this.#ageMs - 1e-6;
      case 'generation':
        return process.generation < Math.max(before.wantedGeneration, after.wantedGeneration);
      case 'surplus':
        return (process.servesSlot ?? process.slot ?? 0) > config.workers || isSurplus(process, after);
      case 'stop':
        return stopAtMs !== null;
      case 'force':
        return isForced;
      case 'dying':
        return phase !== 'draining' && process.faults.has(reason);
      default:
        return process.faults.has(reason);
    }
  }

  /** It took what had been withdrawn from it, and another has that by now. */
  #isDoubled(id: number, process: Process, before: PolicyState): boolean {
    const worker = workerOf(before, process.id);
    const isWithdrawn = worker?.withdrawn.includes(id) === true;
    const connection = this.#known.machine.offered[id];
    const isDoubled = connection?.doubled === true && connection.leftTo !== process.id;
    return isWithdrawn && isDoubled && before.waiting.every((connection) => connection.id !== id);
  }

  /** When it may and must be taken for dead, if it was last heard then. */
  #deadAtMs({ excusedUntilMs }: Process, heardAtMs: number): number {
    const { deadMs } = this.#known.config;
    return Math.max(heardAtMs + deadMs, Math.min(excusedUntilMs, heardAtMs + deadMs * STARVED_DEADS_MAX));
  }

  #isSilent(process: Process): boolean {
    return process.isHung || process.isEnding || process.isMute || this.#known.nowMs < process.flapUntilMs;
  }

  /** What the event itself must have come to. */
  acted({ event, after, before }: Seen): void {
    switch (event.type) {
      case 'ready':
        return this.#wasHeard(workerOf(after, event.worker), null);
      case 'beats':
        for (const { worker, open } of event.beats) this.#wasHeard(workerOf(after, worker), open);
        return;
      case 'returned':
        return this.#settled(event.worker, event.connection, before, after);
      case 'taken': {
        this.#settled(event.worker, event.connection, before, after);
        const process = this.#known.machine.processes[event.worker];
        const worker = workerOf(after, event.worker);
        this.#wasHeard(worker, event.open);
        if (worker === undefined || process === undefined || worker.phase === 'ending') return;
        if (this.#isDoubled(event.connection, process, before)) ignored(event.type, event.worker);
        return;
      }
      case 'dying': {
        const { phase, hands } = workerOf(after, event.worker) ?? { phase: 'ending', hands: [] };
        if (hands.length > 0 || (phase !== 'ending' && phase !== 'draining'))
          ignored(event.type, event.worker);
        return;
      }
      case 'ipc-lost':
      case 'ipc-flood':
        if ((workerOf(after, event.worker)?.phase ?? 'ending') !== 'ending')
          ignored(event.type, event.worker);
        return;
      case 'force':
        for (const { id, phase } of after.workers) if (phase !== 'ending') ignored(event.type, id);
        return;
      default:
    }
  }

  /** What was withdrawn and is answered is remembered no longer. */
  #settled(id: number, connection: number, before: PolicyState, after: PolicyState): void {
    const was = workerOf(before, id)?.withdrawn ?? [];
    const is = workerOf(after, id)?.withdrawn ?? [];
    if (was.includes(connection) && is.length >= was.length) {
      violated('acted', `worker ${id} answered, and connections are still held to be withdrawn from it`);
    }
  }

  #wasHeard(worker: WorkerState | undefined, open: number | null): void {
    if (worker === undefined || worker.phase === 'ending') return;
    const isHeard = worker.heardAtMs >= this.#known.nowMs && !worker.suspect;
    if (!isHeard || (open !== null && worker.open !== open)) {
      violated('acted', `what worker ${worker.id} said of itself came to nothing`);
    }
  }

  after({ event, after, before }: Seen): void {
    const { type } = event;
    if (type === 'connection' || type === 'listening') return;
    const isWake = type === 'wake';
    const { machine } = this.#known;
    for (let at = 0; at < after.workers.length; at++) {
      const worker = after.workers[at];
      // The same record as before, and no time to hold it against.
      if (worker === undefined || (worker === before.workers[at] && !isWake)) continue;
      const process = machine.processes[worker.id];
      if (process === undefined) continue;
      if (worker.retire !== null && process.retiredAtMs === null) this.#retired(worker, process, before);
      if (worker.suspect && !process.isSuspect) this.#suspected(process);
      process.isSuspect = worker.suspect;
      if (!isWake) continue;
      this.#inTime(worker, process);
      this.#withdrawsOnTime(worker, before);
    }
  }

  #retired({ id, retire, limitShare }: WorkerState, process: Process, before: PolicyState): void {
    const { nowMs, config, awayAtMs, lateMs } = this.#known;
    process.retiredAtMs = nowMs;
    const phase = workerOf(before, id)?.phase;
    if (phase === 'draining' || phase === 'ending')
      violated('acted', `worker ${id} is ${phase}, and is to be replaced (${retire})`);
    if (retire !== 'age') return;
    const dueMs = (process.readyAtMs ?? nowMs) + (config.limits.ageMs ?? 0) * limitShare;
    if (nowMs > Math.max(dueMs, awayAtMs) + SLACK_MS + lateMs)
      violated('deadline', `worker ${process.id} is found to be too old ${nowMs - dueMs} ms too late`);
  }

  #suspected(process: Process): void {
    const { nowMs, config, awayAtMs, lateMs } = this.#known;
    const silentMs = process.isCredited ? 0 : nowMs - process.heardAtMs;
    if (silentMs < config.suspectMs - 1e-6) {
      violated(
        'suspect',
        `worker ${process.id} is suspected after ${silentMs} ms of silence, suspectMs is ${config.suspectMs}`,
      );
    }
    const { beatMs } = this.#known.machine.world.nature;
    const sentAtMs = process.lastBeatMs(nowMs, beatMs);
    const isUnread =
      process.isBeating(nowMs) && sentAtMs > process.beatsFromMs && sentAtMs > nowMs - config.suspectMs;
    if (isUnread) {
      violated('suspect', `worker ${process.id} is suspected while its beats lie unread`);
    }
    const dueMs = Math.max(process.heardAtMs, awayAtMs) + config.suspectMs;
    if (nowMs > dueMs + SLACK_MS + lateMs) {
      violated('suspect', `worker ${process.id} is suspected ${nowMs - dueMs} ms too late`);
    }
  }

  /** All deadlines that have passed were acted upon. */
  #inTime(worker: WorkerState, process: Process): void {
    const { nowMs, config, awayAtMs } = this.#known;
    const late = (what: string): never => violated('deadline', `worker ${worker.id} ${what}`);
    const silent = (): string => `was silent for ${nowMs - Math.max(process.heardAtMs, awayAtMs)} ms and is`;
    const { phase } = worker;
    if (phase === 'booting') {
      if (nowMs - Math.max(process.forkedAtMs, awayAtMs) >= config.bootMs + 1e-6) late('boots for ever');
    } else if (phase !== 'ending' && !process.isCredited) {
      const heardAtMs = Math.max(process.heardAtMs, awayAtMs);
      if (nowMs >= this.#deadAtMs(process, heardAtMs) + 1e-6) late(`${silent()} not ended`);
      if (nowMs - heardAtMs >= config.suspectMs + 1e-6 && !worker.suspect) late(`${silent()} no suspect`);
    }
    if (phase === 'draining' && nowMs >= this.#drainedByMs(process) + 1e-6) late('drains for ever');
    const { ageMs } = config.limits;
    const isOld = ageMs !== null && process.readyAtMs !== null && nowMs - process.readyAtMs >= ageMs + 1e-6;
    if (isOld && worker.retire === null && phase !== 'ending' && phase !== 'draining')
      late('is beyond its age');
    for (const { connection } of worker.hands) {
      if (nowMs >= this.#takenByMs(worker, connection.id) + 1e-6)
        late(`has not taken connection ${connection.id}`);
    }
  }

  /** Time that the primary was away is no time to drain in. */
  #drainedByMs({ drainedAtMs }: Process): number {
    const { nowMs, config, awayAtMs } = this.#known;
    return Math.max(drainedAtMs ?? nowMs, awayAtMs) + config.drainMs;
  }

  /** By when a worker must have taken a connection. */
  #takenByMs({ suspect }: WorkerState, id: number): number {
    const { config, awayAtMs, machine, nowMs } = this.#known;
    const patienceMs = config.withdrawMs * (suspect ? 1 : DEAF_FACTOR);
    return Math.max(machine.offered[id]?.lastGivenAtMs ?? nowMs, awayAtMs) + patienceMs;
  }

  /** What was taken back in this step was due, and not for long. */
  #withdrawsOnTime({ id, phase, hands, suspect, retire }: WorkerState, before: PolicyState): void {
    const { nowMs, lateMs, config } = this.#known;
    const was = workerOf(before, id);
    const patienceMs = config.withdrawMs * (suspect ? 1 : DEAF_FACTOR);
    for (const { connection, atMs } of was?.hands ?? []) {
      if (was === undefined || hands.some((hand) => hand.connection === connection)) continue;
      if (nowMs < atMs + patienceMs - 1e-6)
        violated('deadline', `connection ${connection.id} is taken back from worker ${id} too soon`);
      const isLeaving = phase === 'draining' || phase === 'ending';
      if (!suspect && retire === null && !isLeaving)
        violated('acted', `worker ${id} is deaf and not replaced`);
      const isLate = nowMs > this.#takenByMs(was, connection.id) + SLACK_MS + lateMs;
      if (isLate)
        violated('deadline', `connection ${connection.id} is taken back from worker ${id} too late`);
    }
  }
}

function ignored(type: string, id: number): never {
  return violated('acted', `'${type}' of worker ${id} came to nothing`);
}

function gone(process: Process, fault: Reason): void {
  process.faults.add(fault);
  process.mustGo = true;
}

/** A standby that nobody needs: enough others wait, and nobody is about to be replaced. */
function isSurplus({ phase }: Process, after: PolicyState): boolean {
  return (
    phase === 'standby' &&
    after.workers.every((worker) => worker.phase !== 'serving' || isFresh(after, worker))
  );
}
