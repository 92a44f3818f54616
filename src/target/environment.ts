import type { TargetSpec } from '../model/scenario.ts';

/** Passed on from our own environment. All else stays out: loaders, test runners, proxies, secrets of the CI job. */
const ALLOWED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM|NODE_ENV|LD_LIBRARY_PATH|NVM_\w+|VOLTA_HOME)$/;

export interface EnvironmentInput {
  readonly spec: TargetSpec;
  readonly own: Readonly<NodeJS.ProcessEnv>;
  readonly port: number;
  readonly workers: number;
  readonly runId: string;
  /** What preloads the agent; `null` without one. */
  readonly nodeOptions: string | null;
  readonly privateDir: string;
}

/** The environment of the server under test. */
export function targetEnvironment(input: EnvironmentInput): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(input.own)) {
    if (value !== undefined && ALLOWED.test(name)) env[name] = value;
  }
  Object.assign(env, {
    PORT: String(input.port),
    WORKERS: String(input.workers),
    WEB_CONCURRENCY: String(input.workers),
    // A pm2 daemon that already runs would fork our workers from its own environment and outlive the run.
    PM2_HOME: `${input.privateDir}/pm2`,
    ...input.spec.env,
    CHAOS_RUN: input.runId,
  });
  const options = [env['NODE_OPTIONS'], input.nodeOptions].filter(
    (part) => part !== undefined && part !== null && part !== '',
  );
  if (options.length > 0) env['NODE_OPTIONS'] = options.join(' ');
  return env;
}
