// autocannon ships no types, and those of DefinitelyTyped lack what is used here.
declare module 'autocannon' {
  import type { AutocannonClient } from './autocannon-internals.ts';

  interface Options {
    readonly url: string;
    readonly connections: number;
    readonly pipelining: 1;
    /** Seconds. */
    readonly duration: number;
    /** Seconds, >= 1. */
    readonly timeout: number;
    readonly sampleInt: number;
    readonly setupClient: (client: AutocannonClient) => void;
  }
  export default function autocannon(options: Options, done: (error: Error | null) => void): unknown;
}
