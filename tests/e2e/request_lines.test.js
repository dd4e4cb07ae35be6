// Methods and targets are the client's: any token, and any bytes that a request line may hold, reach the origin.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');
const { answerEach, rawOrigin } = require('./support/origin');
const { connect } = require('./support/wire');

const TARGETS = ['/', '/a//b/../c/./', '/%2e%2E/%00%zz?%', '/?', '/?a=1&a=1&&b', '/{x}|\\^`"<>', '/caf\xe9/\xff\x80', '/a;b=c:d@e?http://x/?y',
  '/' + 'p'.repeat(300) + '?' + 'q'.repeat(3000)];
const METHODS = ['get', 'PROPFIND', 'M-SEARCH', 'BREW', "!#$%&'*+-.^_`|~9", 'X'.repeat(40), 'DELETE', 'PURGE', 'PATCH'];

test('request lines pass as they were written', async (t) => {
  const w = await world(t);
  const script = answerEach('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');

  await t.test('targets with strange bytes', () => w.compare(t, {
    script,
    count: TARGETS.length,
    scenario: async (c) => {
      for (const [i, target] of TARGETS.entries()) {
        c.write(request(c, 'GET', target));
        await c.until((wire) => wire.text.split('\r\n\r\n').length === i + 2);
      }
    },
    check: (rows) => assert.deepEqual(rows.map((row) => row.path + (row.query === null ? '' : `?${row.query}`)), TARGETS),
  }));

  await t.test('methods that nobody knows', () => w.compare(t, {
    script,
    count: METHODS.length,
    scenario: async (c) => {
      for (const [i, method] of METHODS.entries()) {
        c.write(request(c, method, '/m'));
        await c.until((wire) => wire.text.split('\r\n\r\n').length === i + 2);
      }
    },
    check: (rows) => assert.deepEqual(rows.map((row) => row.method), METHODS),
  }));

  await t.test('OPTIONS of the server as a whole', () => w.compare(t, {
    on: ['inner', 'intercepted'],
    script,
    scenario: async (c) => { await c.write(`OPTIONS * HTTP/1.1\r\nHost: ${c.host}\r\n\r\n`).until('\r\n\r\n'); },
    check: ([row]) => assert.equal(row.path, '*'),
  }));

  await t.test('an absolute target without a path asks for "/", and OPTIONS for "*"', async () => {
    const origin = await rawOrigin(t, script);
    const c = await connect(t, w.weir.port);
    for (const [i, [method, rest]] of [['GET', ''], ['GET', '?q'], ['OPTIONS', ''], ['OPTIONS', '/']].entries()) {
      c.write(`${method} http://127.0.0.1:${origin.port}${rest} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`);
      await c.until((wire) => wire.text.split('\r\n\r\n').length === i + 2);
    }
    const lines = origin.connections[0].bytes.toString('latin1').match(/^\S+ \S+ HTTP.*$/gm);
    assert.deepEqual(lines, ['GET / HTTP/1.1', 'GET /?q HTTP/1.1', 'OPTIONS * HTTP/1.1', 'OPTIONS / HTTP/1.1']);
    await w.recorded(origin.port, 4);
  });
});
