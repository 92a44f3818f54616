'use strict';
const recluster = require('recluster');

const balancer = recluster(process.argv[2], { workers: Number(process.env.WORKERS) });
balancer.run();
// As its README has it.
process.on('SIGUSR2', () => balancer.reload());
