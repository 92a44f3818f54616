import t from 'tap';
import type { Command, Event, PolicyConfig, WorkerState } from '../../dist/supervisor/policy/model.js';
import { isSettled } from '../../dist/supervisor/policy/tally.js';
import { initialState, transition } from '../../dist/supervisor/policy/transition.js';

const CONFIG: PolicyConfig = {
  workers: 2,
  standbys: 1,
  surge: 1,
  bootsMax: 4,
  bootMs: 5000,
  suspectMs: 250,
  deadMs: 1000,
  withdrawMs: 200,
  drainMs: 3000,
  backoff: { free: 2, firstMs: 1000, capMs: 1700, jitter: 0.1, stableMs: 1000 },
  limits: { rssBytes: null, rssTotalBytes: null, heapShare: null, requests: null, ageMs: null, stagger: 0.2 },
  balance: 'round-robin',
  handsMax: 1,
  waitingMax: 100,
  spreadMs: 0,
  stickyHoldMs: 2000,
  slotBound: false,
  reloadTries: 2,
};

/** A supervisor on paper: every event goes through the policy, and commands come back as short lines. */
class Play {
  state;
  nowMs = 0;
  #connections = 0;

  constructor(config: Partial<PolicyConfig> = {}, seed = 1) {
    this.state = initialState({ ...CONFIG, ...config }, seed);
  }

  /** A supervisor whose workers all serve and whose standbys wait. */
  static up(config: Partial<PolicyConfig> = {}): Play {
    const play = new Play(config);
    play.tell({ type: 'wake' });
    for (let booting = play.in('booting'); booting.length > 0; booting = play.in('booting')) {
      for (const { id } of booting) play.boot(id);
    }
    // Turns go on behind the last slot that was filled; these tests count from the first.
    play.state = { ...play.state, cursor: 0 };
    return play;
  }

  tell(event: Event): readonly string[] {
    const step = transition(this.state, event, this.nowMs);
    this.state = step.state;
    return step.commands.map(inShort);
  }

  /** It listens and is ready. */
  boot(id: number, listener = 'a'): readonly string[] {
    return [
      ...this.tell({ type: 'listening', worker: id, listener }),
      ...this.tell({ type: 'ready', worker: id }),
    ];
  }

  exit(id: number): readonly string[] {
    return this.tell({ type: 'exit', worker: id });
  }

  connect(given: { key?: number; slot?: number; listener?: string } = {}): readonly string[] {
    const { key = null, slot = null, listener = 'a' } = given;
    const connection = { id: ++this.#connections, listener, key, slot, sinceMs: this.nowMs };
    return this.tell({ type: 'connection', connection });
  }

  taken(worker: number, connection: number, open: number): readonly string[] {
    return this.tell({ type: 'taken', worker, connection, open });
  }

  beat(
    id: number,
    what: {
      open?: number;
      requests?: number;
      rssBytes?: number;
      heapShare?: number;
      heapSoonShare?: number;
    } = {},
  ) {
    const beat = {
      open: 0,
      requests: 0,
      rssBytes: 0,
      heapShare: 0,
      heapSoonShare: 0,
      ...what,
      worker: id,
      atMs: this.nowMs,
    };
    return this.tell({ type: 'beats', beats: [beat] });
  }

  /** Time goes on, with wakes as the policy wants them; who is not silent beats every 50 ms. */
  pass(ms: number, silent: readonly number[] = []): readonly string[] {
    const said: string[] = [];
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      const beatMs = (Math.floor(this.nowMs / 50) + 1) * 50;
      this.nowMs = Math.min(
        endMs,
        beatMs,
        Math.max(this.nowMs, this.state.wakeAtMs ?? Number.POSITIVE_INFINITY),
      );
      if (this.nowMs === beatMs) {
        for (const { id, phase } of this.state.workers) {
          if (phase !== 'booting' && phase !== 'ending' && !silent.includes(id)) said.push(...this.beat(id));
        }
      }
      said.push(...this.tell({ type: 'wake' }));
    }
    return said;
  }

  in(phase: WorkerState['phase']): readonly WorkerState[] {
    return this.state.workers.filter((worker) => worker.phase === phase);
  }

  /** `slot:worker` of all that serve. */
  slots(): string {
    return this.in('serving')
      .map(({ slot, id }) => `${slot}:${id}`)
      .sort()
      .join(' ');
  }

  worker(id: number): WorkerState | undefined {
    return this.state.workers.find((worker) => worker.id === id);
  }
}

function inShort(command: Command): string {
  switch (command.type) {
    case 'fork':
      return `fork ${command.worker}${command.slot === null ? '' : ` for ${command.slot}`}`;
    case 'serve':
      return `serve ${command.worker} in ${command.slot}`;
    case 'drain':
    case 'kill':
      return `${command.type} ${command.worker}: ${command.reason}`;
    case 'give':
      return `give ${command.connection} to ${command.worker}`;
    case 'shed':
      return `shed ${command.connection}`;
    default:
      return command.type;
  }
}

