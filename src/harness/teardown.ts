/**
 * What must be undone, newest first. Each step is pushed before the set-up that it undoes is awaited, and runs once,
 * however the run ends; a step that throws does not keep the others from running.
 */
export class Teardown {
  readonly #steps: { readonly name: string; readonly undo: () => Promise<void> }[] = [];
  readonly errors: { readonly name: string; readonly error: unknown }[] = [];

  push(name: string, undo: () => Promise<void>): void {
    this.#steps.push({ name, undo });
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        this.errors.push({ name: step.name, error });
      }
    }
  }
}
