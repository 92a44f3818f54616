'use strict';
// The fastest answer there is, so that the generator is what is measured.
const net = require('node:net');

const answer = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 11\r\n\r\nhello world',
);
const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('data', () => socket.write(answer));
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', 1024, () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit(0));
