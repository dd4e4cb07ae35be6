// Chunked bodies pass chunk by chunk: borders, sizes as they were written, extensions and trailers.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');

const CHUNKED = '5\r\nhello\r\n006;name=value;x="a;b"\r\n world\r\nA\r\n0123456789\r\n1;y\r\n!\r\n0;last=1\r\nX-Sum: abc\r\nx-Sum:  def \r\n\r\n';
const PLAIN = 'hello world0123456789!';

test('chunks, extensions and trailers pass as they were', async (t) => {
  const w = await world(t);

  await t.test('upwards', () => w.compare(t, {
    script: (socket, connection) => socket.on('data', () => {
      if (connection.bytes.includes('def \r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }),
    scenario: async (c) => {
      await c.write(request(c, 'POST', '/up', ['Trailer: X-Sum', 'Transfer-Encoding: chunked'], CHUNKED)).until('\r\n\r\nok');
    },
    check: async ([row]) => {
      assert.equal(row.request_bytes, PLAIN.length);
      assert.deepEqual(row.request_trailers, [['X-Sum', 'abc'], ['x-Sum', 'def']]);
      assert.equal(String(await w.weir.body(row.seq, 'request')), PLAIN);
    },
  }));

  await t.test('upwards in single bytes', () => w.compare(t, {
    script: (socket, connection) => socket.on('data', () => {
      if (connection.bytes.includes('def \r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }),
    scenario: async (c) => {
      for (const byte of Buffer.from(request(c, 'POST', '/up', ['Transfer-Encoding: chunked'], CHUNKED), 'latin1'))
        await new Promise((done) => c.socket.write(Buffer.of(byte), done));
      await c.until('\r\n\r\nok');
    },
  }));

  await t.test('downwards', () => w.compare(t, {
    script: (socket) => socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${CHUNKED}`)),
    scenario: async (c) => { await c.write(request(c, 'GET', '/down')).until('def \r\n\r\n'); },
    check: async ([row]) => {
      assert.equal(row.response_bytes, PLAIN.length);
      assert.deepEqual(row.response_trailers, [['X-Sum', 'abc'], ['x-Sum', 'def']]);
      assert.equal(String(await w.weir.body(row.seq)), PLAIN);
    },
  }));

  await t.test('downwards in single bytes', () => w.compare(t, {
    script: (socket) => socket.on('data', async () => {
      for (const byte of Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`))
        await new Promise((done) => socket.write(Buffer.of(byte), done));
    }),
    scenario: async (c) => { await c.write(request(c, 'GET', '/down')).until('def \r\n\r\n'); },
  }));
});
