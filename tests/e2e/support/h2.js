// h2.js: HTTP/2 peers that note what they are told: origins (Node's http2, over TLS or plain), clients straight to
// them or through weir, a request as a promise of all that came of it, and a door for programs that know no proxy.
'use strict';
const fs = require('node:fs');
const http2 = require('node:http2');
const net = require('node:net');
const tls = require('node:tls');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { atEnd } = require('./weir');
const { tunnel } = require('./wire');

const STUCK_MS = 15000;

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
const pairs = (raw = []) => raw.flatMap((v, i) => (i % 2 ? [] : [[String(v), String(raw[i + 1])]]));

// An origin; onStream(stream, headers, seen), where seen = { version, fields: [[name, value], ...] as they came, sensitive, body,
// trailers, code, ended }: the last ones grow; seen.over: all has come. requests: of all connections; sessions: these.
// allowHTTP1: 'http/1.1' by ALPN too, to onRequest(req, res). plain: h2c with prior knowledge.
async function h2Origin(t, onStream, { cert, plain = false, onRequest, host = '127.0.0.1', port = 0, ...options } = {}) {
  const requests = [];
  const sessions = [];
  const server = plain ? http2.createServer(options) : http2.createSecureServer({ key: cert.key, cert: cert.cert, allowHTTP1: Boolean(onRequest), ...options });
  const sockets = new Set();
  server.on('connection', (s) => {
    sockets.add(s);
    s.on('error', () => {}).on('close', () => sockets.delete(s));
  });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers, flags, raw) => {
    const chunks = [];
    const seen = { version: 'h2', fields: pairs(raw), sensitive: headers[http2.sensitiveHeaders] || [], trailers: [], code: null, ended: false };
    seen.stream = stream;
    seen.session = stream.session;
    Object.defineProperty(seen, 'body', { get: () => Buffer.concat(chunks) });
    stream.on('error', () => {});
    stream.on('trailers', (h, f, list) => { seen.trailers = pairs(list); });
    seen.ending = new Promise((resolve) => stream.on('end', () => { seen.ended = true; resolve(); }).on('close', resolve));
    seen.over = new Promise((resolve) => stream.on('close', () => { seen.code = stream.rstCode; resolve(seen); }));
    requests.push(seen);
    if (onStream(stream, headers, seen) !== 'reads') stream.on('data', (d) => chunks.push(d));
  });
  if (onRequest) server.on('request', (req, res) => req.httpVersionMajor === 1 && onRequest(req, res));
  server.listen(port, host);
  await once(server, 'listening');
  atEnd(t, () => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return { port: server.address().port, requests, sessions, server, sockets };
}

// A socket for a client: straight to the origin, or through weir; TLS on it unless plain.
async function h2Socket(t, w, port, { through = true, plain = false, host = 'localhost', ALPNProtocols = ['h2'], ...options } = {}) {
  const raw = through ? await tunnel(t, w.weir, port, host) : net.connect({ port, host: '127.0.0.1', noDelay: true });
  t.after(() => raw.destroy());
  raw.on('error', () => {});
  if (plain) return raw;
  const ca = fs.readFileSync(through ? w.weir.ca : w.originCa.caFile);
  const socket = tls.connect({ socket: raw, servername: host, ALPNProtocols, ca, ...options });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

// A Node client; its session.ask(...) is ask below.
async function h2Client(t, w, port, { settings, ...options } = {}) {
  const socket = await h2Socket(t, w, port, options);
  const session = http2.connect(`${options.plain ? 'http' : 'https'}://${options.host || 'localhost'}:${port}`, { createConnection: () => socket, settings });
  session.on('error', () => {});
  t.after(() => session.destroy());
  if (session.connecting) await once(session, 'connect');
  session.ask = (headers, opts) => ask(session, headers, opts);
  return session;
}

// Sends a request; gives, when it is over: { status, fields, interim, body, trailers, code, error }. headers: an object or a path.
// body: bytes, or a function that is given the stream. begun(stream): to look at it meanwhile.
function ask(session, headers, { body, trailers, begun, reads = true, keeps = true, endStream } = {}) {
  const all = typeof headers === 'string' ? { ':path': headers } : headers;
  const stream = session.request(all, { endStream: endStream ?? (body === undefined && !trailers), waitForTrailers: Boolean(trailers) });
  const got = { status: null, fields: null, interim: [], trailers: [], code: null, error: null };
  const chunks = [];
  const hash = createHash('sha256');
  got.size = 0;
  if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  const done = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`stuck: ${JSON.stringify(all)} ${JSON.stringify(got)}`)), STUCK_MS);
    stream.on('headers', (h, f, raw) => got.interim.push(pairs(raw)));
    stream.on('response', (h, f, raw) => { got.status = h[':status']; got.fields = pairs(raw); });
    stream.on('trailers', (h, f, raw) => { got.trailers = pairs(raw); });
    stream.on('push', () => { got.pushed = true; });
    stream.on('error', (e) => { got.error = e.code; });
    stream.on('close', () => {
      clearTimeout(timer);
      got.code = stream.rstCode;
      if (keeps) got.body = Buffer.concat(chunks);
      got.digest = hash.digest('hex');
      resolve(got);
    });
  });
  if (reads)
    stream.on('data', (d) => {
      if (keeps) chunks.push(d);
      hash.update(d);
      got.size += d.length;
    });
  if (typeof body === 'function') body(stream);
  else if (body !== undefined || trailers) stream.end(body);
  if (begun) begun(stream, got);
  return done;
}

// What differs between a message that has passed through weir and one that has not: nothing, but the time.
const shown = (fields) => fields.map(([n, v]) => (n === 'date' ? [n, 'some time'] : [n, v]));

// A local port behind which is a tunnel of weir's to port, for programs that can't be told of a proxy.
async function door(t, w, port, host = 'localhost') {
  const server = net.createServer({ noDelay: true, pauseOnConnect: true }, async (inner) => {
    inner.on('error', () => {});
    try {
      const outer = await tunnel(t, w.weir, port, host);
      outer.on('error', () => inner.destroy()).on('close', () => inner.destroy());
      inner.on('close', () => outer.destroy());
      inner.pipe(outer);
      outer.pipe(inner);
    } catch {
      inner.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server.address().port;
}

module.exports = { h2Origin, h2Socket, h2Client, ask, digest, pairs, shown, door };
