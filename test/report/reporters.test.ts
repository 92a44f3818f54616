import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { formatMs, formatValue } from '../../dist/base/format.js';
import type { Progress, Reporter } from '../../dist/model/ports.js';
import { type Report, reportSchema } from '../../dist/model/report.js';
import { cutLine, oneLine } from '../../dist/report/clean.js';
import { createLive } from '../../dist/report/live.js';
import { REPORTERS } from '../../dist/report/registry.js';
import { CONTRACT_REPORTS, type Rendered, renderWith, reporterContract } from '../contract/reporter.ts';
import { HOSTILE, hostileReport, mixedReport, noSamplesReport } from './odd-reports.ts';
import { sampleReport } from './sample-report.ts';

function reporter(name: string): Reporter {
  const found = REPORTERS.get(name);
  if (found === undefined) throw new Error(`no reporter ${name}`);
  return found;
}
const render = (name: string, report: Report, color = false): Rendered =>
  renderWith(reporter(name), report, color);

t.test('the reporters are those of the contract, under their own names', async (t) => {
  t.same([...REPORTERS.keys()].sort(), ['github', 'html', 'json', 'junit', 'markdown', 'terminal']);
  for (const [name, one] of REPORTERS) t.equal(one.name, name);
});

for (const one of REPORTERS.values()) reporterContract(t, one);

t.test('report.json', async (t) => {
  const schema = JSON.parse(readFileSync(new URL('../../schema/report.v1.json', import.meta.url), 'utf8'));
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema);
  for (const [name, make] of Object.entries(CONTRACT_REPORTS)) {
    await t.test(`${name} is what the shipped JSON Schema and the model say`, async (t) => {
      const text = render('json', make()).files['report.json'] ?? '';
      const read: unknown = JSON.parse(text);
      t.ok(validate(read), JSON.stringify(validate.errors?.slice(0, 3)));
      t.ok(reportSchema.safeParse(read).success);
      t.same(read, JSON.parse(JSON.stringify(make())), 'nothing is lost');
    });
  }
  t.notOk(validate({ ...sampleReport(), verdict: 'good' }), 'the schema refuses what is not a report');
});

t.test('terminal', async (t) => {
  const text = render('terminal', sampleReport()).stdout;
  const lines = text.trimEnd().split('\n');

  t.test('the verdict is the first and the last line, seed and command right before it', async (t) => {
    t.match(lines[0], /^FAIL kill-random: 1 of 14 objectives broken/);
    t.equal(lines.at(-1), lines[0]);
    t.match(lines.at(-2), /^report .*\/report\.html$/);
    t.match(lines.at(-3), 'npx chaos run scenarios/kill-random.ts --seed 4711');
    t.match(lines.at(-4), /^seed +4711$/);
  });
  t.test('the broken objective comes first, with limit, actual value and reason', async (t) => {
    const first = lines[lines.findIndex((line) => line === 'Objectives') + 2] ?? '';
    t.match(first, /✗ +recovery\.max@fault +< 1 s +1\.4 s +slot 2 was empty/);
  });
  t.test('every fault has its line', async (t) => {
    for (const fault of sampleReport().faults) {
      const line = lines.find((one) => one.includes(` ${fault.id} `)) ?? '';
      t.ok(line.includes(formatMs(fault.recovery.listeningMs ?? NaN)), line);
    }
  });
  t.test('failures are told by their cause', async (t) => t.match(text, /13 {2}in-flight-at-kill/));
  t.test('colour only where it is wanted', async (t) => {
    t.notMatch(text, '\u001B');
    t.match(render('terminal', sampleReport(), true).stdout, '\u001B[31m');
  });
  t.test('null is "not measured" or "never", and no number is made up', async (t) => {
    const none = render('terminal', noSamplesReport()).stdout;
    t.match(none, 'not measured');
    t.notMatch(none, /NaN|undefined|null/);
    t.match(render('terminal', mixedReport()).stdout, 'never recovered');
  });
  t.test('a hostile text keeps its one line', async (t) => {
    const hostile = render('terminal', hostileReport()).stdout.trimEnd().split('\n');
    t.equal(hostile[0], hostile.at(-1));
    t.equal(hostile.filter((line) => line.startsWith('::')).length, 0);
  });
});

t.test('junit', async (t) => {
  t.test(
    'a broken objective is a failure, one that cannot be told an error, a broken warning is skipped',
    async (t) => {
      const base = mixedReport();
      const report = {
        ...base,
        checks: base.checks.map((check) =>
          check.level === 'warn' ? { ...check, verdict: 'fail' as const } : check,
        ),
      };
      const xml = render('junit', report).files['junit.xml'] ?? '';
      t.match(xml, /<testsuite [^>]*tests="14" failures="2" errors="1" skipped="1"/);
      t.match(xml, /<property name="seed" value="4711"\/>/);
    },
  );
  t.test('an inconclusive run is red even if no objective is', async (t) => {
    const report = { ...sampleReport(), checks: [], verdict: 'inconclusive' as const, reason: 'no load' };
    t.match(render('junit', report).files['junit.xml'], /<error message="no load" type="inconclusive"/);
  });
});

