// Runs all tests under tap, with coverage by c8 of what is built, and ends with the line `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Share of the lines of src/ that the tests run, in percent; agent code inside of targets is not counted. */
const LINES_MIN = 90;

const node = (args, options = {}) =>
  spawnSync(process.execPath, args, { stdio: 'inherit', ...options }).status;
const end = (passed, failed) => {
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
};

if (!existsSync('dist/cli/main.js') && node(['scripts/build.mjs']) !== 0) end(0, 1);
if (
  !existsSync('.tap/plugins') &&
  node(['node_modules/tap/dist/esm/run.mjs', 'build'], { stdio: 'ignore' }) === null
) {
  end(0, 1);
}

rmSync('.tap/results.tap', { force: true });
mkdirSync('.tap', { recursive: true });
const only = process.argv.slice(2);
const coverage = only.length === 0;
const files = readdirSync('test', { recursive: true })
  .map((name) => `test/${String(name)}`)
  .filter((name) => name.endsWith('.test.ts'));
const tap = [
  'node_modules/tap/dist/esm/run.mjs',
  '--reporter=terse',
  '--output-file=.tap/results.tap',
  ...(coverage ? files : only),
];
const c8 = [
  'node_modules/c8/bin/c8.js',
  '--all',
  '--src=src',
  '--include=dist/**/*.js',
  '--exclude=dist/report/report-app.js',
  '--reporter=text-summary',
  '--check-coverage',
  `--lines=${LINES_MIN}`,
  '--functions=0',
  '--branches=0',
  '--statements=0',
  process.execPath,
];
const status = node(coverage ? [...c8, ...tap] : tap);

const results = existsSync('.tap/results.tap') ? readFileSync('.tap/results.tap', 'utf8') : '';
const last = results.match(/^# \{ total: .*\}$/gm)?.at(-1) ?? '';
const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(last)?.[1] ?? 0);
let failed = count('fail');
// A file that exits before its first test counts as a skip for tap: every file on disk must have run.
const ran = new Set(results.match(/^# Subtest: (test\/\S+\.test\.ts)$/gm)).size;
if (only.length === 0 && ran !== files.length) {
  process.stderr.write(`${files.length} test files on disk, ${ran} ran\n`);
  failed += 1;
}
// What failed once more at the end, where a log that is cut short still has it.
for (const [block] of results.matchAll(/^ +not ok .*(?:\n.*){0,15}/gm)) process.stderr.write(`${block}\n`);
if (count('skip') > 0) process.stderr.write(`${count('skip')} skipped\n`);
if (status !== 0 && failed === 0) failed = 1;
end(count('pass'), failed);
