import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearest } from '../../base/nearest.ts';
import type { AdminAddress, Sticky } from '../settings.ts';
import { SOCKET_PATH_BYTES_MAX } from './admin-path.ts';
import { isRecord, type Kind, numberOf, type Read, refuse, simpleKind } from './kinds.ts';
import { type Fault, quoted } from './problems.ts';

const STICKY_COOKIE_DEFAULT = 'chaos_slot';
/** Set for every worker by node:cluster and by us. */
const RESERVED_VARIABLES = new Set([
  'NODE_UNIQUE_ID',
  'NODE_CHANNEL_FD',
  'CLUSTER_CHAOS_WORKER',
  'CLUSTER_CHAOS_SLOT',
]);

/** The number of workers; 'cores' is told as null. */
export const WORKERS_MAX = 1024;

/** As many workers as somebody wants from now on. */
export const countOfWorkers: Kind<number> = simpleKind(
  'a whole number from 1 to 1,024',
  '<n>',
  (input, source) => {
    const value = numberOf(input, source) ?? 0;
    return Number.isInteger(value) && value >= 1 && value <= WORKERS_MAX ? value : undefined;
  },
);

export const workersKind: Kind<number | null> = simpleKind(
  `${countOfWorkers.expected}, or 'cores'`,
  '<n>',
  (input, source) => {
    if (input === 'cores') return null;
    const read = countOfWorkers.read(input, source);
    return 'value' in read ? read.value : undefined;
  },
  "1 to 1,024, or 'cores'",
);

/** What may stand in a log line, a URL and a metric's label without quotes. */
export const nameKind: Kind<string> = simpleKind(
  "a name of 1 to 64 letters, digits, '.', '_' or '-', not starting with a sign",
  '<name>',
  (input) => (typeof input === 'string' && /^[A-Za-z0-9][\w.-]{0,63}$/.test(input) ? input : undefined),
);

export const entryKind: Kind<string> = {
  expected: 'a file that can be read',
  argument: '<file>',
  read(input, { baseDir }) {
    const path = pathOf(input, baseDir);
    if (path === undefined) return refuse(input, this.expected);
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts === undefined) return refuse(input, this.expected, missingHint(path));
    if (!facts.isFile()) {
      return refuse(input, this.expected, 'that is no file: name the file that node would be started with');
    }
    return accessible(path, constants.R_OK)
      ? { value: path }
      : refuse(input, this.expected, 'this user may not read it');
  },
};

export const folderKind: Kind<string> = {
  expected: 'a folder that can be entered',
  argument: '<dir>',
  read(input, { baseDir }) {
    const path = pathOf(input, baseDir);
    const facts = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    if (path === undefined || !facts?.isDirectory() || !accessible(path, constants.X_OK)) {
      return refuse(input, this.expected);
    }
    return { value: path };
  },
};

export const envKind: Kind<Readonly<Record<string, string>>> = {
  expected: 'an object of variables and their texts',
  argument: '<NAME=value>',
  read(input, { textual }) {
    return textual ? readAssignments(input) : readVariables(input, '');
  },
};

export const slotEnvKind: Kind<Readonly<Record<number, Readonly<Record<string, string>>>>> = {
  expected: 'an object of slot numbers from 1, each with an object of variables',
  argument: null,
  read(input) {
    if (!isRecord(input)) return refuse(input, this.expected);
    const faults: Fault[] = [];
    const slots: [string, Readonly<Record<string, string>>][] = [];
    for (const [slot, variables] of Object.entries(input)) {
      if (!/^[1-9]\d{0,3}$/.test(slot)) {
        faults.push({ at: `[${quoted(slot)}]`, expected: 'a slot number from 1', got: slot });
        continue;
      }
      const read = readVariables(variables, `[${slot}]`);
      if ('faults' in read) faults.push(...read.faults);
      else slots.push([slot, read.value]);
    }
    return faults.length > 0 ? { faults } : { value: Object.fromEntries(slots) };
  },
};

