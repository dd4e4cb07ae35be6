// Where an answer ends: without a body (HEAD, 204, 304), at its length, or with the connection.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');
const { answerEach } = require('./support/origin');

test('answers end where the origin ended them', async (t) => {
  const w = await world(t);
  const twice = (method, path, fields) => async (c) => {
    await c.write(request(c, method, path, fields)).until('\r\n\r\n');
    await c.write(request(c, method, path, fields)).until((wire) => wire.text.split('\r\n\r\n').length === 3);
  };

  for (const [what, method, answer] of [
    ['HEAD with a length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
    ['HEAD with chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['HEAD with neither', 'HEAD', 'HTTP/1.1 200 OK\r\nX: y\r\n\r\n'],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n'],
    ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1000\r\n\r\n'],
    ['a length of 0', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ])
    await t.test(`${what}, and the connection goes on`, () => w.compare(t, {
      script: answerEach(answer), scenario: twice(method, '/none'), count: 2,
      check: ([row]) => {
        assert.equal(row.state, 1);
        assert.equal(row.response_bytes, 0);
        assert.equal(row.response_body, null);
      },
    }));

  for (const [what, end] of [['with close_notify', (c) => c.socket.end()], ['without close_notify', (c) => c.raw.end()]])
    await t.test(`an answer that lasts until the close, ${what}`, () => w.compare(t, {
      script: (socket, connection) => {
        socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nX: y\r\n\r\nsome of it, '));
        connection.finish = () => socket.write('the rest', () => end(connection));
      },
      scenario: async (c) => {
        await c.write(request(c, 'GET', '/close')).until('some of it, ');
        c.origin().finish();
        return { end: await c.end };
      },
      check: async ([row], way) => {
        assert.equal(row.state, 1);
        assert.equal(String(await w.weir.body(row.seq)), 'some of it, the rest');
        assert.equal((row.flags & 8) !== 0, way === 'intercepted' && what === 'without close_notify', 'flagged');
      },
    }));
});
