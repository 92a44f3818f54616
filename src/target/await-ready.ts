import { ChaosError } from '../base/errors.ts';
import { formatMs } from '../base/format.ts';
import type { ProcessId, RunClock } from '../model/ports.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { identify, type ProcessRow, processTree } from '../runtime/process-table.ts';
import { sleep } from '../runtime/wait.ts';
import { type Answer, probe } from './http-probe.ts';
import type { TargetWatch } from './target-watch.ts';

/** All forked workers listen and nothing has changed for this long: the server has started what it starts. */
const SETTLED_MS = 1000;
/** Some processes never listen (standbys, background jobs): after this long without a change they are no slots. */
const SETTLED_PARTLY_MS = 5000;
/** No agent spoke of a listening server although one answers: the target is watched from the process table. */
const AGENTLESS_AFTER_MS = 1500;
const LOOK_EVERY_MS = 25;
/** Fresh connections tried per worker until each has answered once. */
const PROBES_PER_WORKER = 20;
/** They start servers, they are not supervisors. */
const LAUNCHER = /(^|[/\\])(npm|npx|yarn|pnpm|corepack|tsx)(-cli)?(\.\w+)?$|[/\\](tsx|npm|yarn|pnpm)[/\\]/;

export interface ReadyInput {
  readonly spec: TargetSpec;
  readonly watch: TargetWatch;
  readonly clock: RunClock;
  readonly port: number;
  readonly hintedWorkers: number;
  readonly rootPid: number;
  /** How the target ended, once it has. */
  readonly ended: () => string | null;
  readonly lastLines: () => string;
  readonly probePath: string;
  readonly signal: AbortSignal;
}

export interface ReadyFacts {
  readonly origin: string;
  readonly blind: readonly string[];
}

/**
 * Waits until the server has started all its workers, it answers, and each of them has answered once.
 * @throws ChaosError `unhealthy` that says what was missing, with the last lines of the target's own output
 */
export async function awaitReady(input: ReadyInput): Promise<ReadyFacts> {
  const end = input.clock.now() + input.spec.readyTimeoutMs;
  let origin: string | null = null;
  let answeringSinceMs: number | null = null;
  let missing = 'nothing listens yet';
  while (input.clock.now() < end) {
    if (input.signal.aborted)
      throw new ChaosError('interrupted', 'interrupted while the server was starting');
    const ended = input.ended();
    if (ended !== null) throw unhealthy(`the server ended (${ended}) before it was ready`, input);
    const found: string = origin ?? (await findOrigin(input));
    if (found.startsWith('http')) {
      origin = found;
      answeringSinceMs ??= input.clock.now();
      adoptWithoutCluster(input, answeringSinceMs);
      const state = workersState(input);
      if (state === 'complete') {
        const blind = await everyWorkerAnswers(input, origin, end);
        return { origin, blind: [...blindSpots(input.watch), ...blind] };
      }
      missing = state;
    } else missing = `${describeWorkers(input.watch)}; ${found}`;
    await sleep(LOOK_EVERY_MS, input.signal);
  }
  throw unhealthy(
    `the server was not ready within ${formatMs(input.spec.readyTimeoutMs)}: ${missing}`,
    input,
  );
}

/** `complete`, or what is still missing. */
function workersState(input: ReadyInput): string {
  const { watch, spec } = input;
  const alive = watch.table.alive();
  const listening = alive.filter((worker) => worker.listeningAtMs !== null).length;
  const quietMs = input.clock.now() - watch.lastChangeAtMs;
  if (listening === 0) {
    if (quietMs > SETTLED_PARTLY_MS) {
      throw unhealthy(
        'the server answers, but it runs no workers: one process serves, and nothing can take over',
        input,
      );
    }
    return describeWorkers(watch);
  }
  const allListen = listening === alive.length;
  if (spec.workers !== null) {
    if (listening === spec.workers && (allListen || quietMs > SETTLED_MS)) return 'complete';
    if (quietMs > SETTLED_PARTLY_MS) {
      throw unhealthy(
        `expected ${spec.workers} workers, the server runs ${listening}`,
        input,
        'Leave out --workers, or make the server read WORKERS.',
      );
    }
    return `${listening} of ${spec.workers} workers listen`;
  }
  const asHinted = listening === input.hintedWorkers;
  // As many as they should be listen, and the others have had time to: standbys, background jobs.
  const settled = asHinted ? allListen || quietMs > SETTLED_MS : allListen && quietMs > SETTLED_MS;
  return settled || quietMs > SETTLED_PARTLY_MS ? 'complete' : describeWorkers(watch);
}

/** Where it answers: PORT if it listens there, else where an agent saw it listen. */
async function findOrigin(input: ReadyInput): Promise<string> {
  if (input.spec.url !== null) {
    const answer = await probe(new URL(input.probePath, input.spec.url).href);
    return typeof answer === 'string' ? `${input.spec.url} does not answer (${answer})` : input.spec.url;
  }
  const seen = input.watch.listeners.map(({ address, port }) => ({ host: reachable(address), port }));
  const candidates = [
    ...seen.filter((listener) => listener.port === input.port),
    { host: '127.0.0.1', port: input.port },
    ...seen.filter((listener) => listener.port !== input.port),
  ];
  let reason = '';
  for (const { host, port } of candidates.slice(0, 8)) {
    for (const scheme of ['http', 'https']) {
      const origin = `${scheme}://${host}:${port}`;
      const answer = await probe(origin + input.probePath);
      if (typeof answer !== 'string') return origin;
      reason ||= `PORT=${port} does not answer (${answer})`;
      if (answer.includes('ECONNREFUSED')) break;
    }
  }
  return reason;
}

