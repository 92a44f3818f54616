import type { Reporter } from '../model/ports.ts';
import { githubReporter } from './github.ts';
import { htmlReporter } from './html.ts';
import { jsonReporter } from './json.ts';
import { junitReporter } from './junit.ts';
import { markdownReporter } from './markdown.ts';
import { terminalReporter } from './terminal.ts';

/** Every reporter by the name that `--reporter` takes. */
export const REPORTERS: ReadonlyMap<string, Reporter> = new Map(
  [terminalReporter, jsonReporter, htmlReporter, junitReporter, githubReporter, markdownReporter].map(
    (reporter) => [reporter.name, reporter],
  ),
);
