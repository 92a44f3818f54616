import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { messageOf } from '../../base/errors.ts';
import type { RunClock, TargetHandle } from '../../model/ports.ts';
import { freePort } from '../../runtime/free-port.ts';
import { startGuardian } from '../../runtime/guardian.ts';
import { harnessClock } from '../../runtime/harness-clock.ts';
import { raisePriority, restorePriority } from '../../runtime/priority.ts';
import { readProcess } from '../../runtime/process-table.ts';
import { createPrivateDir } from '../../runtime/run-folder.ts';
import { commandTarget } from '../../target/command-target.ts';
import { type CliContext, environmentOf } from '../context.ts';
import type { ExitName } from '../exit-codes.ts';
import { exampleCommand } from '../scenarios.ts';

type Finding = { readonly level: 'ok' | 'warn' | 'fail'; readonly text: string };

/** `chaos doctor`: whether this machine can run chaos, and how exactly. */
export function registerDoctor(program: Command, cli: CliContext, end: (name: ExitName) => void): void {
  program
    .command('doctor')
    .description('check that this machine can run chaos, and how exactly')
    .action(async () => {
      const colors = pc.createColors(cli.color);
      const mark = { ok: colors.green('ok  '), warn: colors.yellow('warn'), fail: colors.red('FAIL') };
      let failed = false;
      for (const [name, check] of Object.entries(CHECKS)) {
        const finding = await check(cli).catch(
          (error: unknown): Finding => ({ level: 'fail', text: messageOf(error) }),
        );
        failed ||= finding.level === 'fail';
        cli.stdout.write(`${mark[finding.level]}  ${name.padEnd(14)} ${finding.text}\n`);
      }
      end(failed ? 'usage' : 'pass');
    });
}

const SUPPORTED = 'Node 20.19 or later 20.x, or 22.12 or later';

/** As `engines` in package.json: these can `require` ES modules, as `cluster-chaos/supervisor` is one. */
export function isSupported(node: string): boolean {
  const [major = 0, minor = 0] = node.replace(/^v/, '').split('.').map(Number);
  return major === 20 ? minor >= 19 : major > 22 || (major === 22 && minor >= 12);
}

const CHECKS: Readonly<Record<string, (cli: CliContext) => Promise<Finding>>> = {
  async node(cli) {
    const { node, cpus } = environmentOf(cli);
    if (!isSupported(node)) return { level: 'fail', text: `${node}; chaos needs ${SUPPORTED}` };
    return {
      level: cpus > 1 ? 'ok' : 'warn',
      text: `${node}, ${cpus} cores${cpus > 1 ? '' : '; with one core, load and server disturb each other'}`,
    };
  },
  async 'process table'() {
    return readProcess(process.pid)
      ? { level: 'ok', text: '/proc can be read' }
      : { level: 'fail', text: '/proc cannot be read; chaos needs Linux' };
  },
  async 'temp folder'() {
    accessSync(tmpdir(), constants.W_OK);
    const long = join(tmpdir(), 'chaos-XXXXXX/agents.sock').length > 100;
    return {
      level: long ? 'fail' : 'ok',
      text: long ? `${tmpdir()} is too long for a socket; set TMPDIR` : tmpdir(),
    };
  },
  async timers() {
    const priority = raisePriority();
    const clock = harnessClock();
    const late: number[] = [];
    for (let i = 1; i <= 50; i++) {
      const due = clock.now() + 5;
      await clock.until(due);
      late.push(clock.now() - due);
    }
    restorePriority();
    late.sort((a, b) => a - b);
    const worst = late.at(-1) ?? 0;
    return {
      level: worst < 5 ? 'ok' : 'warn',
      text: `${priority}; a fault is at most ${worst.toFixed(2)} ms late now`,
    };
  },
  async loopback() {
    return { level: 'ok', text: `port ${await freePort()} can be listened on` };
  },
  agent: checkAgent,
};

/** Starts the example server for real, agent preloaded, and stops it. */
async function checkAgent(cli: CliContext): Promise<Finding> {
  const privateDir = createPrivateDir();
  const clock: RunClock = harnessClock();
  const runId = `doctor-${process.pid}`;
  const guardian = startGuardian(runId);
  let target: TargetHandle | null = null;
  try {
    target = await commandTarget.start(
      {
        command: exampleCommand(cli),
        cwd: cli.cwd,
        env: {},
        url: null,
        workers: 2,
        readyTimeoutMs: 20_000,
        stopGraceMs: 5000,
        agent: true,
      },
      {
        clock,
        record: () => {},
        guardian,
        privateDir: privateDir.dir,
        logFile: join(privateDir.dir, 'target.log'),
        workers: 2,
        probePath: '/',
        runId,
      },
    );
    const ready = await target.ready(new AbortController().signal);
    const seen = ready.visibility === 'agent';
    return {
      level: seen ? 'ok' : 'warn',
      text: seen ? 'loads into a clustered server and sees its 2 workers' : 'could not be loaded',
    };
  } finally {
    await target?.stop();
    await guardian.release();
    privateDir.remove();
  }
}
