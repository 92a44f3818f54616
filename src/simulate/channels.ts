import type { Machine } from './machine.ts';
import { ASK, type Offered, type Process } from './process.ts';
import { violated } from './violation.ts';

/** What goes to workers and what they answer: connections given, taken, dropped, closed. */
export class Channels {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  give(process: Process, connection: Offered): void {
    const { nowMs, calendar } = this.#machine;
    connection.lastGivenTo = process;
    connection.lastGivenAtMs = this.#machine.nowMs;
    if (process.isEnding || process.isMute || process.isDeaf) return;
    const frost = this.#machine.freezeAtGive;
    if (frost !== null && process.isRunning) {
      this.#machine.freezeAtGive = null;
      this.#machine.troubled(this.#machine.nowMs + (frost.forMs ?? 0));
      if (frost.how === 'after-check') {
        this.#take(process, connection);
        leaveUnsaid(process, connection);
        this.#machine.hang(process, frost.forMs);
        return;
      }
      this.#machine.hang(process, frost.forMs);
      // Told after this step: the primary is in the midst of it.
      if (frost.how === 'floods') calendar.add(nowMs, { type: 'flood', process });
    }
    process.channel.push({ connection, sentAtMs: this.#machine.nowMs });
    this.turnSoon(process, connection.id);
  }

  turnSoon(process: Process, subject: number): void {
    if (process.isTurnDue || !process.isRunning) return;
    process.isTurnDue = true;
    const afterMs = this.#machine.lasting(subject, ASK.take, 0.25, this.#machine.world.nature.takeMsMax);
    this.#machine.calendar.add(this.#machine.nowMs + afterMs, { type: 'turn', process });
  }

  /** One turn of its event loop: it reads all that lies in its channel. */
  turn(process: Process): void {
    process.isTurnDue = false;
    if (!process.isRunning || process.isMute) return;
    const { channel } = process;
    if (channel.length > 0) {
      process.channel = [];
      const stale: number[] = [];
      const taken: Offered[] = [];
      for (const { connection, sentAtMs } of channel) {
        if (
          this.#machine.nowMs - sentAtMs > this.#machine.world.nature.claimMs ||
          !process.listens[connection.listener]
        ) {
          stale.push(connection.id);
        } else {
          this.#take(process, connection);
          taken.push(connection);
        }
      }
      for (const id of stale) this.say(process, 'returned', id);
      this.sayTaken(process, taken);
    }
    this.#machine.finish(process);
  }

  /** Told of one, the primary may give it another that makes it stand still before it has told of the next. */
  sayTaken(process: Process, taken: readonly Offered[]): void {
    for (const connection of taken) {
      if (process.isRunning) this.say(process, 'taken', connection.id);
      else leaveUnsaid(process, connection);
    }
  }

  say(process: Process, type: 'taken' | 'returned', connection: number): void {
    const worker = process.id;
    const open = process.held.size;
    const { primary } = this.#machine;
    if (type === 'taken') primary.deliver({ type, worker, connection, open });
    else primary.deliver({ type, worker, connection });
  }

  #take(process: Process, connection: Offered): void {
    if (connection.fate !== 'waits' && !connection.doubled) {
      const other = connection.taker === null ? connection.fate : `held by worker ${connection.taker.id}`;
      violated('two-places', `worker ${process.id} takes connection ${connection.id}, which is ${other}`);
    }
    connection.fate = 'taken';
    connection.taker = process;
    process.held.add(connection);
    const lifeMs =
      connection.heldMs ??
      this.#machine.lasting(connection.id, ASK.life, 1, this.#machine.world.nature.connectionMsMax);
    this.#machine.calendar.add(this.#machine.nowMs + lifeMs, { type: 'close', connection });
  }

  close(connection: Offered): void {
    const { taker } = connection;
    if (connection.fate !== 'taken' || taker === null || taker.isEnding) return;
    connection.fate = 'done';
    taker.held.delete(connection);
    this.#machine.finish(taker);
    this.#machine.pulse.opened(taker);
  }
}

/** Who hangs between taking a connection and saying so, and is killed for it, has it in common with who gets it next. */
function leaveUnsaid(process: Process, connection: Offered): void {
  process.unsaid.push(connection);
  connection.doubled = true;
}