t.test('who is there', (t) => {
  t.test('the first wake forks workers and standbys, no more at a time than may boot', (t) => {
    t.same(new Play().tell({ type: 'wake' }), ['fork 1', 'fork 2', 'fork 3']);
    t.same(new Play({ bootsMax: 2 }).tell({ type: 'wake' }), ['fork 1', 'fork 2']);
    t.end();
  });

  t.test('who is ready takes the lowest vacant slot; the last is a standby', (t) => {
    const play = new Play();
    play.tell({ type: 'wake' });
    t.same(play.boot(3), ['serve 3 in 1']);
    t.same(play.boot(1), ['serve 1 in 2']);
    t.same(play.boot(2), []);
    t.end();
  });

  t.test('when a worker dies, the standby has its slot in the same step, and is refilled', (t) => {
    const play = Play.up();
    t.same(play.exit(1), ['serve 3 in 1']);
    t.same(play.pass(249), [], 'who took the place warms up first');
    t.same(play.pass(1), ['fork 4']);
    t.equal(play.slots(), '1:3 2:2');
    t.end();
  });

  t.test('when all die at once, all are forked at once', (t) => {
    const play = Play.up({ backoff: { ...CONFIG.backoff, free: 3 } });
    play.pass(2000);
    t.same(
      [1, 2, 3].flatMap((id) => play.exit(id)),
      ['serve 3 in 1', 'fork 4', 'fork 5', 'fork 6'],
    );
    t.end();
  });

  t.test('when all die at once soon after they began, it is one death', (t) => {
    const play = Play.up();
    const dieTogether = (ids: readonly number[]) => ids.flatMap((id) => [...play.pass(1), ...play.exit(id)]);
    const boot = (ids: readonly number[]) => ids.flatMap((id) => [...play.pass(20), ...play.boot(id)]);
    t.same(dieTogether([1, 2, 3]), ['serve 3 in 1', 'fork 4', 'fork 5', 'fork 6']);
    boot([4, 5, 6]);
    t.same(dieTogether([4, 5, 6]), ['serve 6 in 1', 'fork 7', 'fork 8', 'fork 9'], 'of one cause: one death');
    boot([7, 8, 9]);
    t.same(dieTogether([7, 8, 9]), ['serve 9 in 1'], 'who was forked since and dies as well: a loop');
    t.same(play.pass(1000), ['fork 10', 'fork 11', 'fork 12']);
    t.end();
  });

  t.test('there are never more than workers, standbys and surge, dying ones included', (t) => {
    const play = Play.up();
    for (const { id } of play.in('serving')) play.tell({ type: 'ipc-lost', worker: id });
    t.equal(play.state.workers.length, 4, 'two that are being killed leave room for one more');
    t.end();
  });

  t.test('a scale up fills the new slots; a scale down drains the highest', (t) => {
    const play = Play.up();
    t.same(play.tell({ type: 'scale', workers: 3 }), ['serve 3 in 3']);
    t.same(play.boot(4), []);
    t.same(play.tell({ type: 'scale', workers: 1 }), ['drain 2: surplus', 'drain 3: surplus']);
    t.end();
  });

  t.test('those that a scale-down drains do not hold up who is forked for those that die', (t) => {
    const play = Play.up({ workers: 8 });
    play.pass(2000);
    t.equal(play.tell({ type: 'scale', workers: 2 }).length, 6);
    play.pass(500);
    const forks = [1, 2, 9].flatMap((id) => play.exit(id)).filter(isFork);
    t.equal(play.in('draining').length, 6);
    t.ok(forks.length >= 2, forks.join(', '));
    t.end();
  });

  t.test('with environments of their own, workers are forked for their slots', (t) => {
    const play = Play.up({ slotBound: true, standbys: 0 });
    t.equal(play.slots(), '1:1 2:2');
    t.same(play.exit(2), ['fork 3 for 2']);
    t.same(play.boot(3), ['serve 3 in 2']);
    t.end();
  });
  t.end();
});

