'use strict';
// What most people write: node:cluster, and a fork on every exit.
const cluster = require('node:cluster');

cluster.setupPrimary({ exec: process.argv[2] });
for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
cluster.on('exit', () => cluster.fork());
