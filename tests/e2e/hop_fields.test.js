// What speaks of one hop only stays there; everything else passes (RFC 9110 §7.6, RFC 9112 §3.2.2).
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');
const { answerEach, rawOrigin } = require('./support/origin');
const { connect } = require('./support/wire');

test('fields for one hop', async (t) => {
  const w = await world(t);
  const script = answerEach('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX: y\r\n\r\n');

  for (const [what, method, fields] of [
    ['of the connection to a proxy', 'GET', ['Proxy-Connection: keep-alive', 'X: y', 'Proxy-Authorization: Basic eDp5', 'Keep-Alive: 300']],
    ['that Connection lists', 'GET', ['X-Hop: 1', 'Connection: keep-alive, X-Hop,x-other', 'X-Other: 2', 'X-Stays: 3', 'X-HOP: again']],
    ['that Connection lists in vain', 'GET', ['Connection: host, content-length', 'X: y']],
    ['TE', 'GET', ['TE: gzip, trailers', 'Connection: TE']],
    ['TE: trailers', 'GET', ['TE: trailers', 'Connection: TE']],
    ['an upgrade to h2c', 'GET', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
    ['an upgrade that the origin does not take', 'GET', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: eA==']],
    ['Max-Forwards', 'OPTIONS', ['Max-Forwards: 5']],
    ['Max-Forwards of a method that has none', 'GET', ['Max-Forwards: 0']],
  ])
    await t.test(what, () => w.compare(t, {
      script,
      scenario: async (c) => { await c.write(request(c, method, '/hop', fields)).until('X: y\r\n\r\n'); },
      check: ([row]) => assert.deepEqual(row.request_headers.slice(1).map((pair) => pair.join(': ')), fields, 'recorded as sent'),
    }));

  await t.test('Max-Forwards: 0 is answered by weir', async () => {
    const origin = await rawOrigin(t, script);
    const c = await connect(t, w.weir.port);
    c.write(`TRACE http://127.0.0.1:${origin.port}/t HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nCookie: secret\r\nX: y\r\n\r\n`);
    await c.until('X: y\r\n\r\n');
    assert.match(c.text, /^HTTP\/1.1 200 [^]*message\/http[^]*\r\n\r\nTRACE [^]*Max-Forwards: 0\r\n/);
    assert.doesNotMatch(c.text, /secret/);
    assert.equal(origin.connections.length, 0);
  });

  await t.test('the target decides when Host says otherwise', async () => {
    const origin = await rawOrigin(t, script);
    const c = await connect(t, w.weir.port);
    c.write(`GET http://127.0.0.1:${origin.port}/h HTTP/1.1\r\nA: b\r\nHost: evil.example\r\n\r\n`);
    await c.until('X: y\r\n\r\n');
    assert.equal(String(origin.connections[0].bytes), `GET /h HTTP/1.1\r\nA: b\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`);
  });
});
