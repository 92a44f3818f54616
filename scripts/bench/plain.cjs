'use strict';
// autocannon as it comes, at the priority of the load process; tells how many answers it got.
const os = require('node:os');
const autocannon = require('autocannon');

os.setPriority(10);
process.once('message', ({ origin, connections, seconds }) => {
  const before = process.cpuUsage();
  autocannon({ url: origin, connections, duration: seconds, sampleInt: 50 }, (error, result) => {
    if (error) throw error;
    const { user, system } = process.cpuUsage(before);
    const answers = result['2xx'];
    process.send({ perSecond: answers / result.duration, cpuUs: (user + system) / answers }, () =>
      process.exit(0),
    );
  });
});
