// origin.js: origins that note every byte they get. `script(socket, bytes)` is called with what has come so far on a
// connection and decides what is answered; `http(handler)` is an ordinary Node server. Both plain or with TLS, on port 0.
'use strict';
const net = require('node:net');
const tls = require('node:tls');
const http = require('node:http');
const https = require('node:https');
const { once } = require('node:events');
const { visible } = require('./wire');

async function listen(t, server, host) {
  const sockets = new Set();
  server.on(server instanceof tls.Server ? 'secureConnection' : 'connection', (s) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
    s.on('error', () => {}); // a client that goes away is part of many tests
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return server.address().port;
}

// A raw origin. onConnection(socket, connection) where connection.bytes grows; connections are all there were.
// connection.raw is the TCP socket below socket: with TLS, raw.end() ends without close_notify.
async function rawOrigin(t, onConnection, { cert, host = '127.0.0.1', ALPNProtocols } = {}) {
  const connections = [];
  const take = (socket, raw) => {
    const connection = { socket, raw, bytes: Buffer.alloc(0), ended: false, closed: false, hadError: null };
    connection.over = new Promise((resolve) => { socket.on('end', resolve).on('error', resolve).on('close', resolve); });
    connections.push(connection);
    socket.on('data', (d) => { connection.bytes = Buffer.concat([connection.bytes, d]); });
    socket.on('end', () => { connection.ended = true; });
    socket.on('error', (e) => { connection.hadError = e; });
    socket.on('close', () => { connection.closed = true; });
    onConnection(socket, connection);
  };
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    if (!cert) {
      take(raw, raw);
      return;
    }
    const socket = new tls.TLSSocket(visible(raw).duplex, {
      isServer: true, allowHalfOpen: true, secureContext: tls.createSecureContext({ key: cert.key, cert: cert.cert }), ALPNProtocols,
    });
    socket.on('error', () => {});
    socket.once('secure', () => take(socket, raw));
  });
  const port = await listen(t, server, host);
  return { port, connections, server };
}

// Answers each request head with a fixed answer. Requests with bodies: give a `script` instead.
function answerEach(answer) {
  return (socket, connection) => {
    let answered = 0;
    socket.on('data', () => {
      const heads = connection.bytes.toString('latin1').split('\r\n\r\n').length - 1;
      while (answered < heads) {
        answered++;
        socket.write(answer, 'latin1');
      }
    });
    socket.on('end', () => socket.end());
  };
}

// An ordinary HTTP origin; requests: { method, url, headers (raw), body, httpVersion } of each request.
async function httpOrigin(t, handler, { cert, host = '127.0.0.1' } = {}) {
  const requests = [];
  const take = (req, res) => {
    const chunks = [];
    req.on('data', (d) => chunks.push(d));
    req.on('end', () => {
      const seen = { method: req.method, url: req.url, rawHeaders: req.rawHeaders, headers: req.headers,
                     httpVersion: req.httpVersion, trailers: req.trailers, body: Buffer.concat(chunks) };
      requests.push(seen);
      handler(req, res, seen);
    });
  };
  const options = { keepAliveTimeout: 30000 };
  const server = cert ? https.createServer({ ...options, key: cert.key, cert: cert.cert }, take) : http.createServer(options, take);
  const port = await listen(t, server, host);
  return { port, requests, server };
}

module.exports = { rawOrigin, httpOrigin, answerEach };
