/** CLOCK_MONOTONIC in ms: the same clock in every process of this machine, and it never goes back. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
