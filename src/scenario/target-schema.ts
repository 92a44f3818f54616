import { z } from 'zod';
import type { TargetSpec } from '../model/scenario.ts';
import { DURATIONS, LIMITS } from './limits.ts';
import { duration, flag, gotAllowed, strict, text, whole } from './schema-parts.ts';
import { readOrigin } from './target-url.ts';

export interface TargetContext {
  /** Absolute; a target's own `cwd` is relative to it. */
  readonly cwd: string;
  readonly allowRemote: boolean;
}

// A NUL would end the value early in the environment of a process.
const NO_NUL = /^[^\0]*$/;

/** `target` of a scenario. */
export function targetSchema(context: TargetContext) {
  return strict({
    command: text('a command line, or null for the example server', {
      pattern: /^[^\0]*\S[^\0]*$/,
      max: 10_000,
    }).nullish(),
    cwd: text('a folder', { pattern: /^[^\0]+$/, max: 4096 }).optional(),
    env: z
      .record(
        text('a name of letters, digits and _', { pattern: /^[A-Za-z_]\w*$/, max: 1000 }),
        z.union([text('a text', { pattern: NO_NUL, max: 100_000 }), z.number(), z.boolean()], {
          error: ({ input }) => gotAllowed(input, 'a text, a number, true, false'),
        }),
        { error: ({ input }) => gotAllowed(input, 'an object of names (letters, digits, _) and values') },
      )
      .optional(),
    url: text('an origin such as http://127.0.0.1:8080, or null', { max: 2000 })
      .transform((value, issues) => {
        const read = readOrigin(value, context.allowRemote);
        if (read.ok) return read.origin;
        issues.addIssue({ code: 'custom', message: read.problem });
        return z.NEVER;
      })
      .nullish(),
    workers: whole(LIMITS.workers).nullish(),
    readyTimeout: duration(DURATIONS.readyTimeout).default(60_000),
    stopGrace: duration(DURATIONS.stopGrace).default(10_000),
    agent: flag().default(true),
  })
    .prefault({})
    .transform(
      (input): TargetSpec => ({
        command: input.command ?? null,
        cwd: resolvePath(context.cwd, input.cwd ?? '.'),
        env: Object.fromEntries(Object.entries(input.env ?? {}).map(([key, value]) => [key, String(value)])),
        url: input.url ?? null,
        workers: input.workers ?? null,
        readyTimeoutMs: input.readyTimeout,
        stopGraceMs: input.stopGrace,
        agent: input.agent,
      }),
    );
}

/** POSIX path resolution; this room is pure and cannot use node:path. */
function resolvePath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
