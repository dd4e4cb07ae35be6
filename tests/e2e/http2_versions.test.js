// Both sides speak the version that the origin chose; where they can't, each speaks its own and the message is the same.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const https = require('node:https');
const tls = require('node:tls');
const { world } = require('./support/world');
const { httpOrigin } = require('./support/origin');
const { h2Origin, h2Client, h2Socket, ask, digest } = require('./support/h2');
const { run } = require('./support/weir');
const { until } = require('./support/client');

const ok = (body) => (s) => { s.respond({ ':status': 200 }); s.end(body); };
const hello = { onRequest: (req, res) => res.end(`HTTP/${req.httpVersion}`) };

// curl's answer, and the version that it spoke.
async function curl(w, port, args = [], through = true) {
  const { code, stdout, stderr } = await run('curl', ['-sS', '--max-time', '10', ...(through ? ['-x', w.weir.url, '--cacert', w.weir.ca] : ['--noproxy', '*', '--cacert', w.originCa.caFile]),
    '-w', '\n%{http_version} %{http_code}', ...args, `https://localhost:${port}/`]);
  assert.equal(code, 0, stderr);
  return stdout;
}

test('the version that the origin chose', async (t) => {
  const w = await world(t);
  const both = await h2Origin(t, ok('HTTP/2'), { cert: w.cert, ...hello });
  const only2 = await h2Origin(t, ok('HTTP/2'), { cert: w.cert });
  const only1 = await httpOrigin(t, (req, res) => res.end('HTTP/1.1'), { cert: w.cert });

  for (const [what, origin, args] of [
    ['curl --http2, an origin of both', both, ['--http2']],
    ['curl --http1.1, an origin of both', both, ['--http1.1']],
    ['curl --no-alpn, an origin of both', both, ['--no-alpn']],
    ['curl --http2, an origin of HTTP/2 alone', only2, ['--http2']],
    ['curl --http2, an origin of HTTP/1.1 alone', only1, ['--http2']],
    ['curl --http1.1, an origin of HTTP/1.1 alone', only1, ['--http1.1']]])
    await t.test(`${what}, twice`, async () => {
      const direct = await curl(w, origin.port, args, false);
      assert.equal(await curl(w, origin.port, args), direct);
      assert.equal(await curl(w, origin.port, args), direct);
    });

  await t.test('a client of HTTP/2 alone, an origin of HTTP/1.1 alone: it is told so', async () => {
    await assert.rejects(h2Socket(t, w, only1.port, { through: false }), /no application protocol/);
    const client = await h2Client(t, w, only1.port);
    const answer = await client.ask('/');
    assert.deepEqual([answer.status, answer.code], [502, 0]);
    assert.match(String(answer.body), /no application protocol/);
  });

  await t.test('a client without ALPN, an origin of HTTP/2 alone', async () => {
    const direct = await h2Socket(t, w, only2.port, { ALPNProtocols: undefined, through: false }).catch((e) => e);
    const proxied = await h2Socket(t, w, only2.port, { ALPNProtocols: undefined });
    assert.equal(proxied.alpnProtocol, direct.alpnProtocol);
  });
});