t.test('who must go', (t) => {
  t.test('goes when another is there: in one step, so that its slot is never empty', (t) => {
    const play = Play.up({ standbys: 0 });
    t.same(play.tell({ type: 'unhealthy', worker: 1 }), ['fork 3']);
    t.same(play.boot(3), ['drain 1: unhealthy', 'serve 3 in 1']);
    t.end();
  });

  t.test('goes at once when a standby is there', (t) => {
    const play = Play.up();
    t.same(play.tell({ type: 'asked-to-retire', worker: 2 }), ['drain 2: asked', 'serve 3 in 2']);
    t.end();
  });

  for (const [limit, beat, reason] of [
    [{ rssBytes: 1000 }, { rssBytes: 1000 }, 'memory'],
    [{ heapShare: 0.8 }, { heapShare: 0.81 }, 'heap'],
    [{ heapShare: 0.8 }, { heapShare: 0.3, heapSoonShare: 1 }, 'heap'],
    [{ requests: 10 }, { requests: 10 }, 'requests'],
  ] as const) {
    t.test(`a worker at its limit is replaced: ${reason}`, (t) => {
      const play = Play.up({ limits: { ...CONFIG.limits, ...limit } });
      t.same(play.beat(1, beat), [`drain 1: ${reason}`, 'serve 3 in 1']);
      t.end();
    });
  }

  t.test('a limit that is a share of what all have falls when there are more', (t) => {
    const limits = { ...CONFIG.limits, rssBytes: 100e6, rssTotalBytes: 300e6 };
    const play = Play.up({ workers: 2, standbys: 1, limits });
    t.same(play.beat(1, { rssBytes: 90e6 }), []);
    play.tell({ type: 'scale', workers: 3 });
    t.match(play.beat(1, { rssBytes: 90e6 }), [/^drain 1: memory|^fork/]);
    t.equal(play.state.workers.find(({ id }) => id === 1)?.retire, 'memory', 'of 300 MB for 4, not for 3');
    t.end();
  });

  t.test('a limit of requests is reached with the last of them', (t) => {
    const play = Play.up({ limits: { ...CONFIG.limits, requests: 10, stagger: 0 } });
    t.same(play.beat(1, { requests: 9 }), []);
    t.same(play.beat(1, { requests: 10 }), ['drain 1: requests', 'serve 3 in 1']);
    t.end();
  });

  t.test('shares of limits are drawn from all that stagger allows', (t) => {
    const limits = { ...CONFIG.limits, stagger: 1 };
    const play = new Play({ workers: 400, standbys: 0, bootsMax: 400, limits });
    play.tell({ type: 'wake' });
    const shares = play.state.workers.map(({ limitShare }) => limitShare);
    t.ok(Math.min(...shares) < 0.03 && Math.max(...shares) > 0.97);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    t.ok(Math.abs(mean - 0.5) < 0.05, `${mean}`);
    t.end();
  });

  t.test('age limits are staggered: workers that began together do not end together', (t) => {
    const play = Play.up({ workers: 4, limits: { ...CONFIG.limits, ageMs: 10_000 } });
    const ends = new Set<number>();
    while (ends.size < 4 && play.nowMs < 11_000) {
      const said = [...play.pass(10)];
      for (const { id } of play.in('draining')) play.exit(id);
      for (const { id } of play.in('booting')) said.push(...play.boot(id));
      if (said.some((line) => line.endsWith(': age'))) ends.add(play.nowMs);
    }
    t.equal(ends.size, 4, `at ${[...ends].join(', ')} ms`);
    t.ok([...ends].every((atMs) => atMs >= 8000 && atMs <= 10_010));
    t.end();
  });

  t.test('is not told to be replaced when it is on its way out', (t) => {
    const play = Play.up({ limits: { ...CONFIG.limits, ageMs: 1000, rssBytes: 1000 } });
    play.tell({ type: 'scale', workers: 1 });
    play.pass(2000);
    play.beat(2, { rssBytes: 1000 });
    t.equal(play.worker(2)?.phase, 'draining');
    t.equal(play.worker(2)?.retire, null);
    t.end();
  });

  t.test('has all its time to drain after an absence of the primary', (t) => {
    const play = Play.up();
    play.tell({ type: 'asked-to-retire', worker: 1 });
    play.nowMs += 60_000;
    t.notOk(play.tell({ type: 'wake' }).some((said) => said.startsWith('kill')));
    t.notOk(play.pass(2990).some((said) => said.startsWith('kill')));
    t.same(play.pass(20), ['kill 1: drain-deadline']);
    t.end();
  });

  t.test('a drain has a deadline', (t) => {
    const play = Play.up();
    play.tell({ type: 'asked-to-retire', worker: 1 });
    t.notOk(play.pass(2990).some((said) => said.startsWith('kill')));
    t.same(play.pass(20), ['kill 1: drain-deadline']);
    t.end();
  });
  t.end();
});

