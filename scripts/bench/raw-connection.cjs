'use strict';
// A raw HTTP/1.1 client connection with one request at a time. Each request ends exactly once, and an end of file before
// the answer is told apart from a reset: HTTP clients, autocannon too, hide that.
const net = require('node:net');

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

const OUTCOMES = { ECONNREFUSED: 'REFUSED', ECONNRESET: 'RST', EPIPE: 'RST' };

class RawConnection {
  /** The worker that answered last on this connection; 0 before the first answer. */
  pid = 0;
  isOpen = true;
  #socket;
  #text = '';
  #done = null;

  constructor(port) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('end', () => this.#finish('EOF'));
    this.#socket.on('error', (error) => this.#finish(OUTCOMES[error.code] ?? error.code ?? 'OTHER'));
    this.#socket.on('close', () => this.#finish('EOF'));
  }

  /** `done(outcome)` is called once: 'ok', 'RST', 'EOF', 'REFUSED', 'TIMEOUT', 'STATUS <n>' or an error's code. */
  send(bytes, done) {
    this.#done = done;
    this.#socket.write(bytes);
  }

  giveUp(outcome) {
    this.#finish(outcome);
  }

  #read(chunk) {
    // Bytes nobody asked for end the connection.
    if (this.#done === null) return this.#finish('EXTRA');
    this.#text += chunk;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#text.slice(0, end + 2).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (this.#text.length < end + 4 + length) return;
    const status = Number(head.slice(9, 12));
    this.pid = Number(/\r\nx-pid: (\d+)/.exec(head)?.[1] ?? 0);
    this.#text = '';
    if (head.includes('\r\nconnection: close')) this.#close();
    this.#settle(status === 200 ? 'ok' : `STATUS ${status}`);
  }

  #finish(outcome) {
    this.#close();
    this.#settle(outcome);
  }

  #close() {
    this.isOpen = false;
    this.#socket.destroy();
  }

  #settle(outcome) {
    const done = this.#done;
    this.#done = null;
    done?.(outcome);
  }
}

const requestBytes = (path, isClose) =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${isClose ? 'Connection: close\r\n' : ''}\r\n`);

module.exports = { RawConnection, nowMs, requestBytes };
