/** Why chaos gives up; the cli maps each reason to an exit code. */
export type ErrorReason = 'usage' | 'unhealthy' | 'leftover' | 'interrupted' | 'bug';

export interface ChaosErrorOptions {
  /** What the user can do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one class for operating errors. The message says what happened, what was expected and what was got. */
export class ChaosError extends Error {
  readonly reason: ErrorReason;
  readonly hint: string | undefined;

  constructor(reason: ErrorReason, message: string, options: ChaosErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ChaosError';
    this.reason = reason;
    this.hint = options.hint;
  }
}

/** Throws when a fact that our own code guarantees does not hold: a bug of ours, never the user's. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ChaosError('bug', `invariant broken: ${message}`);
}

/** Closes a switch over a union; the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new ChaosError('bug', `unreachable: ${JSON.stringify(value)}`);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
