import { z } from 'zod';
import type { AgentFrame } from '../agent/protocol.cts';

/** An agent's frames are a few hundred bytes, with `argv1` and a PATH-long address at most a few thousand. */
const FRAME_CHARS_MAX = 65_536;

const pid = z.int().positive();
const atMs = z.number().nonnegative();
const about = { atMs, workerPid: pid, workerId: z.int().nonnegative() };
const scheduling = z.enum(['rr', 'none']);

const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('primary'), atMs, scheduling }),
  z.object({ type: z.literal('listening'), atMs, address: z.string().max(1000), port: z.int().min(0) }),
  z.object({ type: z.enum(['fork', 'online', 'disconnect']), ...about }),
  z.object({ type: z.literal('worker-listening'), ...about, port: z.int().nullable() }),
  z.object({
    type: z.literal('worker-exit'),
    ...about,
    code: z.int().nullable(),
    signal: z.string().max(100).nullable(),
    retired: z.boolean(),
  }),
]);

const frameSchema = z.union([
  z.object({
    t: z.literal('hello'),
    v: z.literal(1),
    token: z.string().max(200),
    identity: z.object({
      pid,
      ppid: z.int().nonnegative(),
      role: z.enum(['primary', 'worker', 'single']),
      workerId: z.int().nonnegative().nullable(),
      node: z.string().max(100),
      argv1: z.string().max(1000).nullable(),
      loadedAtMs: atMs,
      scheduling: scheduling.nullable(),
    }),
  }),
  z.object({ t: z.literal('event'), event: eventSchema }),
  z.object({
    t: z.literal('result'),
    id: z.int(),
    ok: z.literal(true),
    evidence: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
  z.object({ t: z.literal('result'), id: z.int(), ok: z.literal(false), error: z.string() }),
]);

/**
 * Cuts what an agent sends into frames.
 * @returns a function that takes the next part of the stream and gives its whole frames; `null` for junk or an
 * oversized frame, after which nothing of that stream can be trusted
 */
export function createFrameReader(): (chunk: string) => readonly AgentFrame[] | null {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > FRAME_CHARS_MAX) return null;
    const frames: AgentFrame[] = [];
    for (const line of lines) {
      const frame = line.length > FRAME_CHARS_MAX ? null : parseFrame(line);
      if (frame === null) return null;
      frames.push(frame);
    }
    return frames;
  };
}

function parseFrame(line: string): AgentFrame | null {
  try {
    return frameSchema.parse(JSON.parse(line));
  } catch {
    // Whoever sent this is not our agent.
    return null;
  }
}
