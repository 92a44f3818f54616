import { ChaosError } from '../base/errors.ts';
import type { RequestSpec } from '../model/scenario.ts';

/** One of the load's requests, ready to be written; shared by all connections. */
export interface WireRequest {
  readonly bytes: Buffer;
  /** An answer to HEAD has no body, whatever its headers say. */
  readonly isHead: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * The bytes of a request in HTTP/1.1. `fresh` requests ask the server to close the connection after the answer.
 * @throws ChaosError 'usage' where method, path or headers would not be one request on the wire
 */
export function wireRequest(spec: RequestSpec, host: string, fresh: boolean): WireRequest {
  if (!TOKEN.test(spec.method)) throw invalid('method', spec.method);
  if (!/^\/[^\s]*$|^\*$/.test(spec.path)) throw invalid('path', spec.path);
  const lines = [`${spec.method} ${spec.path} HTTP/1.1`];
  const names = new Set(Object.keys(spec.headers).map((name) => name.toLowerCase()));
  if (!names.has('host')) lines.push(`Host: ${host}`);
  lines.push(`Connection: ${fresh ? 'close' : 'keep-alive'}`);
  for (const [name, value] of Object.entries(spec.headers)) {
    if (!TOKEN.test(name)) throw invalid('header name', name);
    if (/[\r\n\0]/.test(value)) throw invalid(`value of header ${name}`, value);
    const lower = name.toLowerCase();
    // How long a connection lives is the load's own matter, and so is the length of a body it knows.
    if (lower !== 'connection' && lower !== 'content-length') lines.push(`${name}: ${value}`);
  }
  const body = Buffer.from(spec.body ?? '');
  if (spec.body !== null || ['POST', 'PUT', 'PATCH'].includes(spec.method)) {
    lines.push(`Content-Length: ${body.length}`);
  }
  return {
    bytes: Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]),
    isHead: spec.method === 'HEAD',
  };
}

function invalid(what: string, got: string): ChaosError {
  return new ChaosError('usage', `load.requests: ${what} cannot be sent: ${JSON.stringify(got)}`);
}
