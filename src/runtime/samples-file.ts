import { closeSync, fstatSync, openSync, readSync, writevSync } from 'node:fs';
import { endianness } from 'node:os';
import { ChaosError, invariant } from '../base/errors.ts';
import type { BodyEntry, SampleColumns, Samples } from '../model/samples.ts';

/*
 * samples.bin: frames of [u32 type][u32 length][payload], only ever appended.
 *   1  JSON header, the first frame
 *   2  block of rows: [u32 count], then each column's bytes, in the order of COLUMNS
 *   3  JSON array of the bodies first seen since the last such frame
 * A writer that is killed leaves at most one torn frame at the end, which the reader ignores.
 */
const FRAME_HEADER = 1;
const FRAME_ROWS = 2;
const FRAME_BODIES = 3;
const FRAME_HEAD_BYTES = 8;
const FORMAT = 'cluster-chaos samples';
const VERSION = 1;

/** Rows kept in memory before they are written: 270 kB. */
export const BLOCK_ROWS = 8192;

/** What is lost after this many rows is counted, not kept: 700 MB of file, more than a judge can hold. */
export const ROWS_MAX = 20_000_000;

/** Entry 0 of every table of bodies. */
export const NO_BODY: BodyEntry = { shape: 0, bytes: 0, preview: '', accepted: null };

type Columns = Omit<SampleColumns, 'count'>;

function makeColumns(rows: number): Columns {
  return {
    dueMs: new Float64Array(rows),
    sendDelayMs: new Float32Array(rows),
    latencyMs: new Float32Array(rows),
    outcome: new Uint8Array(rows),
    status: new Uint16Array(rows),
    worker: new Uint32Array(rows),
    port: new Uint16Array(rows),
    request: new Uint8Array(rows),
    flags: new Uint8Array(rows),
    body: new Uint16Array(rows),
  };
}

const COLUMNS = Object.keys(makeColumns(0)) as readonly (keyof Columns)[];

const HEADER = {
  format: FORMAT,
  version: VERSION,
  endian: endianness(),
  columns: Object.entries(makeColumns(0)).map(([name, array]) => ({
    name,
    type: array.constructor.name,
  })),
};

function frameHead(type: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  return head;
}

/** Appends rows and bodies to a samples file. Rows are kept for one block at most, never as objects. */
export class SampleWriter {
  /** Rows kept; those still in memory included. */
  rows = 0;
  /** Rows beyond `rowsMax`, which are lost. */
  dropped = 0;
  private readonly fd: number;
  private readonly rowsMax: number;
  private readonly block = makeColumns(BLOCK_ROWS);
  private count = 0;
  private bodies: BodyEntry[] = [];

  /** Replaces `file`. Throws the file system's error. */
  constructor(file: string, rowsMax: number = ROWS_MAX) {
    this.rowsMax = rowsMax;
    this.fd = openSync(file, 'w', 0o644);
    this.writeJson(FRAME_HEADER, HEADER);
  }

  /** The parameters are the columns, in order. */
  add(
    dueMs: number,
    sendDelayMs: number,
    latencyMs: number,
    outcome: number,
    status: number,
    worker: number,
    port: number,
    request: number,
    flags: number,
    body: number,
  ): void {
    if (this.rows >= this.rowsMax) {
      this.dropped++;
      return;
    }
    const { block, count } = this;
    block.dueMs[count] = dueMs;
    block.sendDelayMs[count] = sendDelayMs;
    block.latencyMs[count] = latencyMs;
    block.outcome[count] = outcome;
    block.status[count] = status;
    block.worker[count] = worker;
    block.port[count] = port;
    block.request[count] = request;
    block.flags[count] = flags;
    block.body[count] = body;
    this.rows++;
    this.count = count + 1;
    if (this.count === BLOCK_ROWS) this.flush();
  }

  /** The entry's id is its number in order of calls, from 1. */
  addBody(entry: BodyEntry): void {
    this.bodies.push(entry);
  }

  /** Writes what is in memory; bodies first, so that no row in the file names an unknown one. */
  flush(): void {
    if (this.bodies.length > 0) {
      this.writeJson(FRAME_BODIES, this.bodies);
      this.bodies = [];
    }
    if (this.count === 0) return;
    const count = Buffer.allocUnsafe(4);
    count.writeUInt32LE(this.count, 0);
    const parts: Uint8Array[] = [count];
    for (const name of COLUMNS) {
      const column = this.block[name];
      parts.push(new Uint8Array(column.buffer, 0, this.count * column.BYTES_PER_ELEMENT));
    }
    this.count = 0;
    this.writeFrame(FRAME_ROWS, parts);
  }

