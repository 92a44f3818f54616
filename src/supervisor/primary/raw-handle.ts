import net from 'node:net';

/**
 * An accepted connection as libuv has it, without a `net.Socket` around it: the primary never reads or writes, so it
 * need not pay for a stream. node:cluster's own round robin works on the same objects.
 */
export interface RawHandle {
  close(): void;
  readStop?(): number;
  getpeername?(out: { address?: string }): number;
}

interface Listening {
  _handle: (RawHandle & { onconnection: (status: number, handle: RawHandle | undefined) => void }) | null;
}

/** Takes over the accepting of a server that listens: each connection goes to `onAccept` as it comes from the kernel. */
export function acceptRaw(server: net.Server, onAccept: (handle: RawHandle) => void): void {
  const { _handle: listening } = server as unknown as Listening;
  if (listening === null) return;
  listening.onconnection = (status, handle) => {
    // A failed accept has no handle. Out of descriptors libuv does not even call: it accepts and closes with one it keeps back.
    if (status === 0 && handle !== undefined) onAccept(handle);
  };
}

/** The listening socket itself; null when it is closed. */
export function listeningHandle(server: net.Server): RawHandle | null {
  return (server as unknown as Listening)._handle;
}

/** Puts a stream around a handle, to read what the client sends first. */
export function socketOf(handle: RawHandle): net.Socket {
  const options = { handle, readable: true, writable: true, allowHalfOpen: true };
  return new net.Socket(options);
}
