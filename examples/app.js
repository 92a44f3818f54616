// The app that the shipped scenarios run against, under the reference supervisor: `chaos serve examples/app.js`. It knows
// nothing of workers, clusters or chaos.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  // A little asynchronous work, as a database query would be.
  setTimeout(() => response.end('hello from a cluster\n'), 2);
});
server.listen(process.env.PORT ?? 3000);
