/** A rule that did not hold in a simulated world. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(message);
    this.name = 'Violation';
    this.rule = rule;
  }
}

export function violated(rule: string, message: string): never {
  throw new Violation(rule, message);
}

/** Throws the rule unless it holds. The message is only made when it is needed. */
export function holds(condition: boolean, rule: string, message: () => string): void {
  if (!condition) violated(rule, message());
}
