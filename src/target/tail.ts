import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

/** The last lines of a text file, without control characters; empty if there is none. */
export function tail(file: string, lines: number): string {
  const BYTES = 8192;
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    // The target printed nothing that could be kept.
    return '';
  }
  try {
    const size = fstatSync(fd).size;
    const buffer = Buffer.alloc(Math.min(BYTES, size));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return stripVTControlCharacters(buffer.toString('utf8')).trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    closeSync(fd);
  }
}