t.test('a reload', (t) => {
  t.test(
    'replaces one after the other, each when the one before has drained, and says when it is done',
    (t) => {
      const play = Play.up({ standbys: 0 });
      t.same(play.tell({ type: 'reload', config: play.state.config }), ['fork 3']);
      t.same(play.boot(3), ['drain 1: generation', 'serve 3 in 1']);
      t.same(play.exit(1), ['fork 4']);
      t.same(play.boot(4), ['drain 2: generation', 'serve 4 in 2']);
      t.same(play.exit(2), ['reloaded']);
      t.end();
    },
  );

  t.test('keeps the old standby until a new one is up', (t) => {
    const play = Play.up();
    play.tell({ type: 'reload', config: play.state.config });
    t.equal(play.in('standby')[0]?.id, 3);
    t.same(play.exit(1), ['serve 3 in 1'], 'a death meanwhile is covered');
    t.same(play.boot(4), ['drain 3: generation', 'serve 4 in 1', 'fork 5']);
    t.end();
  });

  t.test('to a generation that does not boot is given up: the next fork is of the old one', (t) => {
    const play = Play.up();
    play.pass(2000);
    play.tell({ type: 'reload', config: { ...play.state.config, surge: 2 } });
    t.same(play.exit(4), []);
    play.pass(1000);
    t.same(play.exit(5), ['reload-aborted']);
    t.equal(play.slots(), '1:1 2:2', 'the old workers serve on');
    t.equal(play.state.config.surge, 1, 'under the old settings');
    t.equal(play.state.generation, 1);
    t.end();
  });

  t.test('that is given up does not hold up forks of the generation that works', (t) => {
    const play = Play.up({ reloadTries: 1 });
    play.pass(2000);
    play.tell({ type: 'reload', config: play.state.config });
    play.exit(1);
    t.same(play.exit(2), ['fork 5']);
    t.same(play.exit(4), ['reload-aborted', 'fork 6']);
    t.end();
  });

  t.test('that is given up does not undo the back-off for early deaths', (t) => {
    const play = Play.up({ standbys: 0, reloadTries: 1, backoff: { ...CONFIG.backoff, free: 0 } });
    t.same(play.tell({ type: 'reload', config: play.state.config }), ['fork 3']);
    t.same(play.exit(1), []);
    t.same(play.exit(3), ['reload-aborted']);
    t.same(play.pass(899), []);
    t.same(play.pass(101), ['fork 4']);
    t.end();
  });

  t.test('that is given up does not undo a scale', (t) => {
    const play = Play.up();
    play.tell({ type: 'reload', config: play.state.config });
    play.tell({ type: 'scale', workers: 3 });
    play.exit(4);
    play.pass(2000);
    t.match(
      play
        .in('booting')
        .map(({ id }) => play.exit(id))
        .flat(),
      ['reload-aborted'],
    );
    t.equal(play.state.config.workers, 3);
    t.end();
  });
  t.end();
});

t.test('the crash-loop breaker', (t) => {
  /** Forks within 10 s when nothing boots, by 10 ms. */
  const loop = (play: Play, untilMs: number): readonly number[] => {
    const forks: number[] = [];
    while (play.nowMs < untilMs) {
      const said = play.pass(10);
      for (const { id } of play.in('booting')) said.concat(play.exit(id));
      forks.push(...said.filter((line) => line.startsWith('fork')).map(() => play.nowMs));
    }
    return forks;
  };

  t.test('forks no more than 8 in 10 s when one worker crashes at boot, and the others serve on', (t) => {
    const play = Play.up();
    play.exit(1);
    const forks = loop(play, 30_000);
    for (const atMs of forks) {
      t.ok(forks.filter((other) => other > atMs - 10_000 && other <= atMs).length <= 8);
    }
    t.equal(play.slots(), '1:3 2:2');
    t.ok(forks.length >= 10, 'and never gives up');
    t.end();
  });

  t.test('tries one at a time, and lets the rest follow a success within the cap', (t) => {
    const play = new Play({ workers: 4 });
    play.tell({ type: 'wake' });
    loop(play, 20_000);
    const mendedAtMs = play.nowMs;
    while (play.in('serving').length < 4) {
      play.pass(10);
      const booting = play.in('booting');
      t.ok(booting.length <= 1 || play.in('serving').length > 0, 'one probe');
      for (const { id } of booting) play.boot(id);
    }
    t.ok(play.nowMs - mendedAtMs <= 1750, `${play.nowMs - mendedAtMs} ms`);
    t.end();
  });

  t.test('lets a few early deaths pass, then holds back', (t) => {
    const play = Play.up({ standbys: 0 });
    const waits: number[] = [];
    for (let deaths = 0; deaths < 5; deaths++) {
      const victim = play.in('serving').at(-1)?.id ?? 0;
      const diedAtMs = play.nowMs;
      let said = play.exit(victim);
      while (!said.some((line) => line.startsWith('fork'))) said = play.pass(1);
      waits.push(play.nowMs - diedAtMs);
      for (const { id } of play.in('booting')) play.boot(id);
    }
    t.same(waits.slice(0, 2), [0, 0]);
    t.ok(
      waits.slice(2).every((ms) => ms >= 900 && ms <= 1701),
      waits.join(', '),
    );
    t.end();
  });

  t.test('does not hold a stable worker’s death against it', (t) => {
    const play = Play.up({ standbys: 0 });
    for (let deaths = 0; deaths < 6; deaths++) {
      play.pass(1500);
      t.match(play.exit(play.in('serving')[0]?.id ?? 0), [/^fork/]);
      for (const { id } of play.in('booting')) play.boot(id);
    }
    t.end();
  });

  t.test('also slows a limit that no worker can keep', (t) => {
    const play = Play.up({ standbys: 0, limits: { ...CONFIG.limits, rssBytes: 100 } });
    let forks = 0;
    while (play.nowMs < 10_000) {
      for (const { id } of play.in('serving'))
        forks += play.beat(id, { rssBytes: 200 }).filter(isFork).length;
      for (const { id } of play.in('draining')) forks += play.exit(id).filter(isFork).length;
      for (const { id } of play.in('booting')) forks += play.boot(id).filter(isFork).length;
      forks += play.pass(10).filter(isFork).length;
    }
    t.ok(forks <= 12, `${forks} forks in 10 s`);
    t.end();
  });

  t.test('a boot that never gets ready is ended', (t) => {
    const play = new Play();
    play.tell({ type: 'wake' });
    t.notOk(play.pass(4999).some((said) => said.startsWith('kill')));
    t.match(play.pass(2), [/kill 1: boot-deadline/]);
    t.end();
  });
  t.end();
});

