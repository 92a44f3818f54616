import type { Sticky } from '../settings.ts';
import { type RawHandle, socketOf } from './raw-handle.ts';

/** A head this long without its end is no browser's. */
const HEAD_BYTES_MAX = 16_384;
/** A client that says nothing for so long goes by its address, so that it holds nothing up. */
const HEAD_WAIT_MS = 1000;
/** First byte of a TLS handshake record: there is no cookie to be read in it (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;

/** What a connection says about where it belongs, and what had to be read for it. */
export interface Peeked {
  readonly key: number | null;
  readonly slot: number | null;
  readonly headBase64: string | null;
  /** Closes the connection; the handle alone where nothing was read. */
  readonly close: () => void;
}

/** Finds out to which slot a client belongs. `done` is called once, at once where nothing must be read. */
export function peek(
  handle: RawHandle,
  { sticky, isHttp }: { readonly sticky: Sticky | null; readonly isHttp: boolean },
  done: (peeked: Peeked) => void,
): void {
  const close = (): void => handle.close();
  if (sticky === null) {
    done({ key: null, slot: null, headBase64: null, close });
    return;
  }
  const key = addressKey(handle);
  // Of another protocol there is no cookie to wait for, and its client may wait for us.
  if (sticky.by === 'address' || !isHttp) done({ key, slot: null, headBase64: null, close });
  else peekCookie(handle, { name: sticky.name, key }, done);
}

function addressKey(handle: RawHandle): number {
  const peer: { address?: string } = {};
  handle.getpeername?.(peer);
  return fnv1a(peer.address ?? '');
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function peekCookie(
  handle: RawHandle,
  wanted: { readonly name: string; readonly key: number },
  done: (peeked: Peeked) => void,
): void {
  const socket = socketOf(handle);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const leave = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', finish);
  };
  const finish = (): void => {
    leave();
    socket.pause();
    handle.readStop?.();
    const head = Buffer.concat(chunks);
    const slot = slotIn(head.toString('latin1'), wanted.name);
    // Who has no cookie yet goes where there is room, and gets one there; what cannot be read goes by its address.
    const isNew = slot === null && bytes > 0 && head[0] !== TLS_HANDSHAKE;
    done({
      key: isNew ? null : wanted.key,
      slot,
      headBase64: bytes > 0 ? head.toString('base64') : null,
      close: () => socket.destroy(),
    });
  };
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    const isTls = chunks[0]?.[0] === TLS_HANDSHAKE;
    if (isTls || bytes >= HEAD_BYTES_MAX || Buffer.concat(chunks).includes('\r\n\r\n')) finish();
  };
  const timer = setTimeout(finish, HEAD_WAIT_MS);
  socket.on('data', onData);
  socket.on('error', () => {
    leave();
    socket.destroy();
  });
  // A client that ends its side first still waits for an answer; the worker sees the same end.
  socket.once('end', finish);
}

function slotIn(head: string, name: string): number | null {
  const line = /^cookie:(.*)$/im.exec(head.split('\r\n\r\n')[0] ?? '')?.[1];
  if (line === undefined) return null;
  for (const pair of line.split(';')) {
    const [key, value] = pair.trim().split('=');
    if (key === name && /^\d{1,5}$/.test(value ?? '')) return Number(value);
  }
  return null;
}
