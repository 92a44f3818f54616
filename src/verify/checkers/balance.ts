import { spansOf } from '../analysis/analyse.ts';
import { balanceOver } from '../analysis/balance.ts';
import { checker, NO_REQUESTS, noSuchWindow, unmeasured } from '../checker.ts';

export const balanceCheckers = [
  checker(
    'balance.cv',
    'factor',
    ['baseline', 'chaos', 'recovery', 'run'],
    'Spread of the requests over the slots: standard deviation against mean, 0 where all got the same.',
    (analysis, window) => {
      const [span] = spansOf(analysis, window);
      if (span === undefined) return noSuchWindow(window);
      if (analysis.waits.counts(span).requests === 0) return NO_REQUESTS;
      const { cv, samples } = balanceOver(span, analysis.rows, analysis);
      if (cv !== null) return { value: cv, samples, evidence: [] };
      return unmeasured('no answer names its worker', 'the agent must be loaded into the workers');
    },
  ),
];