function isFork(line: string): boolean {
  return line.startsWith('fork');
}

t.test('silence', (t) => {
  t.test('makes a suspect that gets nothing new, and after a while a dead worker', (t) => {
    const play = Play.up();
    play.pass(240, [1]);
    t.equal(play.worker(1)?.suspect, false);
    play.pass(20, [1]);
    t.equal(play.worker(1)?.suspect, true);
    t.same([play.connect(), play.taken(2, 1, 1), play.connect()].flat(), ['give 1 to 2', 'give 2 to 2']);
    t.same(play.pass(720, [1]), []);
    t.same(play.pass(40, [1]), ['kill 1: hung', 'serve 3 in 1']);
    t.end();
  });

  t.test('is over with the next beat', (t) => {
    const play = Play.up();
    play.pass(900, [1]);
    play.beat(1);
    t.equal(play.worker(1)?.suspect, false);
    t.same(play.pass(900), []);
    t.end();
  });

  t.test('is not held against workers when the primary itself was away', (t) => {
    const play = Play.up();
    play.nowMs += 60_000;
    t.same(play.tell({ type: 'wake' }), []);
    t.same(play.pass(200), []);
    t.equal(play.slots(), '1:1 2:2');
    t.end();
  });

  t.test('is only judged by a wake: until then, words may lie unread', (t) => {
    const play = Play.up();
    play.nowMs += 330;
    t.same(play.beat(2), []);
    t.equal(play.worker(1)?.suspect, false);
    t.same(play.beat(1), []);
    t.same(play.tell({ type: 'wake' }), []);
    t.equal(play.worker(1)?.suspect, false);
    t.end();
  });

  t.test('of a worker that the machine does not let run is borne longer, and not for ever', (t) => {
    const play = Play.up();
    const said: string[] = [];
    while (said.length === 0 && play.nowMs < 10_000) {
      said.push(...play.pass(100, [1]));
      if (play.worker(1)?.suspect === true) said.push(...play.tell({ type: 'starved', worker: 1 }));
    }
    t.match(said[0], /kill 1: hung/);
    t.ok(play.nowMs >= 5000 && play.nowMs <= 5100, `${play.nowMs} ms`);
    t.end();
  });
  t.end();
});

