// greeted.js: an HTTPS origin that notes how it is greeted: the ClientHello, and the first frames of HTTP/2.
'use strict';
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const tls = require('node:tls');
const { Duplex } = require('node:stream');
const { once } = require('node:events');
const { parseHello } = require('./hello');
const { visible } = require('./wire');

const PREFACE_BYTES = 24;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const HEADERS = 1;

// What an HTTP/2 client says of itself before its first request: { settings: [[id, value]...], increments }, null: not yet all of it.
function parseProfile(bytes) {
  const profile = { settings: null, increments: [] };
  for (let at = PREFACE_BYTES; bytes.length >= at + 9;) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3];
    const isAck = (bytes[at + 4] & 1) === 1;
    const stream = bytes.readUInt32BE(at + 5);
    const body = bytes.subarray(at + 9, at + 9 + length);
    if (type === HEADERS) return profile;
    if (bytes.length < at + 9 + length) return null;
    if (type === SETTINGS && !isAck && profile.settings === null) {
      profile.settings = [];
      for (let i = 0; i < length; i += 6) profile.settings.push([body.readUInt16BE(i), body.readUInt32BE(i + 2)]);
    }
    if (type === WINDOW_UPDATE && stream === 0) profile.increments.push(body.readUInt32BE(0));
    at += 9 + length;
  }
  return null;
}

// A socket's bytes, with the ones that came noted by note(chunk).
function noted(socket, note) {
  const duplex = new Duplex({
    read() { socket.resume(); },
    write(chunk, encoding, done) { socket.write(chunk, encoding, () => done()); },
    final(done) { socket.end(() => done()); },
    destroy(error, done) { socket.destroy(); done(error); },
  });
  socket.on('data', (chunk) => {
    note(chunk);
    if (!duplex.push(chunk)) socket.pause();
  });
  socket.on('end', () => duplex.push(null));
  socket.on('error', () => duplex.destroy());
  socket.on('close', () => duplex.destroy());
  return duplex;
}

// options: tls.createSecureContext's and TLSSocket's. alpn: what it chooses from, in its order. answer(req, res): Node's.
// greetings: one a connection: { hello, tls: { protocol, cipher, alpn, resumed, cert, authorized }, error, profile, pseudo, requests, keylog }.
async function greetedOrigin(t, cert, { alpn = ['http/1.1'], answer = (req, res) => req.resume().on('end', () => res.end('ok')), ...options } = {}) {
  const greetings = [];
  const sockets = new Set();
  const secureContext = tls.createSecureContext({ key: cert.key, cert: cert.cert, ...options });
  const h1 = http.createServer(answer);
  const of = new WeakMap();
  const h2 = http2.createServer({ settings: options.settings }, answer);
  h2.on('stream', (stream, headers, flags, raw) => {
    const greeting = of.get(stream.session);
    if (greeting) greeting.pseudo ??= raw.filter((name, i) => i % 2 === 0 && name.startsWith(':')).map((name) => name[1]).join('');
  });
  h2.on('sessionError', () => {});
  const handshake = (raw, greeting) => {
    const socket = new tls.TLSSocket(raw, { isServer: true, ALPNProtocols: alpn, ...options, secureContext });
    socket.on('error', (error) => { greeting.error ??= error.code ?? error.message; });
    socket.on('keylog', (line) => greeting.keylog.push(line.toString().trim()));
    socket.once('secure', () => {
      greeting.tls = { protocol: socket.getProtocol(), cipher: socket.getCipher().standardName, alpn: socket.alpnProtocol, resumed: socket.isSessionReused(),
                       cert: socket.getPeerCertificate()?.subject?.CN };
      const verifyError = options.requestCert && socket._handle.verifyError();
      greeting.tls.authorized = options.requestCert ? !verifyError : undefined;
      if (options.requestCert && options.rejectUnauthorized && verifyError) {
        socket.destroy();
        return;
      }
      if (socket.alpnProtocol !== 'h2') {
        h1.emit('connection', socket);
        return;
      }
      const seen = [];
      const duplex = noted(socket, (chunk) => {
        if (greeting.profile) return;
        seen.push(chunk);
        greeting.profile = parseProfile(Buffer.concat(seen));
      });
      h2.once('session', (session) => of.set(session, greeting));
      h2.emit('connection', duplex);
    });
  };
  const server = net.createServer({ noDelay: true }, (raw) => {
    const greeting = { raw, hello: null, tls: null, error: null, profile: null, pseudo: null, keylog: [] };
    greetings.push(greeting);
    sockets.add(raw);
    raw.on('close', () => sockets.delete(raw));
    raw.on('error', () => {});
    let begun = Buffer.alloc(0);
    const listen = (chunk) => {
      begun = Buffer.concat([begun, chunk]);
      if (begun[0] === 0x16 && !(greeting.hello = parseHello(begun))) return;
      raw.off('data', listen);
      raw.pause();
      raw.unshift(begun);
      handshake(visible(raw).duplex, greeting);
    };
    raw.on('data', listen);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: server.address().port, greetings, secureContext };
}

module.exports = { greetedOrigin };
