import { basename, extname } from 'node:path';
import { choice, duration, orNone, share, wholeNumber, words } from './kinds.ts';
import { row } from './option.ts';
import { entryKind, envKind, folderKind, nameKind, slotEnvKind, workersKind } from './special-kinds.ts';

/** What is run, how many of it, and how workers come and go. */
export const APP_ROWS = {
  entry: row({
    section: 'App',
    kind: entryKind,
    help: "the app's entry file",
    fallback: 'required',
    single: true,
  }),
  args: row({
    section: 'App',
    kind: words,
    help: "the app's arguments",
    fallback: { input: [], because: 'none' },
    flag: 'none',
  }),
  nodeArgs: row({
    section: 'App',
    kind: words,
    help: 'an option of node itself for the workers (repeatable)',
    fallback: { input: [], because: 'none' },
    flag: 'repeated',
    instead: 'set NODE_OPTIONS, which chaos itself heeds too, or nodeArgs in a config',
  }),
  cwd: row({
    section: 'App',
    kind: folderKind,
    help: 'working directory of the workers',
    fallback: { of: ({ cwd }) => cwd, says: 'this folder', because: 'as with node itself' },
  }),
  name: row({
    section: 'App',
    kind: nameKind,
    help: 'what logs, status and metrics call the service',
    fallback: { of: ({ entry }) => nameOf(entry), says: "the entry's name", because: 'short and known' },
    single: true,
  }),
  port: row<number | null>({
    section: 'App',
    kind: wholeNumber({ min: 0, max: 65_535 }),
    help: 'told to the app as PORT',
    fallback: { of: () => null, says: 'the app decides', because: 'apps know theirs' },
    variables: [{ name: 'PORT' }],
    single: true,
  }),
  env: row({
    section: 'App',
    kind: envKind,
    help: "a variable for the app, on top of the config's (repeatable)",
    fallback: { input: {}, because: "only the supervisor's own" },
    flag: 'repeated',
    instead: 'set the variables themselves, since workers have the environment of chaos',
  }),
  slotEnv: row({
    section: 'App',
    kind: orNone(slotEnvKind),
    help: 'variables of single slots; ties workers to slots',
    fallback: { input: null, because: 'slots are alike' },
    flag: 'none',
  }),
  workers: row({
    section: 'Workers',
    kind: workersKind,
    help: 'workers in rotation',
    fallback: { input: 'cores', because: 'as many as this container may use at a time' },
    variables: [{ name: 'WORKERS' }, { name: 'WEB_CONCURRENCY' }],
  }),
  standbys: row({
    section: 'Workers',
    kind: wholeNumber({ min: 0, max: 64 }),
    help: "booted workers that take a dead one's place at once",
    fallback: {
      of: ({ slotBound }) => (slotBound ? 0 : 1),
      says: '1; 0 with slotEnv',
      because: 'deaths come one at a time',
    },
  }),
  surge: row({
    section: 'Workers',
    kind: wholeNumber({ min: 1, max: 64 }),
    help: 'workers beyond the others while one replaces another',
    fallback: { input: 1, because: 'least memory' },
  }),
  bootsMax: row({
    section: 'Workers',
    kind: wholeNumber({ min: 1, max: 1024 }),
    help: 'workers of a service that boot at the same time',
    fallback: { of: ({ machine }) => machine.cores, says: 'cores', because: 'booting is CPU work' },
  }),
  ready: row({
    section: 'Workers',
    kind: choice(['listening', 'online', 'signal']),
    help: 'when a worker is ready: it listens, runs, or says so',
    fallback: { input: 'listening', because: 'true of any server' },
  }),
  bootTimeout: row({
    section: 'Workers',
    kind: duration({ min: '100ms', max: '24h' }),
    help: 'a worker that is not ready after this is ended',
    fallback: { input: '30s', because: 'ten times a slow boot' },
  }),
  drainTimeout: row({
    section: 'Workers',
    kind: duration({ min: '0ms', max: '24h' }),
    help: 'how long a drain may take; its last quarter, at most 2s, is for ending what is still open',
    fallback: { input: '30s', because: 'as container platforms wait' },
  }),
  reloadTries: row({
    section: 'Workers',
    kind: wholeNumber({ min: 1, max: 100 }),
    help: 'failed boots in a row that end a reload; the old workers go on',
    fallback: { input: 2, because: 'one may be bad luck' },
  }),
  'backoff.free': row({
    section: 'Workers',
    kind: wholeNumber({ min: 0, max: 1000 }),
    help: 'early deaths that are replaced without delay',
    fallback: { input: 2, because: 'most deaths are single' },
  }),
  'backoff.first': row({
    section: 'Workers',
    kind: duration({ min: '1ms', max: '1h' }),
    help: 'first delay of a fork; each further one is twice as long',
    fallback: { input: '1s', because: 'a handful of forks in 10 s' },
  }),
  'backoff.cap': row({
    section: 'Workers',
    kind: duration({ min: '1ms', max: '1h' }),
    help: 'longest delay of a fork',
    fallback: { input: '1.7s', because: 'back within 2 s of the fix' },
  }),
  'backoff.jitter': row({
    section: 'Workers',
    kind: share({ min: 0, max: 1 }),
    help: 'delays are drawn from [1 - jitter, 1] of their length',
    fallback: { input: 0.1, because: 'many hosts do not fork in step' },
  }),
  'backoff.stable': row({
    section: 'Workers',
    kind: duration({ min: '0ms', max: '1h' }),
    help: 'a worker that lived this long did not die early',
    fallback: { input: '1s', because: 'crash loops are faster' },
  }),
} as const;

function nameOf(entry: string): string {
  const plain = basename(entry, extname(entry))
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '');
  return plain.slice(0, 64) || 'app';
}