function reachable(address: string): string {
  if (address === '0.0.0.0' || address === '::' || address === '') return '127.0.0.1';
  return address.includes(':') ? `[${address}]` : address;
}

/** Servers without node:cluster: several listening Node processes, or, without any agent, the process tree. */
function adoptWithoutCluster(input: ReadyInput, answeringSinceMs: number): void {
  const { watch } = input;
  if (watch.mode !== 'cluster' || watch.primary() !== null || watch.table.alive().length > 0) return;
  const listening = new Set(watch.listeners.map((listener) => listener.pid));
  const parents = new Set(
    [...watch.singles].filter(([pid]) => listening.has(pid)).map(([, { ppid }]) => ppid),
  );
  // One that listens and has listening children is their proxy.
  const singles = [...watch.singles].filter(([pid]) => listening.has(pid) && !parents.has(pid));
  const waitedMs = input.clock.now() - answeringSinceMs;
  if (singles.length > 0) {
    const supervised = singles.filter(([, { ppid }]) => {
      const parent = watch.singles.get(ppid);
      return parent !== undefined && !LAUNCHER.test(parent.argv1);
    });
    if (waitedMs < SETTLED_MS || (singles.length < 2 && supervised.length === 0)) return;
    const ppid = singles[0]?.[1].ppid;
    watch.adopt(
      'processes',
      ppid === undefined ? null : identify(ppid),
      singles.flatMap(([pid]) => identify(pid) ?? []),
    );
  } else if (waitedMs > AGENTLESS_AFTER_MS) {
    const found = findInTree(processTree(input.rootPid));
    if (found) watch.adopt('tree', found.primary, found.workers);
  }
}

/** The first process with several children is the primary; in a chain, the last one is the only worker. */
function findInTree(
  tree: readonly ProcessRow[],
): { readonly primary: ProcessId; readonly workers: readonly ProcessId[] } | null {
  const live = tree.filter((row) => row.state !== 'Z');
  for (const row of live) {
    const children = live.filter((child) => child.ppid === row.pid);
    if (children.length > 1) return { primary: row, workers: children };
  }
  const last = live.at(-1);
  const parent = live.at(-2);
  return last && parent && live.length > 2 ? { primary: parent, workers: [last] } : null;
}

async function everyWorkerAnswers(
  input: ReadyInput,
  origin: string,
  end: number,
): Promise<readonly string[]> {
  const url = origin + input.probePath;
  const waiting = new Set(
    input.watch.table.alive().flatMap((w) => (w.listeningAtMs === null ? [] : [w.pid])),
  );
  const tries = waiting.size * PROBES_PER_WORKER;
  let last: Answer | string = 'no answer';
  for (let i = 0; waiting.size > 0 && input.clock.now() < end && !input.signal.aborted; i++) {
    last = await probe(url);
    if (typeof last === 'string') {
      await sleep(LOOK_EVERY_MS, input.signal);
      continue;
    }
    if (last.worker === null && i >= 2) return ['answers do not name the worker that gave them'];
    if (last.worker !== null) waiting.delete(last.worker);
    if (i >= tries && input.watch.scheduling !== 'rr') return [];
    if (i >= tries) await sleep(LOOK_EVERY_MS, input.signal);
  }
  if (waiting.size === 0) return [];
  const why = typeof last === 'string' ? `the last request failed: ${last}` : 'others answer in their place';
  throw unhealthy(`worker ${[...waiting].join(', ')} listens but never answered (${why})`, input);
}

function blindSpots(watch: TargetWatch): string[] {
  if (watch.mode === 'tree') {
    return [
      'no agent could be loaded: workers are recognised in the process table, and which of them gave an answer is not known',
      `a worker process that has lived for half a second is taken to be listening`,
    ];
  }
  if (watch.mode === 'processes')
    return ['workers are not forked by node:cluster: what their supervisor notices is not known'];
  return [];
}

function describeWorkers(watch: TargetWatch): string {
  const alive = watch.table.alive();
  if (alive.length === 0) return 'no worker was started';
  const listening = alive.filter((worker) => worker.listeningAtMs !== null).length;
  return `${listening} of ${alive.length} started workers listen`;
}

function unhealthy(message: string, input: ReadyInput, hint?: string): ChaosError {
  const lines = input.lastLines();
  const output = lines === '' ? 'It printed nothing.' : `Its last lines:\n${lines.replace(/^/gm, '  | ')}`;
  return new ChaosError('unhealthy', `${message}\n${output}`, {
    hint:
      hint ??
      'Try the command by itself with PORT and WORKERS set; name the address with --url if it ignores PORT.',
  });
}
