import { createColors } from 'picocolors';
import { type Logger, pino } from 'pino';
import { createLog } from '../../supervisor/log.ts';
import { quoted } from '../../supervisor/options/problems.ts';
import type { CliContext } from '../context.ts';

/** What pino adds to each line, and what is shown apart from the facts. */
const SHOWN_APART = new Set(['level', 'time', 'msg', 'service', 'err', 'pid', 'hostname']);

/** JSON lines on stderr; on a terminal, lines for people. */
export function serveLogger(cli: CliContext, level: string): Logger {
  if (!cli.interactive) return createLog(level);
  const color = cli.env['NO_COLOR'] === undefined;
  return pino({ level, base: null }, { write: (line: string) => cli.stderr.write(prettyLine(line, color)) });
}

/** `12:03:04.123 info  web  worker serves  slot=2 pid=4711` */
export function prettyLine(line: string, color: boolean): string {
  const colors = createColors(color);
  const paint: Readonly<Record<string, (text: string) => string>> = {
    warn: colors.yellow,
    error: colors.red,
    fatal: colors.red,
    debug: colors.dim,
    trace: colors.dim,
  };
  const record = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const level = pino.levels.labels[Number(record['level'])] ?? 'info';
  const facts = Object.entries(record)
    .filter(([key]) => !SHOWN_APART.has(key) || (key === 'pid' && record[key] !== null))
    .map(([key, value]) => `${key}=${shown(value)}`);
  const error = record['err'] as { readonly message?: unknown } | undefined;
  const sentence = typeof record['msg'] === 'string' ? record['msg'] : '';
  const parts = [
    colors.dim(timeOf(Number(record['time']))),
    (paint[level] ?? colors.green)(level.padEnd(5)),
    typeof record['service'] === 'string' ? colors.bold(record['service']) : '',
    error === undefined ? sentence : `${sentence}: ${String(error.message)}`,
    facts.length === 0 ? '' : colors.dim(facts.join(' ')),
  ];
  return `${parts.filter((part) => part !== '').join('  ')}\n`;
}

function timeOf(epochMs: number): string {
  const date = new Date(epochMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@%+[\]*-]+$/.test(value) ? value : quoted(value);
  return JSON.stringify(value);
}