t.test('github', async (t) => {
  const { stdout, stepSummary } = render('github', sampleReport());
  t.test('what is broken is an error, the verdict comes last with the way to run it again', async (t) => {
    const lines = stdout.trimEnd().split('\n');
    t.match(
      lines[0],
      /^::error title=chaos kill-random%3A fail::recovery\.max@fault is 1\.4 s, must be < 1 s/,
    );
    t.match(lines.at(-1), /^::error title=chaos kill-random%3A FAIL::.*Seed 4711; run it again: npx chaos/);
    t.match(stepSummary, '## ✗ FAIL: kill-random');
  });
  t.test('a target cannot add a command of its own', async (t) => {
    const lines = render('github', hostileReport()).stdout.trimEnd().split('\n');
    t.ok(lines.length <= 10);
    for (const line of lines) t.match(line, /^::(error|warning|notice) title=[^:,]*::/);
    t.notMatch(lines.join('\n'), /%0A(?!.)|[^%]%0A/i, 'a percent sign is escaped');
  });
});

t.test('markdown', async (t) => {
  t.match(
    render('markdown', sampleReport()).files['summary.md'],
    '| ✗ | `recovery.max@fault` | &lt; 1 s | 1.4 s |',
  );
  t.test('foreign text makes no markup, no link and no new cell', async (t) => {
    const text = render('markdown', hostileReport()).files['summary.md'] ?? '';
    const outside = text.replace(/`[^`\n]*`/g, 'code');
    t.notMatch(outside, /<(script|img|svg)/i);
    t.notMatch(outside, /@everyone/);
    t.notMatch(outside, /[^\\]\]\(javascript/);
    const rows = text.split('\n').filter((line) => /^\| [✗?✓] /.test(line));
    for (const row of rows) t.equal(row.replace(/\\\|/g, '').split('|').length, 7, row.slice(0, 80));
  });
});

t.test('live progress', async (t) => {
  const at = (elapsedMs: number, more: Partial<Progress> = {}): Progress => ({
    phase: 'chaos',
    elapsedMs,
    leftMs: 30_000 - elapsedMs,
    rps: 499.6,
    errors: 0,
    workersReady: 4,
    workers: 4,
    lastFault: null,
    ...more,
  });
  const written = (isTty: boolean, columns = 100): { live: ReturnType<typeof createLive>; out: string[] } => {
    const out: string[] = [];
    return { live: createLive({ write: (text) => out.push(text), isTty, color: false, columns }), out };
  };

  t.test('without a terminal: a line on each phase change and each five seconds', async (t) => {
    const { live, out } = written(false);
    for (let ms = 0; ms <= 12_000; ms += 250) live.update(at(ms));
    live.update(at(12_100, { phase: 'settle' }));
    live.line('kill-1: SIGKILL \u001B[31mto\n slot 3');
    live.end();
    t.equal(out.length, 5);
    t.equal(out[0], 'chaos · 30 s left · 500 req/s · 0 failed · workers 4/4\n');
    t.equal(out[4], 'kill-1: SIGKILL to  slot 3\n');
    t.ok(!out.join('').includes('\r') && !out.join('').includes('\u001B'));
  });
  t.test('in a terminal: one line, drawn again in place and taken away at the end', async (t) => {
    const { live, out } = written(true, 120);
    live.update(at(0));
    live.update(at(50));
    live.update(at(120, { errors: 3, lastFault: 'kill-1 on slot 3' }));
    live.end();
    t.equal(out.length, 3, 'the update after 50 ms is left out');
    for (const text of out) t.ok(text.startsWith('\r\u001B[2K') && !text.includes('\n'));
    t.match(out[1], /3 failed · workers 4\/4 · last fault kill-1 on slot 3$/);
    t.equal(out[2], '\r\u001B[2K');
  });
  t.test('the line is never wider than the terminal', async (t) => {
    for (const columns of [40, 60, 80]) {
      const { live, out } = written(true, columns);
      live.update(at(0, { lastFault: 'x'.repeat(300), rps: 123_456, errors: 1e9 }));
      t.ok((out[0] ?? '').replace('\r\u001B[2K', '').length < columns, `${columns} columns`);
    }
  });
});

t.test('clean text', async (t) => {
  t.equal(oneLine('\u001B[31mred\u001B[0m \u001B]0;title\u0007now\u009B2J'), 'red now');
  t.equal(oneLine('a\r\nb\u2028c\td'), 'a b c d');
  t.equal(oneLine('\u202Egpj.exe\u0000'), 'gpj.exe');
  t.equal(oneLine('👩‍👩‍👧 日本語'), '👩‍👩‍👧 日本語', 'what people write stays');
  t.equal(cutLine('abcdef', 4), 'abc…');
  for (const text of HOSTILE) t.ok(cutLine(text, 40).length <= 80);
});

t.test('numbers become text in one way', async (t) => {
  t.equal(formatValue(null, 'ms', 'never'), 'never');
  t.equal(formatValue(undefined, 'count'), 'not measured');
  t.equal(formatValue(0.99996, 'share'), '99.99 %');
  t.equal(formatValue(1234.5, 'count'), '1,234.5');
  t.equal(formatValue(500, 'per-second'), '500/s');
  t.equal(formatMs(999.7), '1 s');
  t.equal(formatMs(119_900), '2 min');
  t.equal(formatMs(125_000), '2 min 5 s');
});
