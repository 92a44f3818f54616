// npm run bench -- [load | supervisor] [--quick] [--only kill-one,hang] [--targets ours,pm2] [--rounds n] [--seconds s]
// Ratios against others, each in one run on one machine. Exit code 1: a demand is broken.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const PARTS = ['load', 'supervisor'];
const USAGE = `Usage: npm run bench -- [${PARTS.join(' | ')}] [options]   default: both
  --quick                      few, short rounds: does it all work?
  --rounds <n> --seconds <s>   load: paired rounds and their length (10, 2.5)
  --only <measurements>        supervisor: some of its measurements, by comma
  --targets <names>            supervisor: some of ours,refork,throng,recluster,pm2`;

function fail(text) {
  console.error(text);
  process.exit(3);
}

if (!existsSync(fileURLToPath(new URL('../dist/load/driver.js', import.meta.url))))
  fail('dist/ is missing: run `npm run build` first.');

function readArgs() {
  const text = { type: 'string' };
  const options = { quick: { type: 'boolean' }, rounds: text, seconds: text, only: text, targets: text };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`);
  }
}

const { values, positionals } = readArgs();
const parts = positionals.length === 0 ? PARTS : positionals;
const isQuick = values.quick ?? false;
const some = (names, known) => {
  const list = names?.split(',') ?? null;
  for (const name of list ?? [])
    if (!known.includes(name)) fail(`no such name: ${name}; there are ${known.join(', ')}\n${USAGE}`);
  return list;
};
some(positionals.join(',') || undefined, PARTS);

const codes = [];
if (parts.includes('load')) {
  const { benchLoad } = await import('./bench/load.mjs');
  codes.push(
    await benchLoad({
      rounds: Number(values.rounds ?? (isQuick ? 2 : 10)),
      seconds: Number(values.seconds ?? (isQuick ? 1 : 2.5)),
    }),
  );
}
if (parts.includes('supervisor')) {
  const { benchSupervisor, MEASUREMENT_IDS } = await import('./bench/supervisor.mjs');
  const { NAMES } = await import('./bench/targets.mjs');
  codes.push(
    await benchSupervisor({
      isQuick,
      only: some(values.only, MEASUREMENT_IDS),
      names: some(values.targets, NAMES),
    }),
  );
}
process.exitCode = codes.includes(1) ? 1 : Math.max(...codes);
