// Upstream proxies: what an origin gets, and what a client gets back, is the same through any of them; each is asked as its
// kind is asked; and what one says that is not true is the end of an exchange and not of weir.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const { scratch, startWeir, run } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { httpOrigin, rawOrigin } = require('./support/origin');
const { connect, secure, tunnel, Wire } = require('./support/wire');
const { until } = require('./support/client');
const { TINYPROXY, SQUID, freePort, httpProxy, lyingProxy, socksProxy, squid, tinyproxy } = require('./support/proxies');

const BODY = 'x'.repeat(100000);

// Two origins, plain and in TLS, and whoever else needs a certificate.
async function origins(t) {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const cert = ca.issue();
  const answer = (req, res, seen) => res.end(`${seen.method} ${seen.url} ${seen.body.length}\n`);
  return { dir, ca, cert, plain: await httpOrigin(t, answer), secure: await httpOrigin(t, answer, { cert }) };
}

async function weirVia(t, o, rules, { env = {}, args = [] } = {}) {
  return startWeir(t, ['--quiet', '--upstream-ca', o.ca.caFile, ...rules.flatMap((r) => ['--via', r]), ...args],
    { dir: fs.mkdtempSync(path.join(o.dir, 'weir-')), env });
}

async function curl(weir, url, ...args) {
  const { code, stdout, stderr } = await run('curl', ['-sS', '--max-time', '20', '--noproxy', '', '--proxy', weir.url, '--cacert', weir.ca,
    '-w', '%{http_code}', ...args, url]);
  return { code, status: Number(stdout.slice(-3)), body: stdout.slice(0, -3), stderr };
}

// Both schemes, there and back, twice (the second time on a pooled connection), with a body.
async function checkBoth(weir, o, host = 'localhost') {
  for (const [scheme, origin] of [['http', o.plain], ['https', o.secure]]) {
    const before = origin.requests.length;
    const url = `${scheme}://${host}:${origin.port}/a?b=${before}`;
    assert.deepEqual(await curl(weir, url), { code: 0, status: 200, body: `GET /a?b=${before} 0\n`, stderr: '' });
    const sent = await curl(weir, url, '-H', 'Expect:', '--data', BODY);
    assert.deepEqual(sent, { code: 0, status: 200, body: `POST /a?b=${before} ${BODY.length}\n`, stderr: '' });
    for (const request of origin.requests.slice(before)) {
      assert.equal(request.headers.host, `${host}:${origin.port}`);
      assert.equal(request.headers['proxy-authorization'], undefined);
    }
  }
}

// Nobody's password is in the store, not even in the record of what went wrong.
function checkKeptSecret(weir, secret) {
  const dir = path.dirname(weir.store);
  for (const file of fs.readdirSync(dir).filter((f) => f.startsWith(path.basename(weir.store))))
    assert.equal(fs.readFileSync(path.join(dir, file)).includes(secret), false, file);
}

test('an HTTP proxy is asked for a tunnel, or for a plain URL', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t);
  await checkBoth(await weirVia(t, o, [`http://127.0.0.1:${proxy.port}`]), o);
  assert.deepEqual([...new Set(proxy.asked)].sort(), [
    `CONNECT localhost:${o.secure.port}`,
    `GET http://localhost:${o.plain.port}/a?b=0`,
    `POST http://localhost:${o.plain.port}/a?b=0`,
  ]);
});

test('a proxy that is spoken to in TLS', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t, { cert: o.cert, user: 'alice:pass word' });
  const weir = await weirVia(t, o, [`https://alice:pass%20word@localhost:${proxy.port}`]);
  await checkBoth(weir, o);
  assert.equal(proxy.asked.includes(`CONNECT localhost:${o.secure.port}`), true);
  checkKeptSecret(weir, 'pass word');
  checkKeptSecret(weir, Buffer.from('alice:pass word').toString('base64'));
});

test('a proxy in TLS that is not who it says', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t, { cert: o.ca.issue(['other.test']) });
  const weir = await weirVia(t, o, [`https://localhost:${proxy.port}`]);
  const { status, body } = await curl(weir, `http://localhost:${o.plain.port}/`);
  assert.equal(status, 502);
  assert.match(body, new RegExp(`https://localhost:${proxy.port}`));
  assert.deepEqual(proxy.asked, []);
});

