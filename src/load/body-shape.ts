/*
 * The shape of a body: what is left when numbers, ids and times are taken out. Read once, byte by byte, since it may be
 * asked for each of a million answers.
 *   - a word (letters, digits, - and _) of 16 or more characters with a digit in it is an id: uuid, nanoid, hash, key
 *   - a shorter run of letters and digits is a number or an id if it has a digit, or is hex (a-f only, 4 or more)
 *   - names of days and months and AM/PM are parts of a time
 *   - numbers joined by . : + - are one number: 1.5, 12:30:59, 2026-11-22, 1e-7; so is a number with a sign
 */

/** Bodies are told apart by their first so many symbols, which bounds the work. */
const SYMBOLS_MAX = 16_384;
const OPAQUE_MIN = 16;
const HEX_MIN = 4;

const OTHER = 0;
const LETTER = 1;
const HEX_LETTER = 2;
const DIGIT = 3;
/** `-`, `_`: inside a word they may be part of an id. */
const LINK = 4;
/** `.`, `:`, `+`: between numbers they are part of the number. */
const JOINER = 5;

const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) CLASS[byte] = classOf(String.fromCharCode(byte));

function classOf(char: string): number {
  if (/[0-9]/.test(char)) return DIGIT;
  if (/[a-fA-F]/.test(char)) return HEX_LETTER;
  if (/[a-zA-Z]/.test(char)) return LETTER;
  if (char === '-' || char === '_') return LINK;
  return /[.:+]/.test(char) ? JOINER : OTHER;
}

const TIME_WORDS = new Set(
  (
    'Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday ' +
    'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec January February March April June July ' +
    'August September October November December AM PM am pm'
  ).split(' '),
);
const TIME_WORD_MAX = 9;

/** The symbol of a collapsed number, id or time: a byte that text does not have. */
const NUMBER = 0x01;
const MINUS = 0x2d;
const PLUS = 0x2b;
const UPPER_CASE_LAST = 0x5a;

/** A number that is equal for two bodies of one shape; 53 bits, the same on every machine. */
export function shapeOf(bytes: Uint8Array): number {
  const shape = new Shape();
  const { length } = bytes;
  let at = 0;
  while (at < length && shape.symbols < SYMBOLS_MAX) {
    const kind = CLASS[bytes[at] ?? 0] ?? OTHER;
    if (kind === OTHER || kind === JOINER || kind === LINK) {
      shape.mark(bytes[at] ?? 0, kind !== OTHER);
      at++;
      continue;
    }
    const end = endOfWord(bytes, at);
    if (end - at >= OPAQUE_MIN && hasDigit(bytes, at, end)) {
      shape.number();
      at = end;
    } else at = shape.run(bytes, at);
  }
  return shape.value();
}

/** The end of the run of letters, digits and links, less the links at its end. */
function endOfWord(bytes: Uint8Array, start: number): number {
  let end = start;
  for (let at = start; at < bytes.length; at++) {
    const kind = CLASS[bytes[at] ?? 0] ?? OTHER;
    if (kind === OTHER || kind === JOINER) break;
    if (kind !== LINK) end = at + 1;
  }
  return end;
}

function hasDigit(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (CLASS[bytes[at] ?? 0] === DIGIT) return true;
  return false;
}

class Shape {
  symbols = 0;
  private high = 0x811c9dc5;
  private low = 0x9e3779b9;
  private lastWasNumber = false;
  /** A sign or joiner that is written only if no number follows; -1 for none. */
  private pending = -1;

  /** A byte between words; `joins` if it could be part of a number. */
  mark(byte: number, joins: boolean): void {
    this.settle();
    if (joins) this.pending = byte;
    else this.emit(byte);
  }

  number(): void {
    const isSign = this.pending === MINUS || this.pending === PLUS;
    if (this.pending >= 0 && !isSign && !this.lastWasNumber) this.settle();
    const continues = this.lastWasNumber && this.pending >= 0;
    this.pending = -1;
    if (!continues) this.emit(NUMBER);
    this.lastWasNumber = true;
  }

  /** A run of letters and digits from `start`; returns its end. */
  run(bytes: Uint8Array, start: number): number {
    let end = start;
    let digits = false;
    let hex = true;
    for (; end < bytes.length; end++) {
      const kind = CLASS[bytes[end] ?? 0] ?? OTHER;
      if (kind === DIGIT) digits = true;
      else if (kind === LETTER) hex = false;
      else if (kind !== HEX_LETTER) break;
    }
    if (digits || (hex && end - start >= HEX_MIN) || isTimeWord(bytes, start, end)) this.number();
    else {
      this.settle();
      for (let at = start; at < end; at++) this.emit(bytes[at] ?? 0);
    }
    return end;
  }

  value(): number {
    this.settle();
    return (this.high >>> 0) * 2 ** 21 + (this.low >>> 11);
  }

  private settle(): void {
    if (this.pending < 0) return;
    this.emit(this.pending);
    this.pending = -1;
  }

  /** FNV-1a, twice with different constants. */
  private emit(byte: number): void {
    this.high = Math.imul(this.high ^ byte, 0x01000193);
    this.low = Math.imul(this.low ^ byte, 0x85ebca6b);
    this.low ^= this.low >>> 15;
    this.lastWasNumber = false;
    this.symbols++;
  }
}

function isTimeWord(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < 2 || length > TIME_WORD_MAX) return false;
  // Most words are lower case: no string is made of those.
  if (length > 2 && (bytes[start] ?? 0) > UPPER_CASE_LAST) return false;
  return TIME_WORDS.has(String.fromCharCode(...bytes.subarray(start, end)));
}
