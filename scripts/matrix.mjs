// node scripts/matrix.mjs 20 22 24 26
// The apps of test/supervisor under `chaos serve`, on several versions of Node, as a table. Takes two minutes a version;
// versions that are not installed come through npx. Exit code 1: something does not hold.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
register();
const { nodeBinary } = await import('../test/support/serve.ts');

const FILES = ['test/supervisor/apps.test.ts', 'test/supervisor/realtime.test.ts'];
const versions = process.argv.slice(2);
if (versions.length === 0 || versions.some((version) => !/^\d+$/.test(version))) {
  console.error('Usage: node scripts/matrix.mjs <major version of node>...   such as 20 22 24 26');
  process.exit(3);
}

/** Runs one file of tests, with servers on that node; tells the outcome of each test by name. */
async function run(file, node) {
  const child = spawn(process.execPath, ['--import=tsx', file], {
    env: { ...process.env, SERVE_NODE: node, TAP_TIMEOUT: '600' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let tap = '';
  child.stdout.on('data', (chunk) => (tap += chunk));
  const [code] = await once(child, 'close');
  const tests = [...tap.matchAll(/^(ok|not ok) \d+ - (.+?)(?: # (?:time=.*|(SKIP).*))?(?: \{)?$/gm)];
  const outcomes = new Map(tests.map(([, is, name, skip]) => [name, skip ?? is]));
  if (code !== 0) outcomes.set(`${file} as a whole`, 'not ok');
  if (code !== 0) console.error(tap);
  return outcomes;
}

const rows = new Map();
for (const version of versions) {
  const node = nodeBinary(version);
  console.error(`node ${version}: ${node}`);
  for (const file of FILES) {
    for (const [name, outcome] of await run(file, node)) {
      rows.set(name, { ...rows.get(name), [version]: outcome });
    }
  }
}

const width = Math.max(...[...rows.keys()].map((name) => name.length));
console.log(['app'.padEnd(width), ...versions.map((version) => version.padStart(6))].join(' '));
for (const [name, outcomes] of rows) {
  console.log(
    [name.padEnd(width), ...versions.map((version) => (outcomes[version] ?? '-').padStart(6))].join(' '),
  );
}
process.exit([...rows.values()].some((row) => Object.values(row).includes('not ok')) ? 1 : 0);
