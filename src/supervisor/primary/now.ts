/** CLOCK_MONOTONIC in ms: the same clock in every process of this machine, and it never goes back. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
