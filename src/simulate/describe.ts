import { unreachable } from '../base/errors.ts';
import type { Command, Event } from '../supervisor/policy/model.ts';
import { GONE_ID } from './process.ts';
import type { Broken } from './run-world.ts';
import type { Trouble, World } from './world.ts';

/** One call of the policy, as a trace keeps it. */
export interface TracedStep {
  readonly event: Event;
  readonly commands: readonly Command[];
  readonly atMs: number;
}

/** How many steps before the broken rule are shown. */
const STEPS_SHOWN = 20;

/** A world and how it broke a rule, as a list to read. */
export function describeBroken(world: World, broken: Broken, trace: readonly TracedStep[]): string {
  const { config, troubles, seed } = world;
  const { workers, standbys, surge, bootsMax } = config;
  const first = Math.max(0, trace.length - STEPS_SHOWN);
  const steps = trace
    .slice(first)
    .map((step, index) => `  ${String(first + index + 1).padStart(4)}  ${time(step.atMs)}  ${line(step)}`);
  return [
    `${broken.rule}: ${broken.message}`,
    `  seed ${seed}, step ${broken.step}, at ${time(broken.atMs).trim()}`,
    '',
    `The world: ${workers} workers, ${standbys} standbys, surge ${surge}, at most ${bootsMax} boots at a time${config.slotBound ? ', each made for its slot' : ''}, ${config.balance}`,
    ...troubles.map((trouble) => `  ${time(trouble.atMs)}  ${describeTrouble(trouble)}`),
    '',
    `What the policy was told and did, the last ${steps.length} of ${trace.length} steps:`,
    ...steps,
    '',
  ].join('\n');
}

function time(atMs: number): string {
  return `${(atMs / 1000).toFixed(4)} s`.padStart(12);
}

function line({ event, commands }: TracedStep): string {
  const did = commands.map(describeCommand).join(', ');
  return did === '' ? describeEvent(event) : `${describeEvent(event)} → ${did}`;
}

function describeEvent(event: Event): string {
  switch (event.type) {
    case 'beats':
      return event.beats
        .filter(({ worker }) => worker !== GONE_ID)
        .map(({ worker }) => `worker ${worker} beats`)
        .join(', ');
    case 'connection':
      return `connection ${event.connection.id} comes`;
    case 'taken':
    case 'returned':
      return `worker ${event.worker}: ${event.type} ${event.connection}`;
    case 'closed':
      return `listener ${event.listener} is closed`;
    case 'scale':
      return `scale to ${event.workers}`;
    case 'wake':
    case 'reload':
    case 'stop':
    case 'force':
      return event.type;
    default:
      return `worker ${event.worker}: ${event.type}${'listener' in event ? ` ${event.listener}` : ''}`;
  }
}

function describeCommand(command: Command): string {
  switch (command.type) {
    case 'fork':
      return `fork ${command.worker}${command.slot === null ? '' : ` for slot ${command.slot}`}`;
    case 'serve':
      return `${command.worker} serves slot ${command.slot}`;
    case 'drain':
    case 'kill':
      return `${command.type} ${command.worker} (${command.reason})`;
    case 'give':
      return `give ${command.connection} to ${command.worker}`;
    case 'shed':
      return `shed ${command.connection}`;
    default:
      return command.type;
  }
}

/** A trouble in words. */
// oxlint-disable-next-line max-lines-per-function -- one case a trouble.
export function describeTrouble(trouble: Trouble): string {
  switch (trouble.type) {
    case 'die':
      return `${howMany(trouble.count)} (pick ${trouble.pick}) dies`;
    case 'hang':
      return `${howMany(trouble.count)} (pick ${trouble.pick}) hangs ${howLong(trouble.forMs)}`;
    case 'starve':
      return `${howMany(trouble.count)} (pick ${trouble.pick}) gets no time from the machine ${howLong(trouble.forMs)}`;
    case 'freeze-at-give':
      return `who is given the next connection stands still ${howLong(trouble.forMs)} (${trouble.how})`;
    case 'leak':
      return `a worker (pick ${trouble.pick}) leaks ${trouble.of}, at its limit after ${trouble.fullMs} ms`;
    case 'ipc-lost':
      return `a worker (pick ${trouble.pick}) loses its channel`;
    case 'ipc-flood':
      return `a worker (pick ${trouble.pick}) floods its channel`;
    case 'deaf':
      return `a worker (pick ${trouble.pick}) goes deaf: handles sent to it get lost`;
    case 'asked-to-retire':
      return `a worker (pick ${trouble.pick}) asks to be replaced`;
    case 'unhealthy':
      return `a worker (pick ${trouble.pick}) says that it is unwell`;
    case 'flap':
      return `a worker (pick ${trouble.pick}) beats late ${howLong(trouble.forMs)}`;
    case 'unlisten':
      return `${howMany(trouble.count)} (pick ${trouble.pick}) stops listening on b ${howLong(trouble.forMs)}`;
    case 'boots':
      return `${Math.round(trouble.share * 100)} % of boots ${trouble.how} ${howLong(trouble.forMs)}`;
    case 'slow-exits':
      return `exits are seen ${trouble.exitMs} ms late ${howLong(trouble.forMs)}`;
    case 'stuck-drains':
      return `drains that begin never end ${howLong(trouble.forMs)}`;
    case 'away':
      return `the primary is away ${howLong(trouble.forMs)}`;
    case 'pause':
      return `the whole machine stands still ${howLong(trouble.forMs)}`;
    case 'reload':
      return `reload, to a generation that is ${trouble.fate}${Object.keys(trouble.config).length > 0 ? ` (${JSON.stringify(trouble.config)})` : ''}`;
    case 'scale':
      return `scale to ${trouble.workers}`;
    case 'burst': {
      const { count, overMs, listener, sticky, heldMs } = trouble.burst;
      const kind = sticky === 'no' ? '' : `, sticky by ${sticky}`;
      return `${count} connections on ${listener} within ${overMs} ms${kind}${heldMs === null ? '' : `, each held ${heldMs} ms`}`;
    }
    case 'stop':
    case 'force':
      return trouble.type;
    default:
      return unreachable(trouble);
  }
}

function howMany(count: number): string {
  return count === 1 ? 'a worker' : `up to ${count} workers`;
}

function howLong(ms: number | null): string {
  return ms === null ? 'for ever' : `for ${ms} ms`;
}
