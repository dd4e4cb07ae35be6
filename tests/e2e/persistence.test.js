// How long a connection lasts is between the client and the origin: HTTP/1.0, keep-alive, close, and pipelines.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');
const { answerEach } = require('./support/origin');

test('connections last as long as client and origin say', async (t) => {
  const w = await world(t);

  await t.test('HTTP/1.0 without keep-alive ends after the answer', () => w.compare(t, {
    script: (socket) => socket.on('data', () => socket.end('HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nuntil the end')),
    scenario: async (c) => {
      c.write(`GET ${c.target('/old')} HTTP/1.0\r\n\r\n`);
      return { end: await c.end };
    },
    check: ([row]) => {
      assert.equal(row.request_version, 10);
      assert.equal(row.response_version, 10);
      assert.equal(row.response_bytes, 13);
    },
  }));

  await t.test('HTTP/1.0 with keep-alive goes on', () => w.compare(t, {
    script: answerEach('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'),
    count: 2,
    scenario: async (c) => {
      const one = `GET ${c.target('/old')} HTTP/1.0\r\nHost: ${c.host}\r\nConnection: Keep-Alive\r\n\r\n`;
      await c.write(one).until('\r\n\r\nok');
      await c.write(one).until(/* both answers */ (wire) => wire.text.split('\r\n\r\nok').length === 3);
    },
  }));

  await t.test('a request that says close is the last', () => w.compare(t, {
    script: (socket) => socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')),
    scenario: async (c) => {
      c.write(request(c, 'GET', '/last', ['Connection: close']));
      return { end: await c.end };
    },
  }));

  await t.test('an answer that says close is the last', () => w.compare(t, {
    script: (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')),
    scenario: async (c) => {
      c.write(request(c, 'GET', '/last'));
      return { end: await c.end };
    },
  }));

  await t.test('fifty requests in one write are answered in their order', () => w.compare(t, {
    script: (socket, connection) => {
      let told = 0;
      socket.on('data', () => {
        const paths = [...connection.bytes.toString('latin1').matchAll(/^\S+ \S*(\/n\d+) /gm)].map((m) => m[1]);
        const whole = connection.bytes.toString('latin1').split('\r\n\r\n').length - 1;
        for (; told < whole; told++) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${paths[told].length}\r\n\r\n${paths[told]}`);
      });
    },
    count: 50,
    scenario: async (c) => {
      c.write(Array.from({ length: 50 }, (_, i) => request(c, 'GET', `/n${i + 1}`)).join(''));
      await c.until('\r\n\r\n/n50');
    },
    check: (rows) => assert.deepEqual(rows.map((row) => row.path), Array.from({ length: 50 }, (_, i) => `/n${i + 1}`)),
  }));

  await t.test('a pipeline with bodies keeps them apart', () => w.compare(t, {
    script: (socket, connection) => {
      let told = 0;
      socket.on('data', () => {
        const whole = connection.bytes.toString('latin1').split('<end>').length - 1;
        for (; told < whole; told++) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
      });
    },
    count: 3,
    scenario: async (c) => {
      c.write(request(c, 'POST', '/1', ['Content-Length: 8'], 'one<end>') +
        request(c, 'POST', '/2', ['Transfer-Encoding: chunked'], '8\r\ntwo<end>\r\n0\r\n\r\n') +
        request(c, 'GET', '/3', ['X: <end>']));
      await c.until((wire) => wire.text.split('\r\n\r\nx').length === 4);
    },
    check: async (rows) => {
      assert.deepEqual(rows.map((row) => [row.path, row.request_bytes]), [['/1', 8], ['/2', 8], ['/3', 0]]);
      assert.equal(String(await w.weir.body(rows[0].seq, 'request')), 'one<end>');
      assert.equal(String(await w.weir.body(rows[1].seq, 'request')), 'two<end>');
    },
  }));
});