test('an origin that changes its mind', async (t) => {
  const w = await world(t, ['--insecure']);
  const big = 'x'.repeat(100000);

  await t.test('from HTTP/2 to HTTP/1.1: the client\'s HTTP/2 connection goes on', async () => {
    const first = await h2Origin(t, ok('two'), { cert: w.cert });
    const client = await h2Client(t, w, first.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(String((await client.ask('/')).body), 'two');
    first.server.close();
    for (const s of first.sockets) s.destroy();
    const requests = [];
    const second = https.createServer({ key: w.cert.key, cert: w.cert.cert }, (req, res) => {
      const chunks = [];
      req.on('data', (d) => chunks.push(d));
      req.on('end', () => {
        requests.push({ method: req.method, url: req.url, raw: req.rawHeaders, body: Buffer.concat(chunks), trailers: req.trailers });
        res.writeHead(201, { ...(req.method !== 'HEAD' && { Trailer: 'X-End' }), 'X-A': ['1', '2'], Connection: 'keep-alive', 'Keep-Alive': 'timeout=9' });
        if (req.method === 'HEAD') return res.end();
        res.write(big);
        res.addTrailers({ 'X-End': 'yes' });
        res.end();
      });
    });
    await new Promise((r) => second.listen(first.port, '127.0.0.1', r));
    t.after(() => { second.close(); second.closeAllConnections(); });
    const answer = await client.ask({ ':method': 'POST', ':path': '/x?y', cookie: ['a=1', 'b=2'], 'x-one': '1', te: 'trailers' }, { body: 'hello', trailers: { 'x-sum': '5' } });
    assert.deepEqual([answer.status, digest(answer.body), answer.code], [201, digest(Buffer.from(big)), 0]);
    assert.deepEqual(answer.trailers, [['x-end', 'yes']]);
    const names = answer.fields.map(([n]) => n);
    assert.equal(names[0], ':status');
    assert.ok(names.every((n) => n === n.toLowerCase() && !['connection', 'keep-alive', 'transfer-encoding'].includes(n)), names.join());
    const [{ raw, body, trailers, url }] = requests;
    const fields = raw.flatMap((v, i) => (i % 2 ? [] : [[v.toLowerCase(), raw[i + 1]]]));
    assert.deepEqual([url, String(body), trailers['x-sum']], ['/x?y', 'hello', '5']);
    assert.deepEqual(fields.filter(([n]) => n === 'cookie'), [['cookie', 'a=1; b=2']]); // RFC 9113 §8.2.3
    assert.deepEqual(fields.filter(([n]) => n === 'host'), [['host', `localhost:${first.port}`]]);
    assert.deepEqual(fields.filter(([n]) => n === 'x-one'), [['x-one', '1']]);
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const a = await client.ask({ ':method': method, ':path': '/' }, method === 'PUT' ? { body: '' } : {});
      assert.deepEqual([a.status, a.code, a.body.length], [201, 0, method === 'HEAD' ? 0 : big.length], method);
    }
    const many = await Promise.all(Array.from({ length: 30 }, (_, i) => client.ask(`/${i}`)));
    assert.ok(many.every((a) => a.status === 201 && a.body.length === big.length));
    const rows = await w.recorded(first.port, 35);
    assert.deepEqual([rows[1].request_version, rows[1].response_version, rows[1].path, rows[1].query], [20, 11, '/x', 'y']);
    assert.deepEqual(rows[1].response_trailers, [['X-End', 'yes']]);
  });

  await t.test('from HTTP/1.1 to HTTP/2: the client\'s HTTP/1.1 connection goes on', async () => {
    const first = await httpOrigin(t, (req, res) => res.end('one'), { cert: w.cert });
    const socket = await h2Socket(t, w, first.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.alpnProtocol, 'http/1.1');
    let text = '';
    socket.on('data', (d) => { text += d.toString('latin1'); });
    socket.write(`GET / HTTP/1.1\r\nHost: localhost:${first.port}\r\n\r\n`);
    await until(() => text.endsWith('one'), 'the first answer');
    first.server.close();
    first.server.closeAllConnections();
    const second = await h2Origin(t, (s, h, seen) => s.on('end', () => {
      s.additionalHeaders({ ':status': 103, link: '</a>' });
      s.respond({ ':status': 200, 'x-a': ['1', '2'], 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true });
      s.on('wantTrailers', () => s.sendTrailers({ 'x-end': 'yes' }));
      s.end('two');
    }), { cert: w.cert, port: first.port });
    text = '';
    socket.write(`POST /p?q HTTP/1.1\r\nHost: localhost:${first.port}\r\nX-One: A\r\nConnection: X-Hop, TE\r\nX-Hop: y\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n` +
      '5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n');
    await until(() => text.endsWith('\r\n\r\n') && /X-End/i.test(text), 'the second answer');
    assert.match(text, /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1.1 200 OK\r\n/i);
    assert.match(text, /\r\ntransfer-encoding: chunked\r\n/i);
    assert.match(text, /set-cookie: a=1\r\nset-cookie: b=2\r\n/i);
    assert.match(text, /\r\n3\r\ntwo\r\n0\r\nx-end: yes\r\n\r\n$/i);
    const [seen] = second.requests;
    const names = seen.fields.map(([n]) => n);
    assert.deepEqual(seen.fields.filter(([n]) => ['te', 'x-one', ':authority', ':path', ':method', ':scheme'].includes(n)).sort(),
      [[':authority', `localhost:${first.port}`], [':method', 'POST'], [':path', '/p?q'], [':scheme', 'https'], ['te', 'trailers'], ['x-one', 'A']]);
    assert.ok(!names.some((n) => ['x-hop', 'connection', 'transfer-encoding', 'host'].includes(n)), names.join());
    assert.deepEqual([String(seen.body), seen.trailers], ['hello', [['x-sum', '5']]]);
    text = '';
    socket.write(`HEAD / HTTP/1.1\r\nHost: localhost:${first.port}\r\n\r\n`);
    await until(() => text.split('\r\n\r\n').length > 2, 'the answer to HEAD');
    text = '';
    socket.write(`GET / HTTP/1.1\r\nHost: localhost:${first.port}\r\n\r\n`);
    await until(() => /x-end: yes\r\n\r\n$/i.test(text), 'the last answer');
    const rows = await w.recorded(first.port, 4);
    assert.deepEqual([rows[1].request_version, rows[1].response_version, rows[1].state], [11, 20, 1]);
  });
});

