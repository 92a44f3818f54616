/** Bounds on what a scenario may ask for, each with the reason that its error gives. */
export const LIMITS = {
  nameLength: { max: 64, why: 'it names a folder' },
  faults: { max: 100, why: 'more entries cannot be told apart in a chart' },
  objectives: { max: 200, why: 'more than that no one reads' },
  requests: { min: 1, max: 250, why: 'a sample keeps its request in one byte' },
  workers: { min: 1, max: 128, why: 'more than that one machine cannot tell apart' },
  workersHit: { min: 1, max: 128, why: 'a target has at most 128 workers' },
  rate: { min: 1, max: 100_000, why: 'one load process sends no more' },
  connections: { min: 1, max: 1000, why: 'each takes a descriptor and a port here and in the server' },
  weight: { min: 0.001, max: 1e6, why: 'a share must be more than nothing' },
  share: { min: 0, max: 1, why: 'it is a share' },
  jitter: { min: 0, max: 1, why: 'more would swap neighbours' },
  exitCode: { min: 0, max: 255, why: 'an exit code has eight bits' },
  status: { min: 100, max: 599, why: 'HTTP knows no other' },
  burst: { min: 1, max: 1000, why: 'more would be a denial of service, not a burst' },
  bodyLength: { max: 1_000_000, why: 'it is sent with each request' },
  pathLength: { max: 4096, why: 'servers refuse longer ones' },
} as const;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Bounds on durations, ms. */
export const DURATIONS = {
  warmup: { min: 0, max: 10 * MINUTE, why: 'a longer warm-up is a run of its own' },
  baseline: { min: 100, max: HOUR, why: 'without a baseline there is nothing to compare with' },
  chaos: { min: 100, max: 24 * HOUR, why: 'evidence of more than a day does not fit into one run' },
  settle: { min: 0, max: 10 * MINUTE, why: 'a server that is not back by then is not coming back' },
  recovery: { min: 100, max: HOUR, why: 'without it nothing proves that the server recovered' },
  requestTimeout: { min: SECOND, max: 10 * MINUTE, why: 'the load generator counts in seconds' },
  readyTimeout: { min: 100, max: 30 * MINUTE, why: 'every wait has an end' },
  stopGrace: { min: 0, max: 10 * MINUTE, why: 'every wait has an end' },
  hold: { min: 1, max: 24 * HOUR, why: 'a fault ends with the chaos phase at the latest' },
  time: { min: 0, max: 24 * HOUR, why: 'the chaos phase lasts at most a day' },
  interval: { min: 10, max: 24 * HOUR, why: 'faults closer together cannot be told apart' },
} as const;
