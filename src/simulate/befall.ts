import { unreachable } from '../base/errors.ts';
import type { Machine } from './machine.ts';
import type { Primary } from './primary.ts';
import type { Process } from './process.ts';
import type { Trouble } from './world.ts';

/** Lets a trouble befall the world. @returns whether there was anything that it could befall */
// oxlint-disable-next-line max-lines-per-function -- one case a trouble.
export function befall(trouble: Trouble, machine: Machine, primary: Primary): boolean {
  const { nowMs } = machine;
  machine.troubled(nowMs);
  switch (trouble.type) {
    case 'die':
      return some(machine, trouble, (process) => machine.end(process));
    case 'hang':
      return some(machine, trouble, (process) => {
        machine.troubled(nowMs + (trouble.forMs ?? 0));
        machine.hang(process, trouble.forMs);
      });
    case 'starve':
      return some(machine, trouble, (process) => {
        machine.troubled(nowMs + trouble.forMs);
        machine.starve(process, trouble.forMs);
      });
    case 'freeze-at-give':
      machine.freezeAtGive = trouble;
      return true;
    case 'leak':
      return one(machine, trouble.pick, isReady, (process) => {
        machine.pulse.leak(process, trouble.of, trouble.fullMs);
        machine.troubled(nowMs + trouble.fullMs);
      });
    case 'ipc-lost':
      return one(machine, trouble.pick, canTalk, (process) => {
        machine.pulse.stop(process);
        process.isMute = true;
        process.channel = [];
        process.faults.add('ipc-lost');
        // The primary gives the exit that usually comes with it some time to be seen.
        machine.calendar.add(nowMs + 100, { type: 'cut', process });
      });
    case 'ipc-flood':
      return one(machine, trouble.pick, canTalk, (process) => machine.flood(process));
    case 'asked-to-retire':
    case 'unhealthy': {
      const { type } = trouble;
      return one(machine, trouble.pick, canTalk, (process) => {
        process.faults.add(type === 'asked-to-retire' ? 'asked' : type);
        process.mustGo = true;
        primary.deliver({ type, worker: process.id });
      });
    }
    case 'deaf':
      return one(machine, trouble.pick, isReady, (process) => {
        process.isDeaf = true;
        process.faults.add('deaf');
      });
    case 'flap':
      machine.troubled(nowMs + trouble.forMs);
      return one(machine, trouble.pick, isReady, (process) => machine.pulse.flap(process, trouble.forMs));
    case 'unlisten':
      machine.troubled(nowMs + trouble.forMs);
      machine.calendar.add(nowMs + trouble.forMs / 2, { type: 'swept' });
      return some(machine, trouble, (process) => {
        if (!canTalk(process) || !process.listens.b) return;
        process.listens.b = false;
        primary.deliver({ type: 'unlistened', worker: process.id, listener: 'b' });
        machine.calendar.add(nowMs + trouble.forMs, { type: 'listen', process });
      });
    case 'boots':
      machine.bootTrouble = trouble;
      machine.bootTroubleUntilMs = nowMs + trouble.forMs;
      machine.troubled(nowMs + trouble.forMs);
      return true;
    case 'slow-exits':
      machine.slowExits = { untilMs: nowMs + trouble.forMs, exitMs: trouble.exitMs };
      machine.troubled(nowMs + trouble.forMs);
      return true;
    case 'stuck-drains':
      machine.stuckDrainsUntilMs = nowMs + trouble.forMs;
      machine.troubled(nowMs + trouble.forMs + machine.world.config.drainMs);
      return true;
    case 'pause':
      if (nowMs < machine.pausedUntilMs) return false;
      machine.pause(trouble.forMs);
      primary.pauseFor(trouble.forMs);
      machine.troubled(nowMs + trouble.forMs);
      return true;
    case 'away':
      primary.goAway(trouble.forMs);
      machine.troubled(nowMs + trouble.forMs);
      return true;
    case 'reload':
      primary.reload(trouble.config, trouble.fate);
      return true;
    case 'scale':
      primary.deliver({ type: 'scale', workers: trouble.workers });
      return true;
    case 'burst': {
      const { burst } = trouble;
      machine.calendar.add(nowMs, { type: 'arrive', burst, index: 0, startMs: nowMs });
      return true;
    }
    case 'stop':
    case 'force':
      primary.deliver({ type: trouble.type });
      return true;
    default:
      return unreachable(trouble);
  }
}

function isReady(process: Process): boolean {
  return process.isRunning && process.saidReadyAtMs !== null;
}

function canTalk(process: Process): boolean {
  return process.isRunning && !process.isMute && process.saidReadyAtMs !== null;
}

function one(
  machine: Machine,
  pick: number,
  isMeant: (process: Process) => boolean,
  deed: (process: Process) => void,
): boolean {
  const able = machine.live.filter(isMeant);
  const process = able[pick % Math.max(1, able.length)];
  if (process === undefined) return false;
  deed(process);
  return true;
}

function some(
  machine: Machine,
  { pick, count }: { readonly pick: number; readonly count: number },
  deed: (process: Process) => void,
): boolean {
  const able = machine.live.filter((process) => process.isRunning);
  for (let i = 0; i < Math.min(count, able.length); i++) {
    const process = able[(pick + i) % able.length];
    if (process !== undefined) deed(process);
  }
  return able.length > 0;
}
