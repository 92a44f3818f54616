import { readFileSync } from 'node:fs';
import { sha256 } from '@noble/hashes/sha2';
import type { Reporter } from '../model/ports.ts';
import type { Report } from '../model/report.ts';
import { boundReport } from './bound.ts';
import { oneLine } from './clean.ts';
import { VERDICT_WORD } from './present.ts';

interface AppBundle {
  readonly script: string;
  readonly style: string;
}

/**
 * The run as one page that needs no network and no server: script, style and data are in it. Its content security
 * policy allows the two by their hash and nothing else, so that nothing that a target said can run.
 */
export function reportPage(report: Report): string {
  const { script, style } = appBundle();
  const policy = [
    "default-src 'none'",
    `script-src '${integrity(script)}'`,
    `style-src '${integrity(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const word = VERDICT_WORD[report.verdict];
  const title = `${word}: ${oneLine(report.run.scenario)} (seed ${oneLine(report.run.seed)})`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeText(title)}</title>`,
    `<link rel="icon" href="${icon(report)}">`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    `<noscript>${escapeText(`${title}. ${oneLine(report.reason)}. The charts need JavaScript.`)}</noscript>`,
    '<div id="app"></div>',
    `<script type="application/json" id="report-data">${jsonForScript(boundReport(report))}</script>`,
    `<script>${script}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

/** Inside a script element only `<` can end it or open a comment; the line separators are for old parsers. */
function jsonForScript(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** A dot in the verdict's colour; inline, so that a browser asks nobody for a favicon. */
function icon(report: Report): string {
  const fill = { pass: '15803d', fail: 'dc2626', inconclusive: 'd97706' }[report.verdict];
  return `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23${fill}'/%3E%3C/svg%3E`;
}

function integrity(text: string): string {
  return `sha256-${Buffer.from(sha256(Buffer.from(text, 'utf8'))).toString('base64')}`;
}

let cached: AppBundle | undefined;

/** The browser app that the build put next to this file. */
function appBundle(): AppBundle {
  cached ??= {
    script: readBundle('report-app.js').replace(/<\/(?=script)/gi, '<\\/'),
    style: readBundle('report-app.css').replace(/<\/(?=style)/gi, '<\\/'),
  };
  return cached;
}

function readBundle(name: string): string {
  return readFileSync(new URL(`./${name}`, import.meta.url), 'utf8').trim();
}

export const htmlReporter: Reporter = {
  name: 'html',
  render: (report, output) => output.file('report.html', reportPage(report)),
};
