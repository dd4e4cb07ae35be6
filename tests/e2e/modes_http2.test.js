// HTTP/2 on listeners that stand for an origin, and with prior knowledge to a forward proxy: who speaks what with whom.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const { once } = require('node:events');
const { startWeir, scratch } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { httpOrigin } = require('./support/origin');
const { ports } = require('./support/modes');

// An origin that speaks HTTP/2 (with TLS HTTP/1.1, too), and notes { version, scheme, authority, host, path } of its requests.
async function http2Origin(t, cert) {
  const requests = [];
  const answer = (req, res) => {
    requests.push({ version: req.httpVersion, scheme: req.headers[':scheme'], authority: req.headers[':authority'], host: req.headers.host,
      path: req.url });
    req.resume().on('end', () => res.writeHead(200, { 'x-case': 'kept' }).end('hello'));
  };
  const server = cert ? http2.createSecureServer({ key: cert.key, cert: cert.cert, allowHTTP1: true }, answer) : http2.createServer(answer);
  const sessions = new Set();
  server.on('session', (s) => { sessions.add(s); s.on('close', () => sessions.delete(s)).on('error', () => {}); });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const s of sessions) s.destroy();
    server.close();
  });
  return { port: server.address().port, requests };
}

// One request by HTTP/2, in a connection of its own: { status, headers, text }.
async function ask(t, url, { path = '/a?b', body, ca, headers = {} } = {}) {
  const session = http2.connect(url, { ca });
  t.after(() => session.destroy());
  const stream = session.request({ ':path': path, ':method': body ? 'POST' : 'GET', ...headers }, { endStream: !body });
  if (body) stream.end(body);
  const [got] = await once(stream, 'response');
  let text = '';
  for await (const chunk of stream.setEncoding('latin1')) text += chunk;
  session.close();
  return { status: got[':status'], headers: got, text };
}

async function standFor(t, origin, scheme, dir, ca) {
  const weir = await startWeir(t, ['--quiet', '--upstream-ca', ca.caFile, '--listen', `reverse:${scheme}://127.0.0.1:${origin.port}@127.0.0.1:0`],
    { dir });
  return { weir, port: (await ports(weir, 1))[0] };
}

for (const [client, scheme, spoken] of [['https', 'https', '2.0'], ['http', 'https', '2.0'], ['http', 'http', '2.0'], ['https', 'http', '1.1']])
  test(`an ${client} client of HTTP/2 and an ${scheme} origin that is asked in ${spoken}`, async (t) => {
    const dir = scratch(t);
    const ca = makeCa(dir);
    const origin = spoken === '2.0' ? await http2Origin(t, scheme === 'https' ? ca.issue() : undefined)
      : await httpOrigin(t, (req, res) => res.writeHead(200, { 'x-case': 'kept' }).end('hello'));
    const { weir, port } = await standFor(t, origin, scheme, dir, ca);
    const trusted = { ca: fs.readFileSync(weir.ca) };
    for (const body of [undefined, 'x'.repeat(100000)]) {
      const answer = await ask(t, `${client}://127.0.0.1:${port}`, { ...trusted, body });
      assert.deepEqual([answer.status, answer.headers['x-case'], answer.text], [200, 'kept', 'hello']);
    }
    const own = `127.0.0.1:${origin.port}`;
    for (const request of origin.requests) {
      if (spoken === '2.0') assert.deepEqual(request, { version: '2.0', scheme, authority: own, host: undefined, path: '/a?b' });
      else assert.deepEqual([request.httpVersion, request.headers.host, request.url], ['1.1', own, '/a?b']);
    }
    assert.equal(origin.requests.length, 2);
    const [row] = await weir.waitFor(`select * from exchange where port = ${origin.port} and state <> 0`);
    assert.deepEqual([row.scheme, row.host, row.path, row.query, row.status], [scheme, '127.0.0.1', '/a', 'b', 200]);
  });

test('an h2c client of an https origin that has HTTP/1.1 only', async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const origin = await httpOrigin(t, (req, res) => res.end('hello'), { cert: ca.issue() });
  const { port } = await standFor(t, origin, 'https', dir, ca);
  assert.equal((await ask(t, `http://127.0.0.1:${port}`)).text, 'hello');
  assert.deepEqual(origin.requests.map((r) => [r.httpVersion, r.headers.host]), [['1.1', `127.0.0.1:${origin.port}`]]);
});

test('a forward proxy that is spoken to in HTTP/2 with prior knowledge', async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const plain = await httpOrigin(t, (req, res) => res.end('plain'));
  const secure = await http2Origin(t, ca.issue());
  const weir = await startWeir(t, ['--quiet', '--upstream-ca', ca.caFile, '--proxy-auth', 'joe:s3cret'], { dir });
  const [port] = await ports(weir, 1);
  const by = (scheme, origin, more = {}) => ask(t, `http://127.0.0.1:${port}`, {
    headers: { ':scheme': scheme, ':authority': `127.0.0.1:${origin.port}`, 'proxy-authorization': 'Basic am9lOnMzY3JldA==', ...more } });

  assert.equal((await by('http', plain)).text, 'plain');
  assert.deepEqual(plain.requests.map((r) => [r.httpVersion, r.headers.host, r.url, r.headers['proxy-authorization']]),
    [['1.1', `127.0.0.1:${plain.port}`, '/a?b', undefined]]);
  assert.equal((await by('https', secure)).text, 'hello');
  assert.deepEqual(secure.requests, [{ version: '2.0', scheme: 'https', authority: `127.0.0.1:${secure.port}`, host: undefined, path: '/a?b' }]);
  const asked = await by('http', plain, { 'proxy-authorization': 'Basic am9lOng=' });
  assert.deepEqual([asked.status, asked.headers['proxy-authenticate']], [407, 'Basic realm="weir"']);
  assert.equal((await by('ftp', plain)).status, 400);
  assert.equal(plain.requests.length, 1);
  const rows = await weir.waitFor(`select * from exchange where port = ${secure.port} and state <> 0`);
  assert.doesNotMatch(JSON.stringify(rows), /am9lOnMzY3JldA/);
});
