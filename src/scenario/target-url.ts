import { ChaosError } from '../base/errors.ts';

type Read = { readonly ok: true; readonly origin: string } | { readonly ok: false; readonly problem: string };

/**
 * Where a target answers, as an origin such as `http://127.0.0.1:8080`.
 *
 * Only this machine is allowed unless `allowRemote` says otherwise: faults are injected into local processes, and load
 * for somebody else's server must not come from a typing error.
 *
 * @throws ChaosError 'usage' for anything else
 */
export function targetOrigin(url: string, options: { readonly allowRemote?: boolean } = {}): string {
  const read = readOrigin(url, options.allowRemote ?? false);
  if (!read.ok) throw new ChaosError('usage', `target url: ${read.problem}`);
  return read.origin;
}

/** As `targetOrigin`, with the problem as a value. */
export function readOrigin(text: string, allowRemote: boolean): Read {
  if (!URL.canParse(text)) return refuse(text, 'an origin such as http://127.0.0.1:8080');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return refuse(text, 'http: or https:');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    return refuse(text, 'an origin without path, query or user (paths belong into load.requests)');
  }
  if (!allowRemote && !isLoopback(url.hostname)) {
    return refuse(text, 'an address of this machine: 127.0.0.1, [::1] or localhost');
  }
  return { ok: true, origin: url.origin };
}

/** The host as `URL` writes it: IPv4 in four decimal parts, IPv6 in brackets and shortest form. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function refuse(text: string, allowed: string): Read {
  return { ok: false, problem: `got ${JSON.stringify(text)}; allowed: ${allowed}` };
}