for (const [kind, user, expected] of [
  ['socks4', '', (port) => `socks4 127.0.0.1:${port}`],
  ['socks4', 'bob@', (port) => `socks4 127.0.0.1:${port} of bob`],
  ['socks4a', '', (port) => `socks4 localhost:${port}`],
  ['socks5', '', (port) => `socks5 127.0.0.1:${port}`],
  ['socks5h', '', (port) => `socks5 localhost:${port}`],
  ['socks5h', 'bob:se%3Acret@', (port) => `socks5 localhost:${port}`],
]) {
  test(`${kind}${user && ' with credentials'}`, async (t) => {
    const o = await origins(t);
    const proxy = await socksProxy(t, { user: user.includes(':') ? 'bob:se:cret' : undefined });
    await checkBoth(await weirVia(t, o, [`${kind}://${user}127.0.0.1:${proxy.port}`]), o);
    assert.deepEqual([...new Set(proxy.asked)].sort(), [o.plain.port, o.secure.port].map(expected).sort());
  });
}

test('tinyproxy', { skip: TINYPROXY ? false : 'no tinyproxy here' }, async (t) => {
  const o = await origins(t);
  const proxy = await tinyproxy(t, { user: 'alice:secret' });
  await checkBoth(await weirVia(t, o, [`http://alice:secret@127.0.0.1:${proxy.port}`]), o);
});

test('squid', { skip: SQUID ? false : 'no squid here' }, async (t) => {
  const o = await origins(t);
  const proxy = await squid(t);
  await checkBoth(await weirVia(t, o, [`http://127.0.0.1:${proxy.port}`]), o);
});

test('what is no HTTP goes through a proxy too, and its end as well', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t);
  const weir = await weirVia(t, o, [`http://127.0.0.1:${proxy.port}`]);
  const origin = await rawOrigin(t, (socket) => {
    socket.write('220 hello\r\n');
    socket.on('data', () => socket.end('221 bye\r\n'));
  });
  const raw = await tunnel(t, weir, origin.port);
  const c = new Wire(raw, raw, null);
  await c.until('220 hello\r\n');
  await c.write('QUIT\r\n').until('221 bye\r\n');
  assert.equal(await c.end, 'fin');
  assert.deepEqual(proxy.asked, [`CONNECT 127.0.0.1:${origin.port}`]);
});

test('what the record says of the way', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t, { user: 'alice:secret' });
  const weir = await weirVia(t, o, [`http://alice:secret@127.0.0.1:${proxy.port}`]);
  const name = `http://127.0.0.1:${proxy.port}`;
  for (const url of [`http://localhost:${o.plain.port}/`, `https://localhost:${o.secure.port}/`]) assert.equal((await curl(weir, url)).status, 200);
  const rows = await weir.waitFor(`select scheme, origin_addr, attempts, (select facts from tls where id = origin_tls) facts,
    t_connect_end > t_connect_start connected from exchange where (select count(*) from exchange where state = 1) = 2 order by seq`);
  assert.deepEqual(rows.map((row) => ({ ...row, facts: JSON.parse(row.facts).via })), ['http', 'https'].map((scheme) => (
    { scheme, origin_addr: `127.0.0.1:${proxy.port}`, attempts: 1, facts: name, connected: 1 })));
  assert.deepEqual(JSON.parse(rows[0].facts), { via: name });
  assert.match(JSON.parse(rows[1].facts).version, /^TLS/);
});

// Each kind of proxy once: by TLS in TLS, by CONNECT, by SOCKS.
const kinds = {
  http: async (t, o) => ({ proxy: await httpProxy(t), host: '127.0.0.1', ask: 'CONNECT' }),
  https: async (t, o) => ({ proxy: await httpProxy(t, { cert: o.cert }), host: 'localhost', ask: 'CONNECT' }),
  socks5h: async (t, o) => ({ proxy: await socksProxy(t), host: '127.0.0.1', ask: 'socks5' }),
};

async function byKind(t, kind, args = []) {
  const o = await origins(t);
  const { proxy, host, ask } = await kinds[kind](t, o);
  return { o, proxy, ask, weir: await weirVia(t, o, [`${kind}://${host}:${proxy.port}`], { args }) };
}

