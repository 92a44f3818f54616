/** A first scenario for the user's own server: everything that may have to be changed is there, with a comment. */
export function scenarioTemplate(command: string): string {
  return `import { defineScenario, every, kill, resilienceObjectives } from 'cluster-chaos';

export default defineScenario({
  description: 'Random workers are killed under load; each must be replaced, and nobody else may notice.',

  target: {
    // How your clustered server is started. It gets PORT, WORKERS and WEB_CONCURRENCY in its environment.
    command: ${JSON.stringify(command)},
    // Where it answers, if it ignores PORT:
    // url: 'http://127.0.0.1:3000',
    // Workers to ask for and wait for; without it, what the server starts:
    // workers: 4,
    // env: { NODE_ENV: 'production' },
  },

  load: {
    // Requests a second; without it, a rate that the server sustains.
    // rate: 500,
    requests: [
      { path: '/' },
      // { method: 'POST', path: '/items', headers: { 'content-type': 'application/json' }, body: '{}', weight: 0.2,
      //   expect: { status: 201, body: /"id"/ } },
    ],
  },

  // Defaults: 3 s warm-up, 5 s baseline, 30 s chaos, 5 s recovery.
  // phases: { chaos: '60s' },

  faults: [
    {
      name: 'kill',
      fault: kill(), // or freeze({ hold: '9s' }), blockEventLoop({ hold: '9s' }), memorySpike({ size: '64MB' })
      schedule: every('3s', { jitter: 0.5 }),
      // None in the last 1.5 s, so that each can be recovered from.
      window: { to: '-1.5s' },
    },
  ],

  objectives: [
    // Limits that need no tuning: they follow from physics and from the run's own baseline.
    ...resilienceObjectives(),
    // Your own on top:
    // 'availability@chaos >= 99.5%',
    // 'latency.p99@chaos < 250ms',
  ],
});
`;
}

/** A GitHub Actions job; the steps are the same elsewhere. */
export const CI_TEMPLATE = `name: chaos
on: [push, pull_request]

jobs:
  chaos:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 24
      - run: npm ci
      # Exit code 0: every objective met. 1: one was broken. 2: the evidence cannot tell. See \`chaos run --help\`.
      - run: npx chaos run scenarios/ --reporter terminal,json,html,junit,github
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: chaos-reports
          path: reports/
`;
