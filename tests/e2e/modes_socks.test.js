// SOCKS: every version that curl speaks, on a listener of that mode and on the ordinary one, which knows it by its first byte.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { rawOrigin, answerEach } = require('./support/origin');
const { connect, talk } = require('./support/client');
const { ports, curl, sameCurl } = require('./support/modes');

const ANSWER = 'HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 5\r\n\r\nhello';
const VERSIONS = ['--socks5', '--socks5-hostname', '--socks4', '--socks4a'];
const LISTEN = ['--listen', 'socks5@127.0.0.1:0', '--listen', '127.0.0.1:0'];

// What weir answers to a handshake that it grants, and, but for its number, to one that it does not.
const reply = (code) => `\x05\x00\x05${String.fromCharCode(code)}\x00\x01${'\x00'.repeat(6)}`;
const GRANTED = reply(0);

// A SOCKS5 greeting without a password and a request for 127.0.0.1:port.
function handshake(port, command = 1) {
  return Buffer.from([5, 1, 0, 5, command, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]);
}

test('every version of SOCKS, on a listener of its own and on the ordinary one', async (t) => {
  const w = await world(t, LISTEN);
  const [socks, ordinary] = await ports(w.weir, 2);

  for (const version of VERSIONS)
    for (const [where, port] of [['its own', socks], ['the ordinary one', ordinary]])
      for (const scheme of ['http', 'https'])
        await t.test(`${version} to ${scheme} on ${where}`, async () => {
          const isTls = scheme === 'https';
          const origin = await rawOrigin(t, answerEach(ANSWER), { cert: isTls ? w.cert : undefined });
          await sameCurl(origin, [`${scheme}://localhost:${origin.port}/a/b?c=d`, '-4', '-H', 'X-oDD:  kept'], {
            direct: isTls ? ['--cacert', w.originCa.caFile] : [],
            proxied: [version, `127.0.0.1:${port}`, ...(isTls ? ['--cacert', w.weir.ca] : [])],
          });
          const [row] = await w.recorded(origin.port);
          assert.deepEqual([row.state, row.method, row.scheme, row.host, row.path, row.query, row.status, row.error],
            [1, 'GET', scheme, 'localhost', '/a/b', 'c=d', 200, null]);
          assert.equal(String(await w.weir.body(row.seq)), 'hello');
        });
});

test('what a client sends ahead of the replies is the origin\'s', async (t) => {
  const w = await world(t, LISTEN);
  const [socks] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const request = `GET /ahead HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nConnection: close\r\n\r\n`;
  const wire = await connect(t, socks);
  wire.socket.write(Buffer.concat([handshake(origin.port), Buffer.from(request)]));
  await wire.has('hello');
  assert.equal(wire.text, GRANTED + ANSWER);
  assert.equal(origin.connections[0].bytes.toString('latin1'), request);
});

test('bytes that come one by one', async (t) => {
  const w = await world(t, LISTEN);
  const [socks] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const wire = await connect(t, socks);
  wire.socket.setNoDelay(true);
  for (const byte of handshake(origin.port)) {
    await new Promise((resolve) => wire.socket.write(Buffer.from([byte]), resolve));
    await new Promise(setImmediate);
  }
  await wire.has(GRANTED);
  wire.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\n`);
  await wire.has('hello');
});

test('what is not HTTP is relayed as it is, also when the origin speaks first', async (t) => {
  const w = await world(t, LISTEN);
  const [socks] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, (socket, connection) => {
    socket.write('220 hello\n');
    socket.on('end', () => socket.end(`heard ${connection.bytes.length}\n`));
  });
  const wire = await connect(t, socks);
  wire.socket.write(handshake(origin.port));
  await wire.has('220 hello\n');
  wire.socket.end(`\x00${'z'.repeat(99999)}`);
  await wire.over();
  assert.equal(wire.text, `${GRANTED}220 hello\nheard 100000\n`);
  const [row] = await w.recorded(origin.port);
  assert.deepEqual([row.state, row.tunnel_sent_bytes, row.tunnel_received_bytes], [1, 100000, 23]);
});

test('what is no SOCKS, or more than CONNECT, is refused, and weir stays up', async (t) => {
  const w = await world(t, LISTEN);
  const [socks] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const bind = await talk(t, socks, handshake(origin.port, 2));
  assert.equal(bind.text, reply(7));
  const udp = await talk(t, socks, handshake(origin.port, 3));
  assert.equal(udp.text, reply(7));
  const type = await talk(t, socks, Buffer.from([5, 1, 0, 5, 1, 0, 9, 0, 0, 0, 0, 0, 0]));
  assert.equal(type.text, reply(8));
  const http = await talk(t, socks, `GET http://127.0.0.1:${origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
  assert.equal(http.text, '');
  const endless = await talk(t, socks, Buffer.concat([Buffer.from([4, 1, 0, 80, 127, 0, 0, 1]), Buffer.alloc(5000, 'u')]));
  assert.equal(endless.text.slice(0, 2), '\x00[');
  assert.equal(origin.connections.length, 0);
  assert.equal((await curl(origin, ['--socks5', `127.0.0.1:${socks}`, `http://127.0.0.1:${origin.port}/`])).code, 0);
});

test('an origin that cannot be reached is a 502 that says so, as inside CONNECT', async (t) => {
  const w = await world(t, LISTEN);
  const [socks] = await ports(w.weir, 1);
  const nobody = { connections: [] };
  const { code, text } = await curl(nobody, ['--socks5', `127.0.0.1:${socks}`, 'http://127.0.0.1:1/']);
  assert.equal(code, 0);
  assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*Connection refused/);
});

test('user and password', async (t) => {
  const w = await world(t, ['--proxy-auth', 'joe:s3cret', ...LISTEN]);
  const [socks, ordinary] = await ports(w.weir, 2);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const url = `http://127.0.0.1:${origin.port}/`;

  for (const [where, port] of [['its own', socks], ['the ordinary one', ordinary]]) {
    await t.test(`the right ones on ${where}`, () =>
      sameCurl(origin, [url], { proxied: ['--socks5', `127.0.0.1:${port}`, '-U', 'joe:s3cret'] }));
    for (const [what, args] of [['a wrong password', ['-U', 'joe:secret']], ['a wrong user', ['-U', 'jim:s3cret']], ['none', []]])
      await t.test(`${what} on ${where}`, async () => {
        const { code, origin: asked } = await curl(origin, ['--socks5', `127.0.0.1:${port}`, ...args, url]);
        assert.deepEqual([code, asked], [97, '']);
      });
    for (const version of ['--socks4', '--socks4a'])
      await t.test(`${version} has none, on ${where}`, async () => {
        const { code, origin: asked } = await curl(origin, [version, `127.0.0.1:${port}`, '-U', 'joe:s3cret', url]);
        assert.deepEqual([code, asked], [97, '']);
      });
  }
  assert.doesNotMatch(w.weir.stderr, /s3cret/);
});
