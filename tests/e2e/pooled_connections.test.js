// Connections to origins are shared by requests, and one that has died meanwhile costs the client nothing: what may be
// sent again is, once; what may not never is. A connection that was logged in belongs to its client.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { rawOrigin } = require('./support/origin');
const { connect } = require('./support/wire');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const ask = (port, method, path, fields = '', body = '') =>
  `${method} http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}\r\n${body}`;

test('pooled connections', async (t) => {
  const w = await world(t);
  // An origin whose first connection answers once and dies at the second request, without a byte of an answer.
  const dying = async () => {
    let first = true;
    return rawOrigin(t, (socket) => {
      const isFirst = first;
      let count = 0;
      first = false;
      socket.on('data', () => (++count === 2 && isFirst ? socket.destroy() : socket.write(OK)));
    });
  };

  await t.test('a GET on a dead connection is sent again, once', async () => {
    const origin = await dying();
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    await c.write(ask(origin.port, 'GET', '/2')).until((wire) => wire.text === OK + OK);
    assert.equal(origin.connections.length, 2);
    const rows = await w.recorded(origin.port, 2);
    assert.deepEqual(rows.map((row) => [row.state, row.attempts, row.flags & 2]), [[1, 1, 0], [1, 2, 2]]);
  });

  await t.test('a PUT with a body is sent again whole', async () => {
    const origin = await dying();
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    await c.write(ask(origin.port, 'PUT', '/2', 'Content-Length: 4\r\n', 'body')).until((wire) => wire.text === OK + OK);
    assert.match(String(origin.connections[1].bytes), /^PUT \/2 [^]*\r\n\r\nbody$/);
  });

  await t.test('a POST is not, and the client sees the cut', async () => {
    const origin = await dying();
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    c.write(ask(origin.port, 'POST', '/2', 'Content-Length: 4\r\n', 'body'));
    await c.end;
    assert.equal(c.text, OK);
    assert.equal(origin.connections.length, 1);
    const rows = await w.recorded(origin.port, 2);
    assert.equal(rows[1].state, 2);
  });

  await t.test('nor is a GET whose answer has begun', async () => {
    const origin = await rawOrigin(t, (socket) => {
      let count = 0;
      socket.on('data', () => {
        if (++count === 1) socket.write(OK);
        else socket.end('HTTP/1.1 2');
      });
    });
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    c.write(ask(origin.port, 'GET', '/2'));
    await c.end;
    assert.equal(origin.connections.length, 1);
  });

  await t.test('a connection that the origin closed while idle is not used', async () => {
    const origin = await rawOrigin(t, (socket) => socket.on('data', () => socket.write(OK)));
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    origin.connections[0].socket.end();
    await origin.connections[0].over;
    await c.write(ask(origin.port, 'POST', '/2', 'Content-Length: 0\r\n')).until((wire) => wire.text === OK + OK);
    assert.equal(origin.connections.length, 2);
  });

  await t.test('one that the origin will close soon is closed first', async () => {
    const origin = await rawOrigin(t, (socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: max=9, timeout=1\r\n\r\nok')));
    const c = await connect(t, w.weir.port);
    await c.write(ask(origin.port, 'GET', '/1')).until('\r\n\r\nok');
    await origin.connections[0].over;
    assert.equal(c.socket.readyState, 'open');
  });

  await t.test('a login that belongs to a connection is not shared', async () => {
    const origin = await rawOrigin(t, (socket, connection) => {
      let count = 0;
      socket.on('data', () => {
        count++;
        if (connection.bytes.includes('NTLM final')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalice');
        else if (count === 1) socket.write('HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n');
        else socket.write('HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM challenge\r\nContent-Length: 0\r\n\r\n');
      });
    });
    const alice = await connect(t, w.weir.port);
    const heads = (n) => (wire) => wire.text.split('\r\n\r\n').length === n + 1;
    await alice.write(ask(origin.port, 'GET', '/')).until(heads(1));
    await alice.write(ask(origin.port, 'GET', '/', 'Authorization: NTLM hello\r\n')).until(heads(2));
    await alice.write(ask(origin.port, 'GET', '/', 'Authorization: NTLM final\r\n')).until('alice');
    await alice.write(ask(origin.port, 'GET', '/again')).until((wire) => wire.text.split('alice').length === 3);
    assert.equal(origin.connections.length, 1, 'all on one connection');
    const eve = await connect(t, w.weir.port);
    await eve.write(ask(origin.port, 'GET', '/')).until('\r\n\r\n');
    assert.match(eve.text, /^HTTP\/1.1 401 /);
    assert.equal(origin.connections.length, 2);
    alice.finish();
    await origin.connections[0].over;
  });
});
