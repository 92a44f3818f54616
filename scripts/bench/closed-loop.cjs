'use strict';
// Closed loop: each connection sends as soon as it is answered. Tells answers a second, and how busy we were ourselves.
const { RawConnection, nowMs, requestBytes } = require('./raw-connection.cjs');

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.once('message', ({ port, connections, seconds, isFresh }) => {
  const bytes = requestBytes('/', isFresh);
  const startMs = nowMs();
  const endMs = startMs + seconds * 1000;
  const before = process.cpuUsage();
  let answers = 0;
  let failed = 0;
  let open = connections;
  const send = (connection) =>
    connection.send(bytes, (outcome) => {
      if (outcome === 'ok') answers += 1;
      else failed += 1;
      if (nowMs() < endMs) return send(connection.isOpen ? connection : new RawConnection(port));
      connection.giveUp('END');
      open -= 1;
      if (open === 0) finish();
    });
  function finish() {
    const tookMs = nowMs() - startMs;
    const { user, system } = process.cpuUsage(before);
    const busy = (user + system) / 1000 / tookMs;
    process.send({ perSecond: (answers * 1000) / tookMs, failed, busy }, () => process.exit(0));
  }
  for (let i = 0; i < connections; i++) send(new RawConnection(port));
});
