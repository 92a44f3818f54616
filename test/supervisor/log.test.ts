import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { tempDir } from '../support/chaos.ts';

const FIXTURE = join(import.meta.dirname, 'fixtures', 'log-lines.mjs');

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly n?: number;
  readonly lines?: number;
}

const linesOf = (log: string): readonly Line[] =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** @returns what it says on stdout once it has logged, and its log, which nobody reads before that */
async function loggedTo(pipe: string, lines: number): Promise<{ said: string; log: readonly Line[] }> {
  spawnSync('mkfifo', [pipe]);
  // Both ends: else opening it waits for the other one.
  const fd = openSync(pipe, constants.O_RDWR);
  const child = spawn(process.execPath, [FIXTURE, String(lines), '5000'], { stdio: ['pipe', 'pipe', fd] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const [said] = (await once(stdout, 'data')) as [Buffer];
  const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
  closeSync(fd);
  const read = text(reader.stdout);
  // Its log has 5 s to get through, then it ends.
  stdin.end();
  await once(child, 'exit');
  return { said: said.toString(), log: linesOf(await read) };
}

t.test('who logs to a pipe that nobody reads goes on, and all of it is there when it is read', async (t) => {
  const { said, log } = await loggedTo(join(tempDir(t), 'log'), 300);
  t.equal(said, 'all 300 are logged\n');
  t.same(
    log.map(({ n }) => n),
    Array.from({ length: 300 }, (_, i) => i),
    'whole, and in their order',
  );
});

t.test('what is beyond the bound is lost, counted and told', async (t) => {
  const { said, log } = await loggedTo(join(tempDir(t), 'log'), 3000);
  t.equal(said, 'all 3000 are logged\n');
  const told = log.filter(({ lines }) => lines !== undefined);
  t.equal(told.length, 1);
  t.match(told[0], { level: 40, msg: /^lines of this log are lost/ });
  const kept = log.length - 1;
  t.ok(kept > 900 && kept < 1200, `about a megabyte is kept: ${kept} lines of a kilobyte`);
  t.equal(kept + (told[0]?.lines ?? 0), 3000);
});

t.test('a full disk under the log ends nobody', { skip: process.platform !== 'linux' }, (t) => {
  const full = openSync('/dev/full', 'w');
  const { status, stdout } = spawnSync(process.execPath, [FIXTURE, '10', '0'], {
    stdio: ['ignore', 'pipe', full],
    encoding: 'utf8',
    timeout: 60_000,
  });
  closeSync(full);
  t.same({ status, stdout }, { status: 0, stdout: 'all 10 are logged\n' });
  t.end();
});

t.test('a file gets all lines', (t) => {
  const file = join(tempDir(t), 'log');
  const fd = openSync(file, 'a');
  spawnSync(process.execPath, [FIXTURE, '100', '0'], { stdio: ['ignore', 'ignore', fd], timeout: 60_000 });
  closeSync(fd);
  t.equal(linesOf(readFileSync(file, 'utf8')).length, 100);
  t.end();
});
