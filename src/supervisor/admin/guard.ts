import type { IncomingMessage } from 'node:http';

/**
 * Why a request over TCP is refused, or null. A page in a browser on this machine reaches loopback too: its requests say
 * where they come from (Origin), and a name that was made to point here (DNS rebinding) shows in Host.
 */
export function refusalOf(req: IncomingMessage): string | null {
  const { host, origin } = req.headers;
  if (host === undefined || !isLoopback(host)) return 'the Host of the request is not this machine';
  if (origin !== undefined && !isLoopback(origin.replace(/^https?:\/\//, ''))) {
    return 'the Origin of the request is not this machine';
  }
  return req.headers['sec-fetch-site'] === 'cross-site' ? 'the request comes from another site' : null;
}

function isLoopback(authority: string): boolean {
  const name = authority.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}