for (const kind of Object.keys(kinds)) {
  test(`HTTP/2 through a proxy: ${kind}`, async (t) => {
    const { o, proxy, ask, weir } = await byKind(t, kind);
    const origin = http2.createSecureServer({ key: o.cert.key, cert: o.cert.cert }).on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`2 ${headers[':path']}\n`);
    });
    await new Promise((resolve) => { origin.listen(0, '127.0.0.1', resolve); });
    t.after(() => origin.close());
    const url = `https://localhost:${origin.address().port}`;
    const { stdout } = await run('curl', ['-sS', '--http2', '--max-time', '20', '--noproxy', '', '--proxy', weir.url, '--cacert', weir.ca,
      '-w', '%{http_version}\n', `${url}/a`, `${url}/b`]);
    assert.equal(stdout, '2 /a\n2\n2 /b\n2\n');
    assert.deepEqual(proxy.asked, [`${ask} localhost:${origin.address().port}`]); // one connection for both
  });

  test(`HTTP/2 without TLS through a proxy: ${kind}`, async (t) => {
    const { proxy, ask, weir } = await byKind(t, kind);
    const origin = http2.createServer().on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('clear');
    });
    await new Promise((resolve) => { origin.listen(0, '127.0.0.1', resolve); });
    t.after(() => origin.close());
    const { port } = origin.address();
    assert.equal((await curl(weir, `http://localhost:${port}/`, '--http2-prior-knowledge', '--proxytunnel')).body, 'clear');
    assert.deepEqual(proxy.asked, [`${ask} localhost:${port}`]);
  });

  for (const isTls of [false, true]) {
    test(`an upgrade of ${isTls ? 'wss' : 'ws'}:// through a proxy: ${kind}`, async (t) => {
      const { o, proxy, ask, weir } = await byKind(t, kind);
      const origin = await rawOrigin(t, (socket) => socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi', 'latin1');
        socket.on('data', (chunk) => socket.write(chunk));
      }), isTls ? { cert: o.cert } : {});
      const authority = `localhost:${origin.port}`;
      const c = isTls ? await secure(await tunnel(t, weir, origin.port, 'localhost'), { ca: fs.readFileSync(weir.ca) }) : await connect(t, weir.port);
      c.write(`GET ${isTls ? '' : `http://${authority}`}/ws HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      await c.until('\r\n\r\n\x81\x02hi');
      await c.write('\x81\x82\0\0\0\0ho').until('\x81\x82\0\0\0\0ho');
      assert.match(origin.connections[0].bytes.toString('latin1'), /^GET \/ws HTTP\/1\.1\r\n/);
      assert.deepEqual(proxy.asked, [`${ask} ${authority}`]);
      c.reset();
    });
  }

  test(`a sealed host through a proxy: ${kind}`, async (t) => {
    const { o, proxy, ask, weir } = await byKind(t, kind, ['--seal', 'localhost']);
    assert.equal((await curl(weir, `https://localhost:${o.secure.port}/`, '--cacert', o.ca.caFile)).status, 200);
    assert.deepEqual(proxy.asked, [`${ask} localhost:${o.secure.port}`]);
    const [row] = await weir.waitFor('select flags & 256 sealed, tunnel_received_bytes bytes from exchange where state <> 0');
    assert.equal(row.sealed, 256);
    assert.ok(row.bytes > 500);
  });

  test(`the tunnel that a silent client was given is the one its request runs on: ${kind}`, async (t) => {
    const { o, proxy, ask, weir } = await byKind(t, kind);
    for (const [origin, isTls] of [[o.plain, false], [o.secure, true]]) {
      proxy.asked.length = 0;
      const raw = await tunnel(t, weir, origin.port, 'localhost');
      await until(() => proxy.asked.length !== 0, 'the proxy is asked');
      const c = isTls ? await secure(raw, { ca: fs.readFileSync(weir.ca) }) : new Wire(raw, raw, null);
      await c.write(`GET /a HTTP/1.1\r\nHost: localhost:${origin.port}\r\n\r\n`).until('GET /a 0\n');
      assert.deepEqual(proxy.asked, [`${ask} localhost:${origin.port}`]);
      raw.destroy();
    }
  });
}

test('a request on a pooled connection to a proxy that has gone is sent again', async (t) => {
  const o = await origins(t);
  const heads = [];
  const server = net.createServer((socket) => {
    let count = 0;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      heads.push(bytes.toString('latin1').split('\r\n')[0]);
      if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await until(() => server.listening, 'the proxy listens');
  const weir = await weirVia(t, o, [`http://127.0.0.1:${server.address().port}`]);
  const c = await connect(t, weir.port);
  const ask = 'GET http://origin.test/a HTTP/1.1\r\nHost: origin.test\r\n\r\n';
  await c.write(ask).until('\r\n\r\nok');
  await c.write(ask).until((w) => w.text.split('\r\n\r\nok').length === 3);
  assert.deepEqual(heads, Array(3).fill('GET http://origin.test/a HTTP/1.1'));
  const [row] = await weir.waitFor('select flags & 2 retried from exchange where seq = 2 and state = 1');
  assert.equal(row.retried, 2);
  c.reset();
});

test('an HTTP proxy makes a tunnel for a Host that is not what was asked for', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t);
  const weir = await weirVia(t, o, [`http://127.0.0.1:${proxy.port}`]);
  const raw = await tunnel(t, weir, o.plain.port);
  const c = new Wire(raw, raw, null);
  await c.write('GET / HTTP/1.1\r\nHost: other.test\r\n\r\n').until('GET / 0\n');
  assert.deepEqual(proxy.asked, [`CONNECT 127.0.0.1:${o.plain.port}`]);
  assert.equal(o.plain.requests[0].headers.host, 'other.test');
  raw.destroy();
});