t.test('connections', (t) => {
  t.test('go round, past those that have their hands full', (t) => {
    const play = Play.up({ workers: 3 });
    t.same([play.connect(), play.connect(), play.connect()].flat(), [
      'give 1 to 1',
      'give 2 to 2',
      'give 3 to 3',
    ]);
    play.taken(3, 3, 1);
    t.same(play.connect(), ['give 4 to 3']);
    t.same(play.connect(), [], 'nobody has a free hand: it waits');
    t.same(play.taken(2, 2, 1), ['give 5 to 2']);
    t.end();
  });

  t.test('go to who has the fewest, if so wished', (t) => {
    const play = Play.up({ workers: 3, balance: 'least-connections' });
    play.beat(1, { open: 5 });
    play.beat(2, { open: 1 });
    play.beat(3, { open: 3 });
    t.same(play.connect(), ['give 1 to 2']);
    t.end();
  });

  t.test('wait while nobody serves, and go to the first who does', (t) => {
    const play = new Play();
    play.tell({ type: 'wake' });
    t.same(play.connect(), []);
    t.same(play.boot(1), ['serve 1 in 1', 'give 1 to 1']);
    t.end();
  });

  t.test('go only to who listens where they came in', (t) => {
    const play = Play.up();
    t.same(play.connect({ listener: 'b' }), []);
    t.same(play.tell({ type: 'listening', worker: 2, listener: 'b' }), ['give 1 to 2']);
    play.taken(2, 1, 1);
    play.tell({ type: 'unlistened', worker: 2, listener: 'b' });
    t.same(play.connect({ listener: 'b' }), []);
    t.end();
  });

  t.test('are shed when where they came in is closed, and no others', (t) => {
    const play = new Play();
    play.tell({ type: 'wake' });
    for (const listener of ['b', 'a', 'b']) play.connect({ listener });
    t.same(play.tell({ type: 'closed', listener: 'b' }), ['shed 1', 'shed 3']);
    t.same(play.boot(1), ['serve 1 in 1', 'give 2 to 1']);
    t.end();
  });

  t.test('go to another when the first died before it took them', (t) => {
    const play = Play.up();
    t.same(play.connect(), ['give 1 to 1']);
    t.same(play.exit(1), ['serve 3 in 1', 'give 1 to 3'], 'the next turn is that of who has just got a slot');
    t.end();
  });

  t.test('go to the standby in the same step when the first is seen to die, before its exit', (t) => {
    const play = Play.up();
    play.connect();
    t.same(play.tell({ type: 'dying', worker: 1 }), ['kill 1: dying', 'serve 3 in 1', 'give 1 to 3']);
    t.same(play.taken(3, 1, 1), [], 'it is its own');
    t.same(play.exit(1), [], 'its exit changes nothing but that it is gone');
    play.nowMs += 250;
    t.same(play.tell({ type: 'wake' }), ['fork 4'], 'the reserve is refilled');
    t.end();
  });

  t.test('that a worker took with its last word before it is seen to die stay its own', (t) => {
    const play = Play.up();
    play.connect();
    play.taken(1, 1, 1);
    t.same(play.tell({ type: 'dying', worker: 1 }), ['kill 1: dying', 'serve 3 in 1']);
    t.end();
  });

  t.test('that were taken die with their worker', (t) => {
    const play = Play.up();
    play.connect();
    play.taken(1, 1, 1);
    t.same(play.exit(1), ['serve 3 in 1']);
    t.end();
  });

  t.test('go to another when the first hangs, after its claim has run out', (t) => {
    const play = Play.up();
    play.pass(200, [1]);
    t.same(play.connect(), ['give 1 to 1']);
    t.same(play.pass(190, [1]), []);
    t.same(play.pass(20, [1]), ['give 1 to 2']);
    t.end();
  });

  t.test('go to another when the first came to them too late', (t) => {
    const play = Play.up();
    play.connect();
    t.same(play.tell({ type: 'returned', worker: 1, connection: 1 }), ['give 1 to 2']);
    t.end();
  });

  t.test('that two workers read from cost the one that should not', (t) => {
    const play = Play.up();
    play.pass(200, [1]);
    play.connect();
    play.pass(220, [1]);
    t.same(play.taken(1, 1, 1), ['kill 1: took-withdrawn', 'serve 3 in 1']);
    t.end();
  });

  t.test('that were withdrawn and are with nobody else yet stay where they were taken', (t) => {
    const play = Play.up({ workers: 1, standbys: 0 });
    play.pass(200, [1]);
    play.connect();
    play.pass(220, [1]);
    t.equal(play.state.waiting.length, 1);
    t.same(play.taken(1, 1, 1), []);
    t.equal(play.state.waiting.length, 0);
    t.end();
  });

  t.test('that were withdrawn and are shed stay where they were taken', (t) => {
    const play = Play.up({ workers: 1, standbys: 0 });
    play.pass(200, [1]);
    play.connect();
    play.pass(220, [1]);
    t.same(play.tell({ type: 'stop' }), ['drain 1: stop', 'shed 1']);
    t.same(play.taken(1, 1, 1), []);
    t.end();
  });

  t.test('that a worker which beats does not take cost it its place', (t) => {
    const play = Play.up();
    play.connect();
    t.same(play.pass(1010), ['drain 1: deaf', 'serve 3 in 1', 'give 1 to 3']);
    t.end();
  });

  t.test('are missed in time by a supervisor that is patient with silence', (t) => {
    const play = Play.up({ suspectMs: 10_000, deadMs: 20_000 });
    play.pass(500);
    play.connect();
    t.same(play.pass(1000, [1, 2, 3]), ['drain 1: deaf', 'serve 3 in 1', 'give 1 to 3']);
    t.end();
  });

  t.test('that were withdrawn twice are answered twice', (t) => {
    const play = Play.up({ workers: 1, standbys: 0 });
    play.pass(200, [1]);
    t.same(play.connect(), ['give 1 to 1']);
    play.pass(220, [1]);
    t.same(play.beat(1), ['give 1 to 1']);
    play.pass(460, [1]);
    t.same(play.worker(1)?.withdrawn, [1, 1]);
    play.tell({ type: 'returned', worker: 1, connection: 1 });
    t.same(play.worker(1)?.withdrawn, [1]);
    t.end();
  });

  t.test('that were withdrawn are remembered, however many one may have in hand', (t) => {
    const play = Play.up({ workers: 1, standbys: 0, handsMax: 1024 });
    play.pass(200, [1]);
    for (let i = 0; i < 1024; i++) play.connect();
    play.pass(220, [1]);
    t.equal(play.worker(1)?.withdrawn.length, 1024);
    t.end();
  });

  t.test('are shed when too many wait', (t) => {
    const play = new Play({ waitingMax: 1 });
    t.same(play.connect(), ['fork 1', 'fork 2', 'fork 3']);
    t.same(play.connect(), ['shed 2']);
    t.end();
  });

  t.test(
    'are spread after a mass death: the first worker back gets its share, until nobody else comes',
    (t) => {
      const play = new Play({ workers: 4, bootsMax: 8, handsMax: 100, spreadMs: 500 });
      play.tell({ type: 'wake' });
      for (let i = 0; i < 8; i++) play.connect();
      t.equal(play.boot(1).filter((line) => line.startsWith('give')).length, 2);
      t.equal(play.pass(499).length, 0);
      t.equal(play.pass(2).filter((line) => line.startsWith('give')).length, 6);
      t.end();
    },
  );
  t.end();
});

