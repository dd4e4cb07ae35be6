// stream.js: endless bytes of which each says where it belongs, so that a prefix of any length can be checked without
// keeping it; an origin that sends them, and a client that takes them at its own pace.
'use strict';
const { rawOrigin } = require('./origin');
const { connect } = require('./client');

const BLOCK = 64 * 1024;

// The bytes of a body from offset on, up to the end of its block.
function bytesAt(offset, seed = 0) {
  const block = Buffer.alloc(BLOCK, Buffer.from(`${seed} ${Math.floor(offset / BLOCK)} ebb and flow\n`));
  return block.subarray(offset % BLOCK);
}

// The first offset at which bytes, which begin at offset `from` of the body, are not what they should be; -1: none.
function firstWrong(bytes, from = 0, seed = 0) {
  for (let at = 0; at < bytes.length;) {
    const right = bytesAt(from + at, seed);
    const length = Math.min(right.length, bytes.length - at);
    if (bytes.compare(right, 0, length, at, at + length) !== 0) return from + at;
    at += length;
  }
  return -1;
}

// GET /SIZE?SEED is answered with so many bytes, by Content-Length.
function streamOrigin(t, options) {
  return rawOrigin(t, (socket, connection) => {
    socket.once('data', () => {
      const [, size, seed] = /^\S+ \S*\/(\d+)\?(\d+) /.exec(connection.bytes.toString('latin1')).map(Number);
      connection.sent = 0;
      const more = () => {
        while (connection.sent < size) {
          const bytes = bytesAt(connection.sent, seed).subarray(0, size - connection.sent);
          connection.sent += bytes.length;
          if (!socket.write(bytes)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`);
      more();
    });
  }, options);
}

// Takes a body from socket, checks it on the way, at most `pace` bytes a second. Gives what it has had, and when.
class Taker {
  constructor(socket, { seed = 0, pace = Infinity } = {}) {
    this.count = 0; // of the body
    this.wrongAt = -1;
    this.times = []; // [ms, count]
    this.done = new Promise((resolve) => { socket.on('end', resolve).on('close', resolve); });
    let head = Buffer.alloc(0);
    const begun = performance.now();
    socket.on('data', (bytes) => {
      if (head !== null) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        bytes = head.subarray(end + 4);
        head = null;
      }
      if (this.wrongAt < 0) this.wrongAt = firstWrong(bytes, this.count, seed);
      this.count += bytes.length;
      const now = performance.now();
      this.times.push([now, this.count]);
      const ahead = this.count / pace * 1000 - (now - begun);
      if (ahead > 1) {
        socket.pause();
        setTimeout(() => socket.resume(), ahead);
      }
    });
  }

  // How much there was at a time.
  countAt(ms) {
    return this.times.reduce((count, [at, value]) => (at <= ms ? value : count), 0);
  }
}

async function download(t, weir, origin, size, { seed = 0, pace } = {}) {
  const wire = await connect(t, weir.port, '127.0.0.1', { keeps: false });
  const taker = new Taker(wire.socket, { seed, pace });
  wire.socket.write(`GET http://127.0.0.1:${origin.port}/${size}?${seed} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`);
  taker.socket = wire.socket;
  return taker;
}

module.exports = { firstWrong, bytesAt, streamOrigin, Taker, download };
