import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Guardian, ProcessId } from '../model/ports.ts';
import { withDeadline } from './wait.ts';

/**
 * Waits on a pipe whose other end only the harness holds. `Q` is a clean end; end of file without it means that the
 * harness died: continue what it had stopped, then stop and kill all that the run started, until none is left.
 * Stop comes before kill, so that a supervisor cannot fork meanwhile.
 */
const SCRIPT = `
trap '' TERM INT HUP
run=$1; group=; tracked=; stopped=
while IFS= read -r line; do case $line in
  Q) exit 0 ;;
  "G "*) group=\${line#G } ;;
  "T "*) tracked=\${line#T } ;;
  "S "*) stopped=\${line#S } ;;
esac; done
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
same() { for e in $1; do p=\${e%%:*}; s=$(start_of "$p"); [ -n "$s" ] && [ "$s" = "\${e#*:}" ] && echo "$p"; done; }
kill -CONT $(same "$stopped") 2>/dev/null
n=0
while [ $n -lt 50 ]; do
  n=$((n + 1))
  pids=$(grep -lzsx "CHAOS_RUN=$run" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vx $$)
  pids=$(echo $pids $(same "$tracked"))
  live=
  for p in $pids; do case $(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null) in ''|Z*) ;; *) live="$live $p" ;; esac; done
  [ -n "$group" ] && kill -STOP -- -"$group" 2>/dev/null
  [ -n "$live" ] && kill -STOP $live 2>/dev/null
  [ -n "$group" ] && kill -KILL -- -"$group" 2>/dev/null
  [ -n "$live" ] && kill -KILL $live 2>/dev/null
  [ -z "$live" ] && break
  sleep 0.02
done
exit 0
`;

/** Bound on the guardian's own exit after a clean end; it only has to read one line. */
const RELEASE_DEADLINE_MS = 2000;

/** Starts the guardian of one run. */
export function startGuardian(runId: string): Guardian {
  // Its own session: a Ctrl-C in the terminal or a kill of our group must not reach it. No run marker in its environment.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'chaos-guardian', runId], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  });
  const ended = once(child, 'exit');
  child.unref();
  // A guardian that is gone cannot be told anything; the run goes on without the net, and stop() still cleans up.
  child.stdin.on('error', () => {});
  const tell = (line: string): void => {
    if (child.stdin.writable) child.stdin.write(`${line}\n`);
  };
  const list = (ids: Iterable<ProcessId>): string =>
    [...ids].map((id) => `${id.pid}:${id.startTime}`).join(' ');
  const stopped = new Map<number, ProcessId>();
  return {
    addStopped(id) {
      stopped.set(id.pid, id);
      tell(`S ${list(stopped.values())}`);
    },
    removeStopped(id) {
      stopped.delete(id.pid);
      tell(`S ${list(stopped.values())}`);
    },
    track: (ids) => tell(`T ${list(ids)}`),
    setGroup: (pgid) => tell(`G ${pgid}`),
    async release() {
      tell('Q');
      child.stdin.end();
      await withDeadline(ended, RELEASE_DEADLINE_MS).catch(() => child.kill('SIGKILL'));
    },
  };
}
