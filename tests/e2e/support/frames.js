// frames.js: HTTP/2 by hand (RFC 9113 §4, RFC 7541 without compression), for peers that break the rules.
'use strict';

const TYPES = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE', 'CONTINUATION'];
const TYPE = Object.fromEntries(TYPES.map((name, i) => [name, i]));
const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 };
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const u32 = (...values) => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((v, i) => bytes.writeUInt32BE(v >>> 0, 4 * i));
  return bytes;
};

// length: what the frame says of itself, when that is not so.
function frame(type, flags, id, payload = Buffer.alloc(0), length = payload.length) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = typeof type === 'string' ? TYPE[type] : type;
  head[4] = flags;
  head.writeUInt32BE(id >>> 0, 5);
  return Buffer.concat([head, payload]);
}

const settings = (...entries) => frame('SETTINGS', 0, 0, Buffer.concat(entries.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]))));
const settingsAck = () => frame('SETTINGS', FLAG.ACK, 0);
const rst = (id, code) => frame('RST_STREAM', 0, id, u32(code));
const goaway = (last, code) => frame('GOAWAY', 0, 0, u32(last, code));
const windowUpdate = (id, size) => frame('WINDOW_UPDATE', 0, id, u32(size));
const data = (id, bytes, isLast) => frame('DATA', isLast ? FLAG.END_STREAM : 0, id, Buffer.from(bytes));

// An integer in the low bits of its first byte (RFC 7541 §5.1).
function integer(value, bits, first) {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  for (value -= most; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

const string = (text) => Buffer.concat([integer(Buffer.byteLength(text, 'latin1'), 7, 0), Buffer.from(text, 'latin1')]);

// Fields, each literal: not indexed, or, with indexed, added to the table.
function hpack(fields, indexed = false) {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([indexed ? 0x40 : 0]), string(name), string(value)])));
}

const fieldsOf = (path, more = [], method = 'GET') => [[':method', method], [':scheme', 'https'], [':path', path], [':authority', 'localhost'], ...more];

// A request's head; isLast: END_STREAM.
const request = (id, path, { isLast = true, more = [], method = 'GET' } = {}) =>
  frame('HEADERS', FLAG.END_HEADERS | (isLast ? FLAG.END_STREAM : 0), id, hpack(fieldsOf(path, more, method)));
const response = (id, status, { isLast = false, more = [] } = {}) =>
  frame('HEADERS', FLAG.END_HEADERS | (isLast ? FLAG.END_STREAM : 0), id, hpack([[':status', String(status)], ...more]));

// What of bytes is whole frames: { frames: [{ type, flags, id, payload }], rest }.
function parse(bytes) {
  const frames = [];
  while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
    const length = bytes.readUIntBE(0, 3);
    const one = { type: TYPES[bytes[3]] ?? bytes[3], flags: bytes[4], id: bytes.readUInt32BE(5), payload: bytes.subarray(9, 9 + length) };
    if (one.type === 'GOAWAY') Object.assign(one, { last: one.payload.readUInt32BE(0), code: one.payload.readUInt32BE(4), text: String(one.payload.subarray(8)) });
    if (one.type === 'RST_STREAM') one.code = one.payload.readUInt32BE(0);
    frames.push(one);
    bytes = bytes.subarray(9 + length);
  }
  return { frames, rest: bytes };
}

// One end of a connection, on a socket: notes frames; on(frame) is called with each. SETTINGS are acknowledged, windows are
// opened wide at the start, unless it is told to be rude. hasPreface: a client's, false when that has been said, or is not to be.
class Peer {
  constructor(socket, { isClient = true, hasPreface = isClient, on = () => {}, isRude = false, settings: own = [[3, 1000]] } = {}) {
    this.socket = socket;
    this.frames = [];
    this.closed = false;
    this.waiting = new Set();
    let rest = Buffer.alloc(0);
    let toSkip = isClient ? 0 : PREFACE.length;
    socket.on('data', (bytes) => {
      const skipped = Math.min(toSkip, bytes.length);
      toSkip -= skipped;
      const parsed = parse(Buffer.concat([rest, bytes.subarray(skipped)]));
      rest = parsed.rest;
      for (const one of parsed.frames) {
        this.frames.push(one);
        if (one.type === 'SETTINGS' && !(one.flags & FLAG.ACK) && !isRude) this.write(settingsAck());
        on(one, this);
      }
      this.wake();
    });
    socket.on('error', () => {});
    const over = () => { this.closed = true; this.wake(); };
    socket.on('end', over).on('close', over);
    if (hasPreface) this.write(PREFACE);
    if (own) this.write(settings(...own));
    if (!isRude) this.write(windowUpdate(0, 2 ** 30));
  }

  write(...parts) {
    if (this.socket.writable) this.socket.write(Buffer.concat(parts));
    return this;
  }

  wake() { for (const check of [...this.waiting]) check(); }

  // The first frame, of those there are or will be, for which found(frame) holds; null when the connection ended before.
  until(found, what = String(found), timeout = 20000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.waiting.delete(check); reject(new Error(`not within ${timeout} ms: ${what}`)); }, timeout);
      const check = () => {
        const one = this.frames.find(found);
        if (!one && !this.closed) return;
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve(one ?? null);
      };
      this.waiting.add(check);
      check();
    });
  }

  ended() { return this.until(() => false, 'the end'); }
  goaway() { return this.until((f) => f.type === 'GOAWAY', 'GOAWAY'); }
  rst(id) { return this.until((f) => f.type === 'RST_STREAM' && f.id === id, `RST_STREAM of ${id}`); }
  last(id) { return this.until((f) => f.id === id && ['DATA', 'HEADERS'].includes(f.type) && f.flags & FLAG.END_STREAM, `the end of ${id}`); }
}

module.exports = { FLAG, PREFACE, frame, settings, settingsAck, rst, goaway, windowUpdate, data, hpack, integer, string, fieldsOf, request, response, parse, u32, Peer };
