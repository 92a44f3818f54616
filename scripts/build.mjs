// Builds what is shipped: dist/ by tsc, the report's browser app by esbuild, the JSON schemas from the model.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

// A package installed from the tarball arrives built, without sources or compiler.
if (!existsSync('src')) process.exit(0);

if (!process.argv.includes('--keep')) rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

if (existsSync('src/report-app/main.ts')) {
  const { build } = await import('esbuild');
  await build({
    entryPoints: { 'report-app': 'src/report-app/main.ts' },
    outdir: 'dist/report',
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    loader: { '.css': 'css' },
    logLevel: 'warning',
  });
}

const { jsonSchemas } = await import('../dist/scenario/json-schemas.js');
mkdirSync('schema', { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(`schema/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`);
}
