import { choice, duration, orNone, share, size, wholeNumber } from './kinds.ts';
import { row } from './option.ts';
import { stickyKind } from './special-kinds.ts';

/** How connections are given out, how failures are noticed, what is bounded. */
export const TRAFFIC_ROWS = {
  balance: row({
    section: 'Connections',
    kind: choice(['round-robin', 'least-connections', 'none']),
    help: 'who gets a connection; none: the operating system decides; refused while no worker lives, lost with its worker',
    fallback: { input: 'round-robin', because: 'as node:cluster does' },
    variables: [{ name: 'NODE_CLUSTER_SCHED_POLICY', means: { rr: 'round-robin', none: 'none' } }],
  }),
  sticky: row({
    section: 'Connections',
    kind: orNone(stickyKind),
    help: 'clients come back to the same slot',
    fallback: { input: null, because: 'most apps keep no state' },
  }),
  stickyHold: row({
    section: 'Connections',
    kind: duration({ min: '0ms', max: '60s' }),
    help: 'how long a sticky connection waits for its own slot',
    fallback: { input: '2s', because: 'a replacement is back by then' },
  }),
  waitingMax: row({
    section: 'Connections',
    kind: wholeNumber({ min: 0, max: 1_000_000 }),
    help: 'connections that wait for a worker; more are closed',
    fallback: { input: 4096, because: 'a descriptor each' },
  }),
  handsMax: row({
    section: 'Connections',
    kind: wholeNumber({ min: 1, max: 1024 }),
    help: 'connections on their way to one worker at a time',
    fallback: { input: 8, because: 'even turns in a burst; a hung worker holds no more' },
  }),
  spread: row({
    section: 'Connections',
    kind: duration({ min: '0ms', max: '60s' }),
    help: 'after a mass death nobody gets more than a fair share for this long',
    fallback: { input: '500ms', because: 'a few boots' },
  }),
  beat: row({
    section: 'Failure detection',
    kind: duration({ min: '5ms', max: '60s' }),
    help: 'how often an event loop says that it lives',
    fallback: {
      of: ({ suspectMs }) => Math.floor(suspectMs / 3),
      says: 'a third of suspectAfter',
      because: 'two in a row may be late',
    },
  }),
  suspectAfter: row({
    section: 'Failure detection',
    kind: duration({ min: '15ms', max: '1h' }),
    help: 'silence after which a worker gets no new connections',
    fallback: { input: '250ms', because: 'longer than a usual garbage collection' },
  }),
  deadAfter: row({
    section: 'Failure detection',
    kind: duration({ min: '20ms', max: '1h' }),
    help: 'silence after which a worker is killed and replaced',
    fallback: { input: '1s', because: 'no request should block that long' },
  }),
  claim: row({
    section: 'Failure detection',
    kind: duration({ min: '1ms', max: '1h' }),
    help: 'a connection older than this on arrival is handed back',
    fallback: {
      of: ({ suspectMs }) => 0.4 * suspectMs,
      says: '40 % of suspectAfter',
      because: 'before it is given to another',
    },
  }),
  withdraw: row({
    section: 'Failure detection',
    kind: duration({ min: '1ms', max: '1h' }),
    help: 'a connection that a suspect worker did not take goes to another',
    fallback: {
      of: ({ suspectMs }) => 0.8 * suspectMs,
      says: '80 % of suspectAfter',
      because: 'twice the claim',
    },
  }),
  maxMemory: row({
    section: 'Limits',
    kind: orNone(size({ min: '32MB', max: '1024GB' })),
    help: 'resident memory after which a worker is replaced',
    fallback: {
      of: ({ memoryShareBytes }) => memoryShareBytes,
      says: "a share of the container's limit, if it has one",
      because: 'before the kernel kills it',
    },
  }),
  maxHeap: row({
    section: 'Limits',
    kind: orNone(share({ min: 0.1, max: 1 })),
    help: "share of V8's heap limit after which a worker is replaced",
    fallback: { input: 0.8, because: 'before V8 ends it' },
  }),
  maxRequests: row({
    section: 'Limits',
    kind: orNone(wholeNumber({ min: 1, max: 1e12 })),
    help: 'requests after which a worker is replaced',
    fallback: { input: null, because: 'only leaks need it' },
  }),
  maxAge: row({
    section: 'Limits',
    // The longest that a timer of Node waits is 2^31 ms, 24.8 days.
    kind: orNone(duration({ min: '1s', max: '576h' })),
    help: 'age after which a worker is replaced',
    fallback: { input: null, because: 'only leaks need it' },
  }),
  stagger: row({
    section: 'Limits',
    kind: share({ min: 0, max: 0.9 }),
    help: 'request and age limits are drawn from [1 - stagger, 1] of them',
    fallback: { input: 0.2, because: 'workers do not end together' },
  }),
  'ipc.messageSize': row({
    section: 'Limits',
    kind: size({ min: '1KiB', max: '256MiB' }),
    help: 'largest message between worker and primary, as JSON',
    fallback: { input: '1MiB', because: 'a larger one blocks who parses it' },
  }),
  'ipc.outstanding': row({
    section: 'Limits',
    kind: wholeNumber({ min: 1, max: 1_000_000 }),
    help: 'requests without an answer, on each side of a channel',
    fallback: { input: 1000, because: 'more is a pile-up' },
  }),
  'ipc.queuedSize': row({
    section: 'Limits',
    kind: size({ min: '1KiB', max: '4GiB' }),
    help: 'bytes that may wait in a channel',
    fallback: { input: '16MiB', because: '16 of the largest messages' },
  }),
  messagesPerSecondMax: row({
    section: 'Limits',
    kind: wholeNumber({ min: 1, max: 10_000_000 }),
    help: 'a worker that sends more messages is replaced',
    fallback: { input: 10_000, because: 'more keeps the primary from its work' },
  }),
} as const;
