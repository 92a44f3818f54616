'use strict';
// Closed loop: each connection sends as soon as it is answered. One message is one round: it tells answers a second, and how
// busy we were ourselves. One process for all rounds: a new one would compile its code in each of them.
const { RawConnection, nowMs, requestBytes } = require('./raw-connection.cjs');

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', ({ port, connections, rampSeconds, seconds, isFresh }) => {
  const bytes = requestBytes('/', isFresh);
  // Kept connections are made before it counts.
  const startMs = nowMs() + rampSeconds * 1000;
  const endMs = startMs + seconds * 1000;
  let before = null;
  let answers = 0;
  let failed = 0;
  let open = connections;
  const send = (connection) =>
    connection.send(bytes, (outcome) => {
      const now = nowMs();
      if (now >= startMs) before ??= process.cpuUsage();
      if (outcome !== 'ok') failed += 1;
      else if (now >= startMs && now < endMs) answers += 1;
      if (now < endMs) return send(connection.isOpen ? connection : new RawConnection(port));
      connection.giveUp('END');
      open -= 1;
      if (open === 0) finish(now);
    });
  function finish(now) {
    const { user, system } = process.cpuUsage(before ?? undefined);
    const busy = (user + system) / 1000 / (now - startMs);
    process.send({ perSecond: answers / seconds, failed, busy });
  }
  for (let i = 0; i < connections; i++) send(new RawConnection(port));
});
