// origin.js: the origins of the soak: HTTP/1 plain, HTTP/1 and HTTP/2 in TLS. What is answered follows from the target alone, so that
// clients know what is right:
//   GET /text/SIZE/ID         "ID ID ID ..." up to SIZE
//   GET /big/SIZE/SEED/ID     the bytes of stream.js: few seeds, so that hours of them do not fill a disk
//   GET /slow/COUNT/ID        so many chunks, one every 50 ms
//   GET /events/COUNT/ID      so many events, one every 100 ms
//   GET /cookie/NUMBER/ID     one of 50 cookies with one of 20 values
//   GET /reset/ID, /cut/ID    an answer whose second half never comes: RST, or FIN
//   POST /sum/ID              SHA-256 of what was posted
//   WebSocket /ws/ID          what is said comes back
'use strict';
const http = require('node:http');
const http2 = require('node:http2');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { WebSocketServer } = require('ws');
const { bytesAt } = require('../e2e/support/stream');

const text = (id, size) => `${id} `.repeat(Math.ceil(size / (id.length + 1))).slice(0, size);
const HALF = 100 * 1000;

// Writes turn after turn what next() gives, until that is null or the answer is gone.
function trickle(res, ms, next) {
  const timer = setInterval(() => {
    const bytes = next();
    if (bytes !== null) {
      res.write(bytes);
      return;
    }
    clearInterval(timer);
    res.end();
  }, ms);
  res.on('close', () => clearInterval(timer));
}

function counted(count, make) {
  let n = 0;
  return () => (n < count ? make(n++) : null);
}

const answers = {
  text: (req, res, [size, id]) => res.end(text(id, Number(size))),
  big(req, res, [size, seed]) {
    let sent = 0;
    res.writeHead(200, { 'Content-Length': size });
    const more = () => {
      while (sent < size) {
        const bytes = bytesAt(sent, Number(seed)).subarray(0, size - sent);
        sent += bytes.length;
        if (!res.write(bytes)) {
          res.once('drain', more);
          return;
        }
      }
      res.end();
    };
    more();
  },
  slow: (req, res, [count, id]) => trickle(res, 50, counted(Number(count), (n) => `${id} ${n}\n`)),
  events(req, res, [count, id]) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    trickle(res, 100, counted(Number(count), (n) => `id: ${n}\ndata: ${id}\n\n`));
  },
  cookie(req, res, [number, id]) {
    res.setHeader('Set-Cookie', `c${number % 50}=${number % 20}; Path=/; Max-Age=3600`);
    res.end(text(id, 100));
  },
  reset(req, res) {
    res.writeHead(200, { 'Content-Length': 2 * HALF });
    res.write('x'.repeat(HALF), () => (res.stream ? res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR) : res.socket.destroy(new Error('reset'))));
  },
  cut(req, res) {
    res.writeHead(200, { 'Content-Length': 2 * HALF });
    res.write('x'.repeat(HALF), () => (res.stream ? res.stream.close(http2.constants.NGHTTP2_CANCEL) : res.socket.end()));
  },
  sum(req, res) {
    const hash = createHash('sha256');
    req.on('data', (d) => hash.update(d)).on('end', () => res.end(hash.digest('hex')));
  },
};

function handle(req, res) {
  const [, kind, ...rest] = req.url.split('/');
  res.on('error', () => {});
  req.on('error', () => {});
  if (kind !== 'sum') req.resume();
  (answers[kind] || answers.text)(req, res, rest);
}

// { port, close() }. cert: with TLS.
async function startOrigin(cert) {
  // Not the one that closes first: a POST that meets a closed connection is not sent again, as it must not be.
  const options = { keepAliveTimeout: 300000, requestTimeout: 0, headersTimeout: 0, connectionsCheckingInterval: 3600000 };
  // What Node.js keeps unsent for a connection; it resets further streams, and here all clients' streams are on one.
  const maxSessionMemory = 200;
  const server = cert ? http2.createSecureServer({ ...options, maxSessionMemory, key: cert.key, cert: cert.cert, allowHTTP1: true, peerMaxConcurrentStreams: 100 }, handle)
    : http.createServer(options, handle);
  const sockets = new Set();
  if (cert) Object.assign(server, options); // HTTP/1 beside HTTP/2 reads them there
  const talk = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => talk.handleUpgrade(req, socket, head, (ws) => {
    ws.on('error', () => {}).on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  }));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('sessionError', () => {}).on('tlsClientError', () => {}).on('clientError', (e, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

module.exports = { startOrigin, text };
