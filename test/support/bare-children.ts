/**
 * Imported for its effect: what the code under test starts from inside of this process starts as it does for users,
 * without the preloads that the test runner adds to the environment of every child. They cost a third of a second each.
 */
const state = (globalThis as { [key: symbol]: { readonly listeners: unknown[] } | undefined })[
  Symbol.for('process-on-spawn@*:singletonId')
];
state?.listeners.splice(0);
