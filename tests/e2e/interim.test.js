// Expect: 100-continue and interim answers are the origin's to give: they pass, none is made up.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');

test('interim answers are the origin\'s', async (t) => {
  const w = await world(t);
  const FIELDS = ['Expect: 100-continue', 'Content-Length: 4'];

  await t.test('100 comes from the origin before the body is sent', () => w.compare(t, {
    script: (socket, connection) => {
      let asked = false;
      socket.on('data', () => {
        const text = connection.bytes.toString('latin1');
        if (!asked && text.includes('\r\n\r\n')) {
          asked = true;
          connection.bodyAtHead = text.split('\r\n\r\n')[1];
          socket.write('HTTP/1.1 100 Go on\r\nX-Interim: yes\r\n\r\n');
        }
        if (text.endsWith('body')) socket.write('HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok');
      });
    },
    scenario: async (c) => {
      await c.write(request(c, 'PUT', '/expect', FIELDS)).until('X-Interim: yes\r\n\r\n');
      await c.write('body').until('\r\n\r\nok');
      return { bodyAtHead: c.origin().bodyAtHead };
    },
    check: ([row]) => {
      assert.equal(row.status, 201);
      assert.deepEqual(row.interim, [[100, [['X-Interim', 'yes']]]]);
    },
  }));

  await t.test('417 refuses, and the body is never sent', () => w.compare(t, {
    script: (socket, connection) => socket.on('data', () => {
      if (connection.bytes.includes('\r\n\r\n')) socket.end('HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    }),
    scenario: async (c) => {
      c.write(request(c, 'PUT', '/refused', FIELDS));
      return { end: await c.end };
    },
    check: ([row]) => assert.equal(row.status, 417),
  }));

  await t.test('a client that does not wait for 100', () => w.compare(t, {
    script: (socket, connection) => socket.on('data', () => {
      if (connection.bytes.toString('latin1').endsWith('body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }),
    scenario: async (c) => { await c.write(request(c, 'PUT', '/now', FIELDS, 'body')).until('\r\n\r\nok'); },
  }));

  await t.test('early hints reach the client before the answer is made', () => w.compare(t, {
    script: (socket, connection) => {
      socket.on('data', () => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'));
      connection.answer = () => socket.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    },
    scenario: async (c) => {
      await c.write(request(c, 'GET', '/hints')).until('preload\r\n\r\n');
      c.origin().answer();
      await c.until('\r\n\r\nok');
    },
    check: ([row]) => assert.deepEqual(row.interim, [[103, [['Link', '</a.css>; rel=preload']]], [102, []]]),
  }));
});