test('the first rule about a host decides', async (t) => {
  const o = await origins(t);
  const [one, rest] = [await httpProxy(t), await socksProxy(t)];
  const weir = await weirVia(t, o, ['127.*=direct', `local*=http://127.0.0.1:${one.port}`, `socks5h://127.0.0.1:${rest.port}`]);
  for (const host of ['127.0.0.1', 'localhost', 'a.localhost']) assert.equal((await curl(weir, `http://${host}:${o.plain.port}/`)).status, 200);
  assert.deepEqual(one.asked, [`GET http://localhost:${o.plain.port}/`]);
  assert.deepEqual(rest.asked, [`socks5 a.localhost:${o.plain.port}`]);
});

test('the environment', async (t) => {
  const o = await origins(t);
  const [plain, secure, never] = [await httpProxy(t), await httpProxy(t), await httpProxy(t)];
  const weir = await weirVia(t, o, ['env'], { env: {
    http_proxy: `127.0.0.1:${plain.port}`, HTTPS_PROXY: `http://127.0.0.1:${secure.port}`, HTTP_PROXY: `http://127.0.0.1:${never.port}`,
    no_proxy: `.b.localhost,127.0.0.0/8,c.localhost:${o.plain.port}`,
  } });
  for (const host of ['localhost', 'a.b.localhost', '127.0.0.1', 'c.localhost'])
    assert.equal((await curl(weir, `http://${host}:${o.plain.port}/`)).status, 200, host);
  assert.equal((await curl(weir, `https://localhost:${o.secure.port}/`)).status, 200);
  assert.deepEqual(plain.asked, [`GET http://localhost:${o.plain.port}/`]);
  assert.deepEqual(secure.asked, [`CONNECT localhost:${o.secure.port}`]);
  assert.deepEqual(never.asked, []);
});

test('the environment: what nobody knows goes where TLS would', async (t) => {
  const o = await origins(t);
  const [plain, secured] = [await httpProxy(t), await httpProxy(t)];
  const weir = await weirVia(t, o, ['env'], { env: { http_proxy: `127.0.0.1:${plain.port}`, https_proxy: `127.0.0.1:${secured.port}`, no_proxy: '', NO_PROXY: '' } });
  const origin = await rawOrigin(t, (socket) => socket.write('220 hello\r\n'));
  const raw = await tunnel(t, weir, origin.port);
  await new Wire(raw, raw, null).until('220 hello\r\n');
  assert.deepEqual([plain.asked, secured.asked], [[], [`CONNECT 127.0.0.1:${origin.port}`]]);
  raw.destroy();
});

test('a proxy that is not there: who it is, and where it was said', async (t) => {
  const o = await origins(t);
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const file = path.join(o.dir, 'nowhere');
  fs.writeFileSync(file, nowhere, { mode: 0o600 });
  for (const [rule, from] of [[nowhere, '--via'], ['env', 'variable http_proxy'], [`file:${file}`, 'a file that --via names']]) {
    const weir = await weirVia(t, o, [rule], { env: { http_proxy: nowhere, no_proxy: '', NO_PROXY: '' } });
    const { status, body } = await curl(weir, 'http://origin.test/');
    assert.equal(status, 502);
    assert.ok(body.startsWith(`weir: proxy '${nowhere}' (${from}) can't be reached: `), body);
  }
});

test('a proxy that is told by a file', async (t) => {
  const o = await origins(t);
  const proxy = await httpProxy(t, { user: 'alice:secret' });
  const file = path.join(o.dir, 'proxy');
  fs.writeFileSync(file, `http://alice:secret@127.0.0.1:${proxy.port}\n`, { mode: 0o600 });
  const weir = await weirVia(t, o, [`file:${file}`]);
  assert.equal(fs.readFileSync(`/proc/${weir.pid}/cmdline`).includes('secret'), false);
  assert.equal((await curl(weir, `http://localhost:${o.plain.port}/`)).status, 200);
});

