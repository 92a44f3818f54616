import { formatBytes, formatCount, formatMs, formatRatio } from '../../base/format.ts';
import type { ServiceStatus, SupervisorStatus, WorkerStatus } from '../../supervisor/settings.ts';

const HEAD = [
  'slot',
  'worker',
  'pid',
  'phase',
  'gen',
  'age',
  'open',
  'requests',
  'RSS',
  'heap',
  'cpu',
  'busy',
  'delay',
];

/** The status document for people. */
export function renderStatus(status: SupervisorStatus, address: string): string {
  const head = `supervisor ${status.pid}, up ${formatMs(status.uptimeMs)}, steered at ${address}`;
  return [head, ...status.services.map(renderService)].join('\n\n').concat('\n');
}

function renderService(service: ServiceStatus): string {
  const { counters } = service;
  const ended = Object.entries(counters.ended).map(([reason, count]) => `${reason} ${count}`);
  const facts = [
    `${service.name}  ${service.entry}`,
    [
      `${service.goal === 'run' ? '' : `${service.goal}, `}serving ${service.serving} of ${service.workersWanted}`,
      `${service.standbys} standby`,
      `generation ${service.generation}${service.reloading ? ', reloading' : ''}`,
      service.listeners.length > 0 ? `listening on ${service.listeners.join(', ')}` : 'not listening',
      ...(service.breakerOpen ? [breakerText(service)] : []),
    ].join(' · '),
    [
      `connections ${formatCount(counters.connections)}`,
      `waiting ${service.waiting}`,
      `given again ${counters.regiven}`,
      `shed ${counters.shed}`,
      `forks ${counters.forks}`,
      `crashes ${counters.crashes}`,
      `reloads ${counters.reloads}${counters.reloadsAborted > 0 ? ` (${counters.reloadsAborted} given up)` : ''}`,
      ...(ended.length > 0 ? [`ended: ${ended.join(', ')}`] : []),
    ].join(' · '),
  ];
  const rows = [...service.workers].sort((a, b) => (a.slot ?? 1e9) - (b.slot ?? 1e9)).map(workerRow);
  return [...facts, ...table([HEAD, ...rows])].join('\n');
}

function breakerText({ bootFailures }: ServiceStatus): string {
  return `breaker open after ${bootFailures > 0 ? `${bootFailures} failed boots` : 'early deaths'}`;
}

function workerRow(worker: WorkerStatus): readonly string[] {
  const { beat } = worker;
  const phase = worker.suspect ? `${worker.phase}, silent ${formatMs(worker.silentMs)}` : worker.phase;
  return [
    worker.slot === null ? '-' : String(worker.slot),
    String(worker.worker),
    worker.pid === null ? '-' : String(worker.pid),
    worker.retire === null ? phase : `${phase} (${worker.retire})`,
    String(worker.generation),
    formatMs(worker.ageMs),
    ...(beat === null
      ? ['-', '-', '-', '-', '-', '-', '-']
      : [
          String(beat.open),
          formatCount(beat.requests),
          formatBytes(beat.rssBytes),
          beat.heapLimitBytes > 0 ? formatRatio(beat.heapUsedBytes / beat.heapLimitBytes) : '-',
          formatRatio(beat.cpu),
          formatRatio(beat.utilisation),
          formatMs(beat.loopDelayMs),
        ]),
  ];
}

/** Columns as wide as their widest cell; numbers to the right. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row
      .map((cell, column) =>
        HEAD[column] === 'phase' ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')}`.trimEnd(),
  );
}