t.test('sticky clients', (t) => {
  t.test('come back to the same slot, whoever serves it', (t) => {
    const play = Play.up({ workers: 4, handsMax: 100 });
    const homes = Array.from({ length: 40 }, (_, key) =>
      play
        .connect({ key: key * 7919 })[0]
        ?.split(' ')
        .at(-1),
    );
    const again = Array.from({ length: 40 }, (_, key) =>
      play
        .connect({ key: key * 7919 })[0]
        ?.split(' ')
        .at(-1),
    );
    t.same(again, homes);
    t.equal(new Set(homes).size, 4, 'and all slots have some');
    t.end();
  });

  for (const [who, given] of [
    ['with a key', (i: number) => ({ key: Math.imul(i, 2_654_435_761) >>> 7 })],
    ['whose cookie names a slot that is no more', () => ({ slot: 99 })],
  ] as const) {
    t.test(`${who} are spread over all slots`, (t) => {
      const play = Play.up({ workers: 4, handsMax: 10_000 });
      for (let i = 0; i < 4000; i++) play.connect(given(i));
      const counts = play.in('serving').map(({ hands }) => hands.length);
      t.ok(
        counts.every((count) => count > 850 && count < 1150),
        counts.join(' '),
      );
      t.end();
    });
  }

  t.test('of other slots stay where they are when one slot is added', (t) => {
    const play = Play.up({ workers: 4, handsMax: 1000 });
    const home = (key: number): string =>
      play
        .connect({ key: key * 7919 })[0]
        ?.split(' ')
        .at(-1) ?? '';
    const before = Array.from({ length: 100 }, (_, key) => home(key));
    play.tell({ type: 'scale', workers: 5 });
    const after = Array.from({ length: 100 }, (_, key) => home(key));
    const fifth = String(play.in('serving').find(({ slot }) => slot === 5)?.id);
    t.ok(after.every((worker, key) => worker === before[key] || worker === fifth));
    t.ok(after.filter((worker) => worker === fifth).length < 40);
    t.end();
  });

  t.test('go to the slot that their cookie names', (t) => {
    const play = Play.up({ workers: 3 });
    t.same(play.connect({ slot: 3, key: 5 }), ['give 1 to 3']);
    t.end();
  });

  t.test('wait for their own slot for a while before they move', (t) => {
    const play = Play.up({ standbys: 0 });
    play.exit(2);
    t.same(play.connect({ slot: 2 }), []);
    t.same(play.pass(1990), []);
    t.same(play.pass(20), ['give 1 to 1']);
    t.end();
  });

  t.test('wait for one that has just begun, as it may be about to listen where they came in', (t) => {
    const play = Play.up();
    play.tell({ type: 'listening', worker: 1, listener: 'b' });
    play.pass(500);
    t.same(play.connect({ slot: 2, listener: 'b' }), []);
    t.same(play.pass(1499), []);
    t.same(play.pass(1), ['give 1 to 1']);
    t.end();
  });

  t.test('do not wait for a slot whose worker does not listen where they came in', (t) => {
    const play = Play.up();
    play.tell({ type: 'listening', worker: 1, listener: 'b' });
    play.pass(2000);
    t.same(play.connect({ slot: 2, listener: 'b' }), ['give 1 to 1']);
    play.taken(1, 1, 1);
    play.pass(260, [2]);
    t.equal(play.worker(2)?.suspect, true);
    t.same(play.connect({ slot: 2, listener: 'b' }), [], 'a suspect may be about to');
    t.same(play.beat(2), ['give 2 to 1']);
    t.end();
  });

  t.test('are served by the replacement as soon as it is there', (t) => {
    const play = Play.up({ standbys: 0 });
    play.exit(2);
    play.connect({ slot: 2 });
    t.same(play.boot(3), ['serve 3 in 2', 'give 1 to 3']);
    t.end();
  });
  t.end();
});