test('a rule that makes no sense ends weir with a sentence, and repeats no password', async (t) => {
  const o = await origins(t);
  await assert.rejects(weirVia(t, o, ['ftp://alice:secret@127.0.0.1']), (e) => {
    assert.match(e.message, /"code":2/);
    assert.match(e.message, /--via: .*socks5h:\/\//);
    assert.doesNotMatch(e.message, /secret/);
    return true;
  });
});

test('a proxy that refuses', async (t) => {
  const o = await origins(t);
  const wants = [
    [await httpProxy(t, { user: 'a:b' }), 'http://', /wants a user name and password: write --via http:\/\/USER:PASS@/],
    [await httpProxy(t, { user: 'a:b' }), 'http://alice:secret@', /does not take the user name and password/],
    [await socksProxy(t, { user: 'a:b' }), 'socks5h://', /wants a user name and password/],
    [await socksProxy(t, { user: 'a:b' }), 'socks5h://alice:secret@', /does not take the user name and password/],
    [await lyingProxy(t, 'HTTP/1.1 403 By the rules\r\nContent-Length: 0\r\n\r\n'), 'http://', /answered 403 By the rules/],
  ];
  const weir = await weirVia(t, o, wants.map(([proxy, way], i) => `r${i}.localhost=${way}127.0.0.1:${proxy.port}`));
  for (const [i, [, , pattern]] of wants.entries()) {
    const { status, body } = await curl(weir, `https://r${i}.localhost:${o.secure.port}/`);
    assert.equal(status, 502);
    assert.match(body, pattern);
    assert.doesNotMatch(body, /secret/);
  }
  for (const i of [0, 1]) { // the same of a request that needs no tunnel
    const { status, body } = await curl(weir, `http://r${i}.localhost:${o.plain.port}/`);
    assert.equal(status, 502);
    assert.match(body, wants[i][2]);
    assert.doesNotMatch(body, /secret/);
  }
  checkKeptSecret(weir, 'secret');
  assert.equal(o.secure.requests.length + o.plain.requests.length, 0);
});

test('a proxy that lies', async (t) => {
  const o = await origins(t);
  const lies = [
    ['http://', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['http://', ''],
    ['http://', 'HTTP/1.1 200 OK\r\n'],
    ['http://', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['http://', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20000)}`],
    ['http://', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20000)],
    ['http://', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'], // in plain text, for what was asked in TLS
    ['socks5h://', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['socks5h://', '\x05\x02'],
    ['socks5h://', '\x05\x00\x05\x00\x00\x09aaaaaaaaaaaaaaaa'],
    ['socks4a://', '\x05\x00'],
    ['https://', 'HTTP/1.1 200 OK\r\n\r\n'],
  ];
  const cases = [];
  for (const [way, bytes] of lies) {
    for (const ends of [true, false]) {
      if (!ends && (bytes === '' || bytes === 'HTTP/1.1 200 OK\r\n')) continue; // only slow, which the limits of time are for
      const { port } = await lyingProxy(t, Buffer.from(bytes, 'latin1'), { ends });
      cases.push({ bytes, rule: `l${cases.length}.localhost=${way}127.0.0.1:${port}` });
    }
  }
  const weir = await weirVia(t, o, cases.map((c) => c.rule));
  for (const [i, { bytes }] of cases.entries()) {
    const { status, body } = await curl(weir, `https://l${i}.localhost:${o.secure.port}/`);
    assert.equal(status, 502, JSON.stringify(bytes.slice(0, 40)));
    assert.doesNotMatch(body, /^evil/);
  }
  assert.equal((await curl(weir, `https://localhost:${o.secure.port}/`)).status, 200); // it is still there
});

test('a way that leads back to weir', async (t) => {
  const o = await origins(t);
  const port = await freePort();
  for (const way of [`http://127.0.0.1:${port}`, `http://localhost:${port}`, `socks5h://127.0.0.1:${port}`]) {
    const weir = await weirVia(t, o, [way], { args: ['--listen', `127.0.0.1:${port}`] });
    for (const url of [`http://localhost:${o.plain.port}/`, `https://localhost:${o.secure.port}/`]) {
      const { status, body } = await curl(weir, url);
      assert.equal(status, 508);
      assert.match(body, new RegExp(`proxy '${way}' is weir itself`));
    }
    const c = await connect(t, weir.port);
    c.write(`CONNECT localhost:${o.secure.port} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(await c.end, /fin|reset/);
    await weir.stop();
  }
});