  close(): void {
    this.flush();
    closeSync(this.fd);
  }

  private writeJson(type: number, value: unknown): void {
    this.writeFrame(type, [Buffer.from(JSON.stringify(value))]);
  }

  private writeFrame(type: number, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const written = writevSync(this.fd, [frameHead(type, length), ...parts]);
    if (written !== FRAME_HEAD_BYTES + length) {
      throw new ChaosError('bug', `samples file: wrote ${written} of ${FRAME_HEAD_BYTES + length} bytes`, {
        hint: 'Is the disk full?',
      });
    }
  }
}

interface Frame {
  readonly type: number;
  readonly at: number;
  readonly length: number;
}

/**
 * Reads a samples file. A torn frame at the end is ignored, and a missing file has no rows.
 * @throws ChaosError 'usage' if the file is not a samples file of this version
 */
export function readSamples(file: string): Samples {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    // A run that died before its load started has no samples: that is evidence too.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { columns: noRows(), bodies: [NO_BODY] };
    throw new ChaosError('usage', `cannot read samples from ${file}`, { cause: error });
  }
  try {
    return readFrames(fd, file);
  } finally {
    closeSync(fd);
  }
}

function noRows(): SampleColumns {
  return { count: 0, ...makeColumns(0) };
}

function readFrames(fd: number, file: string): Samples {
  const frames = listFrames(fd, file);
  const bodies: BodyEntry[] = [NO_BODY];
  for (const frame of frames) {
    if (frame.type !== FRAME_BODIES) continue;
    const entries = JSON.parse(payload(fd, frame).toString()) as readonly BodyEntry[];
    for (const entry of entries) bodies.push(entry);
  }
  return {
    columns: readRows(
      fd,
      frames.filter((frame) => frame.type === FRAME_ROWS),
    ),
    bodies,
  };
}

/** Finds the whole frames, and proves by the first that the file is ours. */
function listFrames(fd: number, file: string): readonly Frame[] {
  const size = fstatSync(fd).size;
  const frames: Frame[] = [];
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  let at = 0;
  while (at + FRAME_HEAD_BYTES <= size) {
    readExactly(fd, head, at);
    const frame = { type: head.readUInt32LE(0), at: at + FRAME_HEAD_BYTES, length: head.readUInt32LE(4) };
    if (at === 0 && frame.type !== FRAME_HEADER) throw foreign(file);
    at = frame.at + frame.length;
    if (at > size) break;
    if (frames.length === 0) checkHeader(payload(fd, frame), file);
    frames.push(frame);
  }
  return frames;
}

function checkHeader(bytes: Buffer, file: string): void {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString());
  } catch (error) {
    throw foreign(file, error);
  }
  if (JSON.stringify(header) !== JSON.stringify(HEADER)) throw foreign(file);
}

function foreign(file: string, cause?: unknown): ChaosError {
  return new ChaosError('usage', `${file} is not a samples file of version ${VERSION} for this machine`, {
    hint: 'It was written by another version of cluster-chaos, or is no samples file: run the scenario again.',
    cause,
  });
}

function readRows(fd: number, blocks: readonly Frame[]): SampleColumns {
  const head = Buffer.alloc(4);
  const counts = blocks.map((block) => readExactly(fd, head, block.at).readUInt32LE(0));
  const count = counts.reduce((sum, rows) => sum + rows, 0);
  const columns = makeColumns(count);
  let row = 0;
  for (const [index, block] of blocks.entries()) {
    const rows = counts[index] ?? 0;
    let at = block.at + 4;
    for (const name of COLUMNS) {
      const column = columns[name];
      const width = column.BYTES_PER_ELEMENT;
      readExactly(fd, Buffer.from(column.buffer as ArrayBuffer, row * width, rows * width), at);
      at += rows * width;
    }
    invariant(at === block.at + block.length, 'a block of rows is as long as its columns');
    row += rows;
  }
  return { count, ...columns };
}

function payload(fd: number, frame: Frame): Buffer {
  return readExactly(fd, Buffer.allocUnsafe(frame.length), frame.at);
}

function readExactly(fd: number, into: Buffer, at: number): Buffer {
  let done = 0;
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, at + done);
    invariant(got > 0, 'the file is as long as it was when it was opened');
    done += got;
  }
  return into;
}
