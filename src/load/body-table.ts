import { createHash } from 'node:crypto';
import type { BodyEntry } from '../model/samples.ts';
import type { RequestSpec } from '../model/scenario.ts';
import { shapeOf } from './body-shape.ts';

/** Of a longer body only this much is looked at, and its length. */
export const BODY_READ_MAX = 65_536;
/** Distinct bodies kept apart; after that a row names an entry of its body's shape. */
const EXACT_MAX = 1000;
/** Shapes that get an entry after that; all others share one. */
const SHAPES_MAX = 1000;
/** Bytes kept of all known bodies, for the fast path. */
const KEPT_BYTES_MAX = 8_000_000;
/** A body up to this length is its own key; of a longer one it is the hash. */
const KEY_BYTES_MAX = 256;
const PREVIEW_CHARS = 200;

/** What a connection remembers of its last answer's body, so that the next one like it costs one comparison. */
export interface KnownBody {
  readonly id: number;
  readonly accepted: boolean | null;
  /** The request that it answers. */
  readonly request: number;
  readonly total: number;
  /** `null` where the same bytes need not mean the same entry, or were not kept. */
  readonly bytes: Buffer | null;
}

/** Before the first answer. */
export const NO_KNOWN_BODY: KnownBody = { id: 0, accepted: null, request: -1, total: -1, bytes: null };

type Accepts = (bytes: Buffer, total: number) => boolean | null;

/** Gives each body an id, and writes down what there is to know of it. */
export class BodyTable {
  private readonly accepts: readonly Accepts[];
  private readonly onEntry: (entry: BodyEntry) => void;
  private readonly exact = new Map<string, KnownBody>();
  private readonly shapes = new Map<string, KnownBody>();
  private entries = 0;
  private keptBytes = 0;

  /** `onEntry` gets the entries in the order of their ids, which start at 1. */
  constructor(requests: readonly RequestSpec[], onEntry: (entry: BodyEntry) => void) {
    this.accepts = requests.map((request) => acceptance(request.expectBody));
    this.onEntry = onEntry;
  }

  /** `bytes` is the body's beginning, at most BODY_READ_MAX of its `total` bytes. */
  find(bytes: Buffer, total: number, request: number): KnownBody {
    const key = `${request}:${total}:${keyOf(bytes)}`;
    const known = this.exact.get(key);
    if (known !== undefined) return known;
    const accepted = this.accepts[request]?.(bytes, total) ?? null;
    const shape = shapeOf(bytes);
    const shapeKey = `${request}:${accepted}:${shape}`;
    if (this.exact.size < EXACT_MAX) {
      const fresh = this.add(bytes, { total, request, accepted, shape });
      this.exact.set(key, fresh);
      // Later bodies of this shape are represented by its first.
      if (!this.shapes.has(shapeKey)) this.shapes.set(shapeKey, { ...fresh, bytes: null });
      return fresh;
    }
    return this.ofShape(shapeKey, bytes, { total, request, accepted, shape });
  }

  private ofShape(shapeKey: string, bytes: Buffer, facts: Facts): KnownBody {
    const known = this.shapes.get(shapeKey);
    if (known !== undefined) return known;
    const isFull = this.shapes.size >= SHAPES_MAX + EXACT_MAX;
    const key = isFull ? `${facts.request}:${facts.accepted}:other` : shapeKey;
    const other = isFull ? this.shapes.get(key) : undefined;
    if (other !== undefined) return other;
    const fresh = { ...this.add(bytes, isFull ? { ...facts, shape: 0 } : facts), bytes: null };
    this.shapes.set(key, fresh);
    return fresh;
  }

  private add(bytes: Buffer, { total, request, accepted, shape }: Facts): KnownBody {
    const preview = bytes
      .subarray(0, PREVIEW_CHARS * 4)
      .toString('utf8')
      .slice(0, PREVIEW_CHARS);
    this.onEntry({ shape, bytes: total, preview, accepted });
    this.entries++;
    const isKept = this.keptBytes + bytes.length <= KEPT_BYTES_MAX;
    if (isKept) this.keptBytes += bytes.length;
    return { id: this.entries, accepted, request, total, bytes: isKept ? Buffer.from(bytes) : null };
  }
}

interface Facts {
  readonly total: number;
  readonly request: number;
  readonly accepted: boolean | null;
  readonly shape: number;
}

function keyOf(bytes: Buffer): string {
  if (bytes.length <= KEY_BYTES_MAX) return bytes.toString('latin1');
  return createHash('sha1').update(bytes).digest('base64');
}

function acceptance(expected: RequestSpec['expectBody']): Accepts {
  if (expected === null) return () => null;
  if (expected.type === 'equals') {
    const text = Buffer.from(expected.text);
    const start = text.subarray(0, BODY_READ_MAX);
    return (bytes, total) => total === text.length && bytes.equals(start);
  }
  // A regular expression with g or y would remember where it stopped.
  const pattern = new RegExp(expected.source, expected.flags.replace(/[gy]/g, ''));
  return (bytes) => pattern.test(bytes.toString('utf8'));
}
