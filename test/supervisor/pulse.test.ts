import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import t from 'tap';
import { type Heard, Pulse } from '../../dist/supervisor/primary/pulse.js';
import type { PulsePlace, Wire } from '../../dist/supervisor/wire.cjs';
import { ROOT } from '../support/chaos.ts';

const { PULSE_FIELDS } = createRequire(import.meta.url)('../../dist/supervisor/wire.cjs') as Wire;
const NEVER_MS = 2 ** 30;

/** As a worker writes it; `tail` is the second copy of the number. */
function write({ fd, offset }: PulsePlace, worker: number, number: number, tail = number): void {
  const values = PULSE_FIELDS.map((field, index) => (field === 'worker' ? worker : number * 100 + index));
  writeSync(fd, new Float64Array([number, ...values, tail]), 0, undefined, offset);
}

function start(): { readonly pulse: Pulse; readonly heard: () => readonly Heard[] } {
  let all: Heard[] = [];
  const pulse = new Pulse(
    () => NEVER_MS,
    (heard) => all.push(...heard),
  );
  pulse.start();
  return {
    pulse,
    heard() {
      pulse.look();
      const heard = all;
      all = [];
      return heard;
    },
  };
}

t.test('each beat is heard once, with all that it says', (t) => {
  const { pulse, heard } = start();
  const [one, two] = [pulse.place(1), pulse.place(2)];
  t.same(heard(), [], 'nothing was written');
  write(one, 1, 1);
  write(two, 2, 1);
  const [first, second] = heard();
  t.match(first, { worker: 1, atMs: 101, beat: { open: 102, loopDelayMs: 112 } });
  t.match(second, { worker: 2 });
  t.same(heard(), [], 'and not again');
  write(two, 2, 2);
  t.match(heard(), [{ worker: 2, atMs: 201 }]);
  pulse.close();
  t.end();
});

t.test('a record that is being written is left for the next look', (t) => {
  const { pulse, heard } = start();
  const place = pulse.place(1);
  write(place, 1, 2, 1);
  t.same(heard(), []);
  write(place, 1, 2);
  t.equal(heard().length, 1);
  pulse.close();
  t.end();
});

t.test('the place of one that is gone is another’s, and its last beat says nothing of that one', (t) => {
  const { pulse, heard } = start();
  const [one, two] = [pulse.place(1), pulse.place(2)];
  t.not(one.offset, two.offset);
  write(one, 1, 7);
  pulse.forget(1);
  const three = pulse.place(3);
  t.equal(three.offset, one.offset);
  t.same(heard(), []);
  write(three, 3, 7);
  t.match(heard(), [{ worker: 3 }]);
  pulse.close();
  t.same(heard(), [], 'closed twice or looked at afterwards, it does nothing');
  pulse.close();
  t.end();
});

t.test('the file has no name, so nothing of it is left', (t) => {
  const script = `import { readlinkSync } from 'node:fs';
    import { Pulse } from './dist/supervisor/primary/pulse.js';
    console.log(readlinkSync('/proc/self/fd/' + new Pulse(() => 1, () => {}).place(1).fd));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT });
  t.match(stdout.toString(), /cluster-chaos-\d+-\S+ \(deleted\)\n$/);
  t.end();
});
