// A listener that stands for one origin: what the origin gets is what it gets from a client that knows it by its own name.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const fs = require('node:fs');
const { world } = require('./support/world');
const { rawOrigin, answerEach } = require('./support/origin');
const { WEIR, run, startWeir, scratch } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { talk } = require('./support/client');
const { ports, curl } = require('./support/modes');

const ANSWER = 'HTTP/1.1 200 OK\r\nX-Case: Kept\r\nLocation: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello';

// weir in front of origins (each { port, scheme }); the ports of its listeners.
async function standFor(t, dir, ca, ...origins) {
  const listen = origins.flatMap(({ scheme, port }) => ['--listen', `reverse:${scheme}://127.0.0.1:${port}@127.0.0.1:0`]);
  const weir = await startWeir(t, ['--quiet', '--upstream-ca', ca.caFile, ...listen], { dir });
  return { weir, listeners: await ports(weir, origins.length) };
}

for (const outer of ['http', 'https'])
  for (const inner of ['http', 'https'])
    test(`${outer} clients of an ${inner} origin`, async (t) => {
      const dir = scratch(t);
      const ca = makeCa(dir);
      const origin = await rawOrigin(t, answerEach(ANSWER), { cert: inner === 'https' ? ca.issue() : undefined });
      const { weir, listeners: [port] } = await standFor(t, dir, ca, { scheme: inner, port: origin.port });
      const more = ['-H', 'X-oDD:  kept', '-A', 'curl', '-b', 'c=d'];
      const direct = await curl(origin, ['--noproxy', '*', '--cacert', ca.caFile, ...more, `${inner}://127.0.0.1:${origin.port}/a?b`]);
      const by = await curl(origin, ['--noproxy', '*', '--cacert', weir.ca, ...more, `${outer}://127.0.0.1:${port}/a?b`]);
      assert.deepEqual({ ...by, stderr: '' }, { ...direct, stderr: '' }, by.stderr);
      assert.equal(by.text, ANSWER);

      const [row] = await weir.waitFor(`select * from exchange where port = ${origin.port} and state <> 0`);
      assert.deepEqual([row.scheme, row.host, row.path, row.query, row.status], [inner, '127.0.0.1', '/a', 'b', 200]);
      const host = JSON.parse(row.request_headers).find(([name]) => name === 'Host');
      assert.deepEqual(host, ['Host', `127.0.0.1:${port}`], 'recorded as sent');
    });

test('a client that says another Host, or the whole URL, reaches the same origin by its own name', async (t) => {
  const dir = scratch(t);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const { listeners: [port] } = await standFor(t, dir, makeCa(dir), { scheme: 'http', port: origin.port });
  for (const request of ['GET /a HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n',
    'GET http://other.test/a HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n']) {
    const seen = new Map(origin.connections.map((c) => [c, c.bytes.length])); // weir may use again what it has
    const wire = await talk(t, port, request);
    assert.match(wire.text, /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
    const asked = origin.connections.map((c) => c.bytes.subarray(seen.get(c) ?? 0).toString('latin1')).join('');
    assert.match(asked, /^GET \/a HTTP\/1\.1\r\n/);
    assert.deepEqual(asked.match(/^Host: .*$/gim), [`Host: 127.0.0.1:${origin.port}`]);
  }
});

test('a large body passes and is recorded', async (t) => {
  const dir = scratch(t);
  const body = Buffer.alloc(700000, 'weir ');
  const file = path.join(dir, 'body');
  fs.writeFileSync(file, body);
  const origin = await rawOrigin(t, (socket, connection) => socket.on('data', () => {
    if (connection.bytes.length > body.length && !connection.isAnswered) {
      connection.isAnswered = true;
      socket.write(ANSWER);
    }
  }));
  const { weir, listeners: [port] } = await standFor(t, dir, makeCa(dir), { scheme: 'http', port: origin.port });
  const { code } = await curl(origin, ['--noproxy', '*', '-H', 'Expect:', '--data-binary', `@${file}`, `http://127.0.0.1:${port}/`]);
  assert.equal(code, 0);
  assert.ok(origin.connections[0].bytes.subarray(-body.length).equals(body));
  const [row] = await weir.waitFor(`select * from exchange where port = ${origin.port} and state <> 0`);
  assert.ok((await weir.body(row.seq, 'request')).equals(body));
});

test('two listeners stand for two origins', async (t) => {
  const dir = scratch(t);
  const one = await rawOrigin(t, answerEach('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none'));
  const two = await rawOrigin(t, answerEach('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo'));
  const { listeners } = await standFor(t, dir, makeCa(dir), { scheme: 'http', port: one.port }, { scheme: 'http', port: two.port });
  assert.match((await curl(one, ['--noproxy', '*', `http://127.0.0.1:${listeners[0]}/`])).text, /one$/);
  assert.match((await curl(two, ['--noproxy', '*', `http://127.0.0.1:${listeners[1]}/`])).text, /two$/);
});

test('an origin that cannot be reached is a 502 that says so', async (t) => {
  const dir = scratch(t);
  const { listeners: [port] } = await standFor(t, dir, makeCa(dir), { scheme: 'http', port: 1 });
  const { text } = await curl({ connections: [] }, ['--noproxy', '*', `http://127.0.0.1:${port}/`]);
  assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*Connection refused/);
});

test('--mode is for listeners that name none', async (t) => {
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const w = await world(t, ['--mode', `reverse:http://127.0.0.1:${origin.port}`, '--listen', '127.0.0.1:0', '--listen', 'forward@127.0.0.1:0']);
  const [reverse, forward] = await ports(w.weir, 2);
  assert.match((await curl(origin, ['--noproxy', '*', `http://127.0.0.1:${reverse}/`])).text, /hello$/);
  assert.match((await curl(origin, ['--proxy', `http://127.0.0.1:${forward}`, `http://127.0.0.1:${origin.port}/`])).text, /hello$/);
});

test('what makes no sense is wrong usage, and said', async (t) => {
  const dir = scratch(t);
  const refused = async (args, why) => {
    const { code, stderr } = await run(WEIR, ['capture', '--store', path.join(dir, 'weir.db'), '--ca-dir', dir, ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, why);
  };
  await refused(['--mode', 'reverse:http://a/api', '--listen', '127.0.0.1:0'], /an origin has no path: leave '\/api' out/);
  await refused(['--listen', 'reverse:ftp://a@127.0.0.1:0'], /neither http:\/\/ nor https:\/\//);
  await refused(['--listen', 'revers:http://a@127.0.0.1:0'], /choose one of forward, https, socks5, reverse:URL, transparent/);
  await refused(['--listen', 'socks5'], /write socks5@127\.0\.0\.1:8080/);
});