t.test('the end', (t) => {
  t.test('a stop drains who runs, kills who boots, closes who waits, and says when nobody is left', (t) => {
    const play = Play.up();
    play.exit(3);
    play.pass(250);
    play.connect({ listener: 'b' });
    t.same(play.tell({ type: 'stop' }), ['drain 1: stop', 'drain 2: stop', 'kill 4: stop', 'shed 1']);
    t.same(play.connect(), ['shed 2'], 'also who comes after it');
    t.same(
      [1, 4, 2].flatMap((id) => play.exit(id)),
      ['stopped'],
    );
    t.end();
  });

  t.test('a force kills all, also those that drain', (t) => {
    const play = Play.up();
    play.tell({ type: 'stop' });
    t.same(play.tell({ type: 'force' }), ['kill 1: force', 'kill 2: force', 'kill 3: force']);
    t.same(play.tell({ type: 'force' }), [], 'once');
    t.end();
  });

  t.test('nobody is forked after a stop', (t) => {
    const play = Play.up();
    play.tell({ type: 'stop' });
    t.same(play.exit(1), []);
    t.same(play.tell({ type: 'reload', config: play.state.config }), []);
    t.end();
  });
  t.end();
});

t.test('all is settled, so that a listener which nobody has may be closed,', (t) => {
  t.test('when all serve and the reserve waits', (t) => {
    t.equal(isSettled(Play.up().state), true);
    t.end();
  });

  t.test('not while a slot is vacant, though nobody boots', (t) => {
    const play = Play.up();
    play.exit(1);
    play.exit(3);
    for (const { id } of play.in('booting')) play.exit(id);
    t.same(play.in('booting'), [], 'the back-off');
    t.equal(isSettled(play.state), false);
    t.end();
  });

  t.test('not while the reserve boots', (t) => {
    const play = Play.up();
    play.exit(3);
    play.pass(250);
    t.equal(play.in('booting').length, 1);
    t.equal(isSettled(play.state), false);
    t.end();
  });

  for (const [who, id] of [
    ['one that serves', 1],
    ['a standby', 3],
  ] as const) {
    t.test(`not while ${who} has yet to listen`, (t) => {
      const play = Play.up();
      play.tell({ type: 'unlistened', worker: id, listener: 'a' });
      t.equal(isSettled(play.state), false);
      t.end();
    });
  }

  t.test('when who listens no more drains', (t) => {
    const play = Play.up();
    play.tell({ type: 'asked-to-retire', worker: 1 });
    play.pass(250);
    for (const { id } of play.in('booting')) play.boot(id);
    play.tell({ type: 'unlistened', worker: 1, listener: 'a' });
    t.equal(play.worker(1)?.phase, 'draining');
    t.equal(isSettled(play.state), true);
    t.end();
  });

  t.test('when more serve than shall', (t) => {
    const { state } = Play.up();
    t.equal(isSettled({ ...state, config: { ...state.config, workers: 1 } }), true);
    t.end();
  });
  t.end();
});

t.test('words of a worker that is gone change nothing', (t) => {
  const play = Play.up();
  play.exit(1);
  for (const type of ['ready', 'exit', 'unhealthy', 'ipc-lost'] as const)
    t.same(play.tell({ type, worker: 1 }), []);
  t.same(play.beat(1), []);
  t.end();
});

t.test('the same events at the same times are the same commands; another seed has another jitter', (t) => {
  const run = (seed: number): readonly string[] => {
    const play = new Play({}, seed);
    const said = [...play.tell({ type: 'wake' })];
    for (let i = 0; i < 300; i++) {
      said.push(...play.pass(10).map((line) => `${play.nowMs} ${line}`));
      for (const { id } of play.in('booting')) play.exit(id);
    }
    return said;
  };
  t.same(run(1), run(1));
  t.notSame(run(1), run(2));
  t.end();
});
