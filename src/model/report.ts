import { z } from 'zod';
import { OPERATORS } from './objective.ts';
import { PHASES, WINDOWS } from './phase.ts';
import { VERDICTS } from './verdict.ts';

export const REPORT_VERSION = 1;

const ms = z.number();
const maybeMs = z.number().nullable();
const verdict = z.enum(VERDICTS);
const evidenceValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const runSchema = z.object({
  id: z.string(),
  scenario: z.string(),
  description: z.string(),
  file: z.string(),
  seed: z.string(),
  planHash: z.string(),
  startedAt: z.string(),
  durationMs: ms,
  command: z.string(),
  replay: z.string(),
  target: z.string().describe('Command line of the server under test'),
  origin: z.string().nullable(),
  workers: z.number().describe('Slots that the run was judged with'),
  ratePerSecond: z.number().nullable().describe('Arrivals a second; null for a closed loop'),
  visibility: z.enum(['agent', 'process-table']).nullable(),
  blind: z.array(z.string()).describe('What the tool could not see, one sentence each'),
  environment: z.object({ node: z.string(), os: z.string(), cpus: z.number(), version: z.string() }),
});

const checkSchema = z.object({
  id: z.string(),
  metric: z.string(),
  window: z.enum(WINDOWS),
  op: z.enum(OPERATORS),
  limit: z.number(),
  unit: z.enum(['ms', 'bytes', 'share', 'count', 'per-second', 'factor']),
  actual: z.number().nullable().describe('null where there is no number: not measured, or never'),
  low: z
    .number()
    .nullable()
    .describe('Lower end of the interval in which the true value lies, where one is known'),
  high: z.number().nullable(),
  samples: z.number(),
  level: z.enum(['error', 'warn']),
  verdict,
  reason: z.string().optional(),
  evidence: z.array(z.number()).describe('seq of the journal records that prove it'),
});

const outageSchema = z.object({
  fromMs: ms,
  toMs: ms,
  durationMs: ms,
  uncertaintyMs: ms,
  faultId: z.string().nullable(),
  avoidable: z.boolean().describe('A ready worker without a fault was there all the time'),
});

const recoverySchema = z.object({
  noticedMs: maybeMs,
  exitMs: maybeMs,
  forkMs: maybeMs,
  onlineMs: maybeMs,
  listeningMs: maybeMs,
  firstResponseMs: maybeMs,
  goodputMs: maybeMs,
});

const faultSchema = z.object({
  id: z.string(),
  kind: z.string(),
  slots: z.array(z.number()),
  pids: z.array(z.number()),
  plannedAtMs: ms,
  injectedAtMs: maybeMs,
  skewMs: maybeMs,
  healedAtMs: maybeMs,
  effective: z.boolean(),
  expect: z.enum(['replaced', 'survives', 'any']),
  recovered: z
    .boolean()
    .nullable()
    .describe('null where nothing was demanded or the evidence ends too early'),
  recoveryMs: maybeMs.describe('Injection to the last replacement ready, ms; null where it never came'),
  reason: z.string().nullable(),
  evidence: z.record(z.string(), evidenceValue),
  errors: z.number().describe('Failed requests that this fault caused'),
  recovery: recoverySchema.describe('ms after the injection, null where it never came; the slowest victim'),
});

const workerSchema = z.object({
  slot: z.number(),
  generation: z.number(),
  pid: z.number(),
  spawnedAtMs: ms,
  listeningAtMs: maybeMs,
  exitedAtMs: maybeMs,
  code: z.number().nullable(),
  signal: z.string().nullable(),
  expected: z.string().nullable().describe('Fault id, supervisor, stop, or null: nobody asked for this exit'),
  requests: z.number(),
  p50Ms: maybeMs,
});

const phaseSchema = z.object({
  name: z.enum(PHASES),
  fromMs: ms,
  toMs: ms,
  requests: z.number(),
  errors: z.number(),
  rps: z.number(),
  p50Ms: maybeMs,
  p90Ms: maybeMs,
  p99Ms: maybeMs,
  p999Ms: maybeMs,
  maxMs: maybeMs,
});

/** `report.json`, version 1: the judged document, from which every reporter works. */
export const reportSchema = z
  .object({
    version: z.literal(REPORT_VERSION),
    verdict,
    reason: z.string(),
    run: runSchema,
    checks: z.array(checkSchema),
    availability: z.object({
      requests: z.number(),
      ok: z.number(),
      failed: z.number(),
      ratio: z.number().nullable(),
      low: z.number().nullable(),
      high: z.number().nullable(),
      byTime: z.number().nullable().describe('Share of time in which fresh connections got answers'),
    }),
    outages: z.array(outageSchema),
    errors: z.object({
      total: z.number(),
      byKind: z.record(z.string(), z.number()),
      byCause: z.record(z.string(), z.number()),
      unattributed: z.number(),
    }),
    faults: z.array(faultSchema),
    faultKinds: z
      .record(z.string(), z.object({ label: z.string(), light: z.string(), dark: z.string() }))
      .optional()
      .describe('Name and chart colours (light and dark page) of each fault kind that the run used'),
    workers: z.array(workerSchema),
    phases: z.array(phaseSchema),
    balance: z.object({
      perSlot: z.array(z.object({ slot: z.number(), requests: z.number(), connections: z.number() })),
      cv: z.number().nullable(),
    }),
    series: z.object({
      bucketMs: z.number(),
      requests: z.array(z.number()),
      errors: z.array(z.number()),
      p50Ms: z.array(maybeMs),
      p99Ms: z.array(maybeMs),
      workersReady: z.array(z.number()),
    }),
    events: z.array(
      z.object({ seq: z.number(), atMs: ms, level: z.enum(['info', 'warn', 'error']), text: z.string() }),
    ),
    leftovers: z.object({
      processes: z.array(z.object({ pid: z.number(), command: z.string() })),
      ports: z.array(z.number()),
    }),
    harness: z.object({
      loadLagMsP99: maybeMs,
      faultSkewMsP99: maybeMs,
      probeLagMsP99: maybeMs,
      droppedSamples: z.number(),
      priority: z.string().nullable(),
    }),
    repeats: z
      .array(
        z.object({
          seed: z.string(),
          verdict,
          reason: z.string(),
          dir: z.string(),
          errors: z.number(),
          availability: z.number().nullable(),
          recoveryMsMax: maybeMs,
        }),
      )
      .optional()
      .describe('With --repeat: how each run went, this one included'),
  })
  .describe('Judged document of one chaos run');

type DeepReadonly<T> = T extends (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type Report = DeepReadonly<z.infer<typeof reportSchema>>;
export type ReportCheck = Report['checks'][number];
export type ReportFault = Report['faults'][number];
export type ReportWorker = Report['workers'][number];
export type ReportOutage = Report['outages'][number];
export type ReportPhase = Report['phases'][number];
export type ReportEvent = Report['events'][number];
export type CheckUnit = ReportCheck['unit'];
