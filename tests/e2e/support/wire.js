// wire.js: raw connections, plain or TLS, that tell exactly what came and how it ended: 'fin' (with TLS: after
// close_notify), 'cut' (TLS only: FIN without close_notify) or 'reset'.
'use strict';
const net = require('node:net');
const tls = require('node:tls');
const { Duplex } = require('node:stream');
const { once } = require('node:events');

// How long anything may take before it is called stuck: nothing waits for it but a test that fails.
const TIMEOUT_MS = 20000;

// A socket that TLS can be put on while its own bytes and its end stay visible: { duplex, records }.
function visible(raw) {
  const records = { rest: Buffer.alloc(0), last: null };
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() { raw.resume(); },
    write(chunk, encoding, done) { raw.writable ? raw.write(chunk, () => done()) : done(); },
    final(done) { raw.end(() => done()); },
    destroy(error, done) { raw.destroy(); done(error); },
  });
  raw.on('data', (chunk) => {
    records.rest = Buffer.concat([records.rest, chunk]);
    while (records.rest.length >= 5 && records.rest.length >= 5 + records.rest.readUInt16BE(3)) {
      records.last = { type: records.rest[0], length: records.rest.readUInt16BE(3) };
      records.rest = records.rest.subarray(5 + records.last.length);
    }
    if (!duplex.push(chunk)) raw.pause();
  });
  raw.on('end', () => duplex.push(null));
  raw.on('error', (error) => duplex.destroy(error));
  raw.on('close', () => duplex.destroy());
  return { duplex, records };
}

// close_notify is an alert of two bytes: TLS 1.2 says so, TLS 1.3 wraps it (RFC 8446 §5.2: type and tag, 17 bytes more).
function isAlert(record) {
  return record !== null && (record.type === 21 || (record.type === 23 && record.length === 19));
}

class Wire {
  constructor(raw, socket, records) {
    this.raw = raw;
    this.socket = socket; // raw itself, or the TLS on it
    this.bytes = Buffer.alloc(0);
    this.waiting = new Set();
    this.end = new Promise((resolve) => {
      let kind = null;
      let isRead = socket === raw; // all of what came has been decrypted and told
      const settle = () => kind && isRead && resolve(kind);
      const over = (how) => {
        kind ??= how;
        isRead ||= how === 'reset';
        settle();
      };
      raw.on('end', () => over(records && !isAlert(records.last) ? 'cut' : 'fin'));
      raw.on('error', (error) => over(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : error.code));
      raw.on('close', () => { isRead = true; over('closed'); });
      for (const event of ['end', 'close', 'error']) socket.on(event, () => { isRead = true; settle(); });
    });
    this.end.then((kind) => { this.kind = kind; this.wake(); });
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.wake();
    });
    socket.on('error', () => {}); // this.end tells
    raw.resume();
  }

  wake() { for (const check of [...this.waiting]) check(); }

  get text() { return this.bytes.toString('latin1'); }

  write(bytes) {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  // Waits for text, a number of bytes, or whatever a function of this wire finds true.
  until(what) {
    const found = typeof what === 'function' ? () => what(this)
      : typeof what === 'number' ? () => this.bytes.length >= what : () => this.text.includes(what);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(new Error(`not within ${TIMEOUT_MS} ms: ${what}\n${this.text.slice(-2000)}`)), TIMEOUT_MS);
      const done = (error) => {
        clearTimeout(timer);
        this.waiting.delete(check);
        if (error) reject(error);
        else resolve(this);
      };
      const check = () => {
        if (found()) done();
        else if (this.kind) done(new Error(`ended (${this.kind}) before: ${what}\n${this.text.slice(-2000)}`));
      };
      this.waiting.add(check);
      check();
    });
  }

  finish() { this.socket.end(); return this; }       // our half ends, cleanly
  cut() { this.raw.end(); return this; }             // FIN, and in TLS no close_notify before it
  reset() { this.raw.resetAndDestroy(); return this; }
}

async function connect(t, port, host = '127.0.0.1') {
  const raw = net.connect({ port, host, allowHalfOpen: true, noDelay: true });
  t.after(() => raw.destroy());
  await once(raw, 'connect');
  return new Wire(raw, raw, null);
}

// TLS on a socket that is connected (a tunnel of weir's, or straight to the origin). options as for tls.connect.
async function secure(raw, options) {
  const { duplex, records } = visible(raw);
  const socket = tls.connect({ socket: duplex, servername: 'localhost', allowHalfOpen: true, ...options });
  const wire = new Wire(raw, socket, records);
  await once(socket, 'secureConnect');
  return wire;
}

// Asks weir for a tunnel; the socket is as if it were connected to host:port itself.
async function tunnel(t, weir, port, host = '127.0.0.1') {
  const raw = net.connect({ port: weir.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  t.after(() => raw.destroy());
  raw.on('error', () => {});
  raw.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const [first] = await once(raw, 'data');
  raw.pause();
  if (!/^HTTP\/1.1 200 [^\r]*\r\n\r\n$/.test(first.toString('latin1'))) throw new Error(`CONNECT: ${first}`);
  return raw;
}

module.exports = { Wire, connect, secure, tunnel, visible };
