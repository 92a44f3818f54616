import { formatBytes, formatMs } from '../base/format.ts';
import type { FaultParams } from '../model/fault.ts';
import type { Plan, PlannedFault, Victims } from '../model/plan.ts';

const HEADER = ['at', 'id', 'fault', 'victims', 'hold', 'expected'] as const;

/** A plan as a table for people: one line a fault, in order of time, then what names it. */
export function describePlan(plan: Plan): string {
  const rows = [HEADER, ...plan.faults.map(describeFault)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [
    `plan of ${plan.scenario}: seed ${plan.seed}, ${plan.workers} workers, chaos phase ${formatMs(plan.chaosMs)}`,
    '',
    ...(plan.faults.length > 0 ? lines.map((line) => line.trimEnd()) : ['nothing is injected']),
    '',
    `${plan.faults.length} ${plan.faults.length === 1 ? 'injection' : 'injections'}, plan ${plan.hash.slice(0, 12)}`,
  ].join('\n');
}

function describeFault(fault: PlannedFault): readonly string[] {
  return [
    `${(fault.atMs / 1000).toFixed(3)} s`,
    fault.id,
    [fault.kind, describeParams(fault.params)].filter(Boolean).join(' '),
    describeVictims(fault.victims),
    fault.holdMs === null ? '' : formatMs(fault.holdMs),
    fault.expect,
  ];
}

/** Parameters as `key=value`; a value of `null` says nothing and is left out. */
function describeParams(params: FaultParams): string {
  return Object.entries(params)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${key === 'bytes' ? formatBytes(Number(value)) : String(value)}`)
    .join(' ');
}

function describeVictims(victims: Victims): string {
  if (victims.by !== 'slots') return victims.by;
  return `slot ${victims.slots.join(', ')}`;
}