/** In text: `address`, `cookie` or `cookie:<name>`. */
export const stickyKind: Kind<Sticky> = {
  expected: "'address', 'cookie', or a cookie's name as { cookie: 'name' } (as text: cookie:name)",
  argument: '<address|cookie[:name]>',
  read(input, { textual }) {
    if (input === 'address') return { value: { by: 'address' } };
    if (input === 'cookie') return { value: { by: 'cookie', name: STICKY_COOKIE_DEFAULT } };
    const named = textual ? /^cookie:(.*)$/s.exec(String(input))?.[1] : cookieOf(input);
    if (named === undefined) return refuse(input, this.expected);
    // A token of RFC 6265 section 4.1.1.
    return typeof named === 'string' && /^[\w!#$%&'*+.^`|~-]{1,64}$/.test(named)
      ? { value: { by: 'cookie', name: named } }
      : { faults: [{ at: '.cookie', expected: "a cookie's name without spaces or separators", got: named }] };
  },
};

export const adminKind: Kind<AdminAddress> = {
  expected: "the path of a unix socket, such as './admin.sock', or a port of 127.0.0.1 from 1 to 65535",
  argument: '<path|port>',
  read(input, source) {
    const port = numberOf(input, source);
    if (port !== undefined) {
      return Number.isInteger(port) && port >= 1 && port <= 65_535
        ? { value: { port } }
        : refuse(input, this.expected);
    }
    const path = typeof input === 'string' && input.includes('/') ? pathOf(input, source.baseDir) : undefined;
    if (path === undefined) return refuse(input, this.expected);
    return Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX
      ? refuse(input, this.expected, `as a full path it has more than ${SOCKET_PATH_BYTES_MAX} bytes`)
      : { value: { path } };
  },
};

function cookieOf(input: unknown): unknown {
  return isRecord(input) && Object.keys(input).join() === 'cookie' ? input['cookie'] : undefined;
}

/** Flags: `--env A=1 --env B=2`. */
function readAssignments(input: unknown): Read<Readonly<Record<string, string>>> {
  const faults: Fault[] = [];
  const pairs: [string, string][] = [];
  for (const text of Array.isArray(input) ? input.map(String) : [String(input)]) {
    const at = text.indexOf('=');
    if (at <= 0) faults.push({ expected: 'NAME=value', got: text });
    else pairs.push([text.slice(0, at), text.slice(at + 1)]);
  }
  return faults.length > 0 ? { faults } : readVariables(Object.fromEntries(pairs), '');
}

function readVariables(input: unknown, at: string): Read<Readonly<Record<string, string>>> {
  if (!isRecord(input)) {
    return { faults: [{ at, expected: 'an object of variables and their texts', got: input }] };
  }
  const faults: Fault[] = [];
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(input)) {
    const below = `${at}.${/^\w+$/.test(name) ? name : quoted(name)}`;
    if (name === '' || /[=\0]/.test(name)) {
      faults.push({ at: below, expected: "a variable's name without '=' or NUL", got: name });
    } else if (RESERVED_VARIABLES.has(name)) {
      faults.push({ at: below, expected: 'a name that the supervisor does not need itself', got: name });
    } else if (!['string', 'number', 'boolean'].includes(typeof value) || String(value).includes('\0')) {
      faults.push({ at: below, expected: 'a text without NUL, a number or a boolean', got: value });
    } else {
      pairs.push([name, String(value)]);
    }
  }
  return faults.length > 0 ? { faults } : { value: Object.fromEntries(pairs) };
}

function pathOf(input: unknown, baseDir: string): string | undefined {
  if (typeof input !== 'string' || input === '' || input.includes('\0')) return undefined;
  if (!input.startsWith('file://')) return resolve(baseDir, input);
  try {
    return fileURLToPath(input);
  } catch {
    // Not the URL of a local file: refused by who asked.
    return undefined;
  }
}

function accessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // The answer.
    return false;
  }
}

function missingHint(path: string): string {
  const dir = dirname(path);
  try {
    const near = nearest(basename(path), readdirSync(dir));
    return near === undefined ? 'there is no such file' : `did you mean ${quoted(near)}?`;
  } catch {
    // The folder is missing too, or not for us to read.
    return `there is no such file; its folder is ${quoted(dir)}`;
  }
}
