import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';

/** Imports go down only; rooms in one row never import each other. The reason is in ARCHITECTURE.md. */
const ROWS: readonly (readonly string[])[] = [
  ['cli'],
  ['campaign', 'simulate'],
  ['report-app'],
  ['harness', 'report'],
  ['target', 'faults', 'load'],
  ['supervisor'],
  ['runtime'],
  ['plan', 'verify', 'scenario'],
  ['model'],
  ['base'],
];
/** The public entry names what users may import; it is the scenario room's face. */
const ENTRY = 'index.ts';
/** Allowed besides: the harness' end of the agent's line shares its protocol. */
const EXTRA = new Set(['target>agent', 'cli>.']);
const PURE = new Set(['plan', 'verify', 'scenario', 'model', 'base']);

const files = readdirSync('src', { recursive: true })
  .map(String)
  .filter((file) => /\.c?ts$/.test(file));

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join('src', file), 'utf8');
  return [...text.matchAll(/(?:from|import|require\()\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

function roomOf(file: string): string {
  return dirname(file).split('/')[0] ?? '.';
}

t.test('imports go down the rooms only', (t) => {
  t.ok(files.length > 50, `the tree was found: ${files.length} files`);
  const broken: string[] = [];
  for (const file of files) {
    if (file === ENTRY) continue;
    const room = roomOf(file);
    const row = ROWS.findIndex((rooms) => rooms.includes(room));
    for (const name of importsOf(file).filter((name) => name.startsWith('.'))) {
      const other = roomOf(normalize(join(dirname(file), name)));
      if (other === room || EXTRA.has(`${room}>${other}`)) continue;
      const otherRow = ROWS.findIndex((rooms) => rooms.includes(other));
      if (row === -1 || otherRow <= row) broken.push(`${file} imports ${name}`);
    }
  }
  t.same(broken, []);
  t.end();
});

t.test('pure rooms import nothing of Node', (t) => {
  const broken = files
    .filter((file) => PURE.has(roomOf(file)))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('node:'))
        .map((name) => `${file} imports ${name}`),
    );
  t.same(broken, []);
  t.end();
});

t.test('the agent, which runs in other people’s processes, has no dependency', (t) => {
  const broken = files
    .filter((file) => roomOf(file) === 'agent')
    .flatMap((file) => importsOf(file).filter((name) => !name.startsWith('node:') && !name.startsWith('./')));
  t.same(broken, []);
  t.end();
});

t.test('the supervisor, which runs other people’s processes, needs Node and pino only', (t) => {
  const allowed = /^(?:node:|\.\.?\/|pino$|prom-client$)/;
  const broken = files
    .filter((file) => roomOf(file) === 'supervisor')
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => !allowed.test(name))
        .map((name) => `${file}: ${name}`),
    );
  t.same(broken, []);
  const inWorkers = files.filter((file) => /^supervisor\/(?:worker\/|wire)/.test(file));
  t.same(
    inWorkers.filter((file) => importsOf(file).some((name) => !/^(?:node:|\.\/|\.\.\/wire\.c)/.test(name))),
    [],
    'what is loaded into workers imports nothing else',
  );
  t.end();
});

t.test('the policy and its simulation are pure', (t) => {
  const broken = files
    .filter((file) => /^(?:supervisor\/policy|simulate)\//.test(file))
    .filter((file) => !/simulate\/(?:job|seeds)/.test(file))
    .filter(
      (file) =>
        importsOf(file).some((name) => name.startsWith('node:')) ||
        /\bprocess\.(?:env|exit|hrtime|argv|std|cwd)|\bperformance\.|\bMath\.random\(|\bDate\./.test(
          code(file),
        ),
    );
  t.same(broken, []);
  t.end();
});

t.test('only the rooms with effects see the process, and no draw is without a seed', (t) => {
  const effects = new Set([
    'runtime',
    'target',
    'faults',
    'load',
    'agent',
    'cli',
    'report',
    'report-app',
    'campaign',
    'supervisor',
  ]);
  const broken = files
    .filter((file) => !effects.has(roomOf(file)))
    .filter((file) =>
      /\bprocess\.(?:env|exit|kill|hrtime|on|argv|std|cwd|memoryUsage)|\bMath\.random\(|\bDate\.now\(|\bnew Date\(\)/.test(
        code(file),
      ),
    );
  t.same(broken, []);
  t.end();
});

function code(file: string): string {
  return readFileSync(join('src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
