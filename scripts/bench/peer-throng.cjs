'use strict';
const throng = require('throng');

// A child's death raises no error in its primary with throng; its worker function is the app itself.
throng({ count: Number(process.env.WORKERS), worker: () => require(process.argv[2]) });
