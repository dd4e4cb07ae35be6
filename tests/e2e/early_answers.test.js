// An origin may answer before the request has ended: the client has the answer at once, and what becomes of the rest of
// the request is up to the origin.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');

test('early answers reach the client before its request has ended', async (t) => {
  const w = await world(t);

  await t.test('the origin goes on reading', () => w.compare(t, {
    script: (socket, connection) => {
      let answered = false;
      socket.on('data', () => {
        if (!answered) socket.write('HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno');
        answered = true;
      });
    },
    scenario: async (c) => {
      await c.write(request(c, 'POST', '/early', ['Content-Length: 10'], 'first')).until('\r\n\r\nno');
      c.write('last.');
      while (!c.origin().bytes.includes('last.')) await new Promise(setImmediate);
    },
    check: async ([row]) => {
      assert.equal(row.status, 413);
      assert.equal(row.state, 1);
      assert.equal(String(await w.weir.body(row.seq, 'request')), 'firstlast.');
    },
  }));

  await t.test('the origin closes', () => w.compare(t, {
    script: (socket) => socket.once('data', () => socket.end('HTTP/1.1 413 Too much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')),
    scenario: async (c) => {
      c.write(request(c, 'POST', '/early', ['Content-Length: 10'], 'first'));
      return { end: await c.end };
    },
    check: ([row]) => {
      assert.equal(row.status, 413);
      assert.match(row.error, /before the request had ended/);
    },
  }));

  await t.test('the origin streams back what it gets', () => w.compare(t, {
    script: (socket, connection) => {
      let head = true;
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        if (head) socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        socket.write(head ? text.slice(text.indexOf('\r\n\r\n') + 4) : text);
        head = false;
      });
    },
    scenario: async (c) => {
      await c.write(request(c, 'POST', '/echo', ['Transfer-Encoding: chunked'], '4\r\nping\r\n')).until('ping');
      await c.write('4\r\npong\r\n').until('pong');
      await c.write('0\r\n\r\n').until('0\r\n\r\n');
    },
    check: ([row]) => assert.equal(row.state, 1),
  }));

  await t.test('half-close by the client before an answer in many pieces', () => w.compare(t, {
    script: (socket, connection) => {
      socket.on('end', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n'));
      connection.send = (text) => socket.write(text);
    },
    scenario: async (c) => {
      await c.write(request(c, 'GET', '/half')).finish().until('\r\n\r\n');
      for (const piece of ['a', 'b', 'c']) {
        c.origin().send(piece);
        await c.until((wire) => wire.text.endsWith(piece));
      }
      c.origin().socket.end();
      return { end: await c.end };
    },
    check: ([row]) => assert.equal(row.state, 1),
  }));

  await t.test('half-close by the client: the origin is told, and its answer still arrives', () => w.compare(t, {
    script: (socket) => socket.on('end', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nafter')),
    scenario: async (c) => {
      c.write(request(c, 'GET', '/half')).finish();
      return { end: await c.end };
    },
    check: ([row]) => assert.equal(row.state, 1),
  }));
});