test('HTTP/2 without TLS, inside CONNECT', async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s) => s.on('end', () => { s.respond({ ':status': 200 }); s.end('plain'); }), { plain: true });
  for (const args of [[], ['-d', 'some'], ['-I']]) {
    const ask1 = (more) => run('curl', ['-sS', '--http2-prior-knowledge', ...args, '-w', '%{http_version}', ...more, `http://localhost:${origin.port}/`]);
    const direct = await ask1(['--noproxy', '*']);
    const proxied = await ask1(['-p', '-x', w.weir.url]);
    assert.equal(proxied.stdout.replace(/^HTTP\/1.1 200 Connection established\r\n\r\n/, '').replace(/date: .*\r\n/, ''), direct.stdout.replace(/date: .*\r\n/, ''), proxied.stderr);
  }
});

test('WebSockets over HTTP/1.1 beside HTTP/2 on the same host', async (t) => {
  const { WebSocketServer, WebSocket } = require('ws');
  const w = await world(t);
  const origin = await h2Origin(t, ok('two'), { cert: w.cert, ...hello });
  const server = new WebSocketServer({ noServer: true });
  origin.server.on('upgrade', (req, socket, head) => server.handleUpgrade(req, socket, head, (ws) => ws.on('message', (m) => ws.send(m))));
  const client = await h2Client(t, w, origin.port);
  assert.equal(String((await client.ask('/')).body), 'two');
  const socket = await h2Socket(t, w, origin.port, { ALPNProtocols: ['http/1.1'] });
  const ws = new WebSocket(`wss://localhost:${origin.port}/`, { createConnection: () => socket });
  await new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject));
  for (const text of ['one', 'two', 'x'.repeat(70000)]) {
    const back = new Promise((resolve) => ws.once('message', (m) => resolve(String(m))));
    ws.send(text);
    assert.equal(await back, text);
    assert.equal(String((await client.ask('/')).body), 'two');
  }
  ws.close();
});

test('Alt-Svc that leads to HTTP/3 is left out for the client, not in the record', async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200, 'alt-svc': 'h3=":443"; ma=86400, h2="alt.test:443"; ma=60', 'x-after': '1' }); s.end(); }, { cert: w.cert });
  const client = await h2Client(t, w, origin.port);
  const answer = await client.ask('/');
  assert.deepEqual(answer.fields.filter(([n]) => n === 'alt-svc'), [['alt-svc', 'h2="alt.test:443"; ma=60']]);
  const [row] = await w.recorded(origin.port);
  assert.deepEqual(row.response_headers.filter(([n]) => n === 'alt-svc'), [['alt-svc', 'h3=":443"; ma=86400, h2="alt.test:443"; ma=60']]);
  assert.ok(row.flags & 512);
});
