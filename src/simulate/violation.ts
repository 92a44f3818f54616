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
