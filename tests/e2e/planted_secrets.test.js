// Secrets planted in every place and encoding of real traffic: none is in anything that weir writes, but what is there to hold them.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const zlib = require('node:zlib');
const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { httpOrigin } = require('./support/origin');
const { startWeir, scratch } = require('./support/weir');

// A value for each place; what no rule of names or values would know is planted in no place of its own.
const planted = {};
const plant = (place) => (planted[place] ??= `${place}-Xq7${Buffer.from(place).toString('hex').slice(0, 8)}Zr`);
const base64 = (s) => Buffer.from(s).toString('base64');
const jwt = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sub":"planted-in-a-token","iss":"me"}').toString('base64url')}.c2lnbmF0dXJlLXBsYW50ZWQ`;
const protobuf = (field, value) => Buffer.concat([Buffer.from([field << 3 | 2, value.length]), Buffer.from(value)]);
const prefixed = (payload) => Buffer.concat([Buffer.from([0, 0, 0, 0, payload.length]), payload]);
const escaped = (s) => [...s].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const percent = (s, upper) => [...s].map((c) => `%${upper ? c.charCodeAt(0).toString(16).toUpperCase() : c.charCodeAt(0).toString(16)}`).join('');

const BEARER = plant('bearer');
const WEIRD = 'p&ss "w\u00f6rd"/+7Qz\\x1'; // reads differently in each encoding
planted.weird = WEIRD;

function answer(req, res, seen) {
  const { pathname } = new URL(seen.url, 'http://x');
  const json = { 'Content-Type': 'application/json' };
  switch (pathname) {
    case '/login':
      return res.writeHead(200, { ...json, 'Set-Cookie': [`sid=${plant('setcookie')}; Path=/; HttpOnly`, `__Host-auth=${plant('hostcookie')}; Path=/; Secure`] })
        .end(JSON.stringify({ access_token: BEARER, deep: [{ client_secret: plant('jsonleaf') }], inner: JSON.stringify({ refresh_token: plant('innerjson') }), id_token: jwt }));
    case '/away':
      return res.writeHead(302, { Location: `http://u:${plant('locationuser')}@${req.headers.host}/cb?code=${plant('locationcode')}#access_token=${plant('fragment')}`,
                                  Refresh: `0; url=/cb?token=${plant('refresh')}` }).end();
    case '/trailers':
      res.writeHead(200, { ...json, Trailer: 'X-Auth-Token' });
      res.write('{"ok":true}');
      res.addTrailers({ 'X-Auth-Token': plant('trailer') });
      return res.end();
    case '/gzip': return res.writeHead(200, { ...json, 'Content-Encoding': 'gzip' }).end(zlib.gzipSync(JSON.stringify({ api_key: plant('gzip'), again: WEIRD })));
    case '/br': return res.writeHead(200, { ...json, 'Content-Encoding': 'br' }).end(zlib.brotliCompressSync(JSON.stringify({ password: plant('brotli') })));
    case '/page':
      return res.writeHead(200, { 'Content-Type': 'text/html' })
        .end(`<form><input type="hidden" name="csrf_token" value="${plant('csrfheader')}"><input name=authenticity_token value='${plant('hiddenfield')}' type=hidden></form>`
          + `<meta name="csrf-token" content="${plant('metatag')}"><a href="/y?a=1&amp;session_id=${plant('linkquery')}">y</a>`
          + `<script type="application/json">{"apiKey":"${plant('pagescript')}"}</script><a href="/x?sessionid=${planted.setcookie}">${BEARER}</a>`);
    case '/events':
      return res.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(`data: {"token":"${plant('event')}"}\n\ndata: ${BEARER}\n\n`);
    case '/reasons': return res.writeHead(400, `no ${BEARER}`, { ...json, 'WWW-Authenticate': `Bearer error="${BEARER}"` }).end('{}');
    case '/grpc':
      return res.writeHead(200, { 'Content-Type': 'application/grpc-web+proto', 'grpc-status': '0' }).end(prefixed(protobuf(1, BEARER)));
    case '/echo': // in every spelling, in places that nobody would look for them
      return res.writeHead(200, { 'Content-Type': 'text/plain', 'X-Note': `${percent(BEARER)} ${encodeURIComponent(WEIRD)}` }).end([
        BEARER, percent(BEARER), percent(BEARER, true), base64(BEARER), base64(`a${BEARER}`), base64(`ab${BEARER}`), Buffer.from(BEARER).toString('base64url'),
        JSON.stringify(WEIRD), `"${escaped(BEARER)}"`, encodeURIComponent(WEIRD), new URLSearchParams({ a: WEIRD }), base64(WEIRD), base64(`x:${WEIRD}`),
        encodeURIComponent(base64(WEIRD)), encodeURIComponent(base64(`x:${WEIRD}`)), base64(WEIRD).replaceAll('/', '\\/')].join('\n'));
    default: return res.writeHead(200, json).end('{}');
  }
}

async function traffic(t, weir, port, wsPort) {
  const host = `127.0.0.1:${port}`;
  const ask = async (method, target, { headers = {}, body, trailers } = {}) => {
    const request = http.request({ host: '127.0.0.1', port: weir.port, method, agent: false, path: `http://${host}${target}`,
      headers: { Host: host, ...headers, ...(trailers ? { 'Transfer-Encoding': 'chunked', Trailer: Object.keys(trailers).join() }
        : body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }) } });
    if (trailers) request.addTrailers(trailers);
    request.end(body);
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'close');
  };
  const json = { 'Content-Type': 'application/json' };
  const auth = { Authorization: `Bearer ${BEARER}` };

  await ask('POST', '/login', { headers: json, body: JSON.stringify({ user: 'zoe', password: WEIRD, otp: '839201', card: '4111 1111 1111 1111' }) });
  await ask('GET', '/a', { headers: { ...auth, Cookie: `sid=${plant('setcookie')}; remember_token=${plant('sentcookie')}`, 'X-Api-Key': plant('headerkey'),
    'X-CSRF-Token': plant('csrfheader'), Referer: `http://${host}/x?session=${plant('referer')}#id_token=${plant('refererfragment')}`,
    'Proxy-Authorization': `Basic ${base64(`u:${plant('proxyauth')}`)}` } });
  await ask('GET', `/b?access_token=${plant('query')}&sig=${plant('signature')}&next=${encodeURIComponent(`http://x/?token=${plant('nestedquery')}`)}&p=${encodeURIComponent(WEIRD)}`);
  await ask('GET', `/reset/${plant('bearer')}/x`);
  await ask('GET', '/basic', { headers: { Authorization: `Basic ${base64(`bob:${plant('basic')}`)}` } });
  await ask('GET', '/digest', { headers: { Authorization: `Digest username="bob", realm="r", nonce="n", uri="/digest", response="${plant('digest')}"` } });
  await ask('POST', '/form', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ password: plant('form'), note: WEIRD }).toString() });
  await ask('POST', '/parts', { headers: { 'Content-Type': 'multipart/form-data; boundary=B' },
    body: `--B\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n${plant('part')}\r\n--B\r\nContent-Disposition: form-data; name="f"; filename="${BEARER}.txt"\r\n`
      + `Content-Type: text/plain\r\n\r\n${BEARER}\r\n--B--\r\n` });
  await ask('POST', '/parts/large', { headers: { 'Content-Type': 'multipart/form-data; boundary=B' }, body: Buffer.concat([
    Buffer.from('--B\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'),
    Buffer.alloc(100000, 0xfe), Buffer.from(`${BEARER}\r\n--B--\r\n`)]) });
  await ask('PUT', '/binary', { headers: { 'Content-Type': 'application/octet-stream' }, body: Buffer.concat([Buffer.alloc(100000, 0xff), Buffer.from(BEARER)]) });
  await ask('POST', '/graphql', { headers: json, body: JSON.stringify({ query: 'mutation Login($password: String!) { login(password: $password) }',
    variables: { password: plant('graphql'), input: { apiKey: plant('graphqldeep') } } }) });
  await ask('POST', '/rpc', { headers: json, body: JSON.stringify([{ jsonrpc: '2.0', method: 'auth', params: { secret: plant('rpc') }, id: 1 }]) });
  await ask('POST', '/zipped', { headers: { ...json, 'Content-Encoding': 'gzip' }, body: zlib.gzipSync(JSON.stringify({ secret: plant('sentgzip') })) });
  await ask('POST', '/soap', { headers: { 'Content-Type': 'text/xml' }, body: `<login><password>${WEIRD.replace('&', '&amp;')}</password><x>${BEARER}</x></login>` });
  await ask('POST', '/soap', { headers: { 'Content-Type': 'application/soap+xml' }, body: '<?xml version="1.0"?><s:Envelope><s:Header><wsse:Security><wsse:UsernameToken>'
    + `<wsse:Password Type="urn:PasswordText">${plant('soappassword')}</wsse:Password></wsse:UsernameToken></wsse:Security></s:Header><s:Body><get sessionToken='${plant('xmlattribute')}'>`
    + `<clientSecret><![CDATA[${plant('cdata')}]]></clientSecret><entry key="api_key">${plant('xmlentry')}</entry><key>password</key><string>${plant('plist')}</string></get></s:Body></s:Envelope>` });
  await ask('POST', '/trailers', { body: '{}', trailers: { 'X-Session-Token': plant('senttrailer') } });
  await ask('POST', '/grpc', { headers: { 'Content-Type': 'application/grpc-web+proto', 'x-token': plant('metadata') }, body: prefixed(protobuf(1, BEARER)) });
  await ask('POST', '/keys', { headers: json, body: '{"note":"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\\n-----END PRIVATE KEY-----","aws":"AKIAIOSFODNN7PLANTED"}' });
  for (const at of ['/away', '/gzip', '/br', '/page', '/events', '/reasons', '/echo']) await ask('GET', at);
  const socket = new WebSocket(`ws://127.0.0.1:${wsPort}/?ticket_token=${plant('wsquery')}`, { agent: new (class extends http.Agent {
    createConnection(options, done) { // in a tunnel, as browsers do
      const tunnel = net.connect(weir.port, '127.0.0.1', () => tunnel.write(`CONNECT 127.0.0.1:${wsPort} HTTP/1.1\r\nHost: 127.0.0.1:${wsPort}\r\n\r\n`));
      tunnel.once('data', () => done(null, tunnel));
    }
  })(), headers: auth });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'auth', token: plant('wssent') }));
  await once(socket, 'message');
  socket.close(1000, 'bye');
  await once(socket, 'close');
}

const RAW = ['4111 1111 1111 1111', '4111111111111111', '839201', 'MIIEvQIBADANBgkqhkiG9w0BAQ', 'AKIAIOSFODNN7PLANTED', jwt, 'c2lnbmF0dXJlLXBsYW50ZWQ'];

// Every spelling of every secret, with the place it was planted in.
function spellings() {
  const all = RAW.map((value) => [value, value]);
  for (const [place, value] of Object.entries(planted)) {
    const quoted = JSON.stringify(value).slice(1, -1);
    for (const spelling of [value, quoted, JSON.stringify(quoted).slice(1, -1), encodeURIComponent(value), new URLSearchParams([['', value]]).toString().slice(1),
      percent(value), percent(value, true), escaped(value), Buffer.from(value).toString('latin1'), encodeURIComponent(encodeURIComponent(value))])
      all.push([place, spelling]);
    for (const lead of ['', 'a', 'ab']) {
      const inner = base64(lead + value); // without the characters that what stands beside has a share in
      const alone = inner.slice(lead.length ? 4 : 0, Math.floor((lead.length + Buffer.byteLength(value)) / 3) * 4);
      for (const spelling of [alone, encodeURIComponent(alone), alone.replaceAll('/', '\\/')]) all.push([`${place} in base64`, spelling]);
    }
  }
  return all;
}

function assertNone(what, bytes) {
  const text = Buffer.isBuffer(bytes) ? bytes.toString('latin1') : bytes;
  const utf8 = Buffer.from(text, 'latin1').toString();
  for (const [place, spelling] of spellings()) {
    for (const whole of [text, utf8]) {
      const at = whole.indexOf(spelling);
      assert.ok(at < 0, `${what} holds the secret of ${place} (${spelling}): ${whole.slice(Math.max(0, at - 150), at + 80)}`);
    }
  }
}

const MEANT = /\.(postman_environment\.json|env|cookies\.json|cookies\.txt|storage-state\.json)$/; // to hold them, and said to

function filesIn(dir) {
  return fs.readdirSync(dir, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? filesIn(path.join(dir, f.name)) : [path.join(dir, f.name)]));
}

test('planted secrets', async (t) => {
  const dir = scratch(t);
  const origin = await httpOrigin(t, answer);
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  sockets.on('connection', (s) => s.on('message', () => s.send(JSON.stringify({ session_token: plant('wsgot'), again: BEARER }))));
  await once(sockets, 'listening');
  t.after(() => sockets.close());
  const weir = await startWeir(t, ['--session', 'planted', '--log-level', 'debug']);
  await traffic(t, weir, origin.port, sockets.address().port);
  await weir.stop();

  await t.test('all of them were captured', async () => {
    const kept = (await weir.command(['export', 'jsonl', 'planted', '--secrets', 'keep'])).stdout;
    const { stdout } = await weir.command(['export', 'environment', 'planted']);
    const missing = Object.entries(planted).filter(([place, value]) => place !== 'proxyauth' && !stdout.includes(JSON.stringify(value).slice(1, -1))).map(([place]) => place);
    assert.deepEqual(missing, [], 'as secrets');
    assert.ok(kept.includes(BEARER) && kept.includes(planted.fragment));
  });

  await t.test('the log of the capture has none', () => assertNone('the log', Buffer.from(weir.stderr)));

  const formats = [['collection', 'runnable.json', '--explain', '--tests', 'shape'], ['collection', 'faithful.json', '--profile', 'faithful'],
    ['collection', 'chronological.json', '--group-by', 'chronological', '--no-dedup', '--no-template', '--explain'], ['har', 'a.har'], ['jsonl', 'a.jsonl'], ['http', 'a.http'],
    ['curl', 'a.sh'], ['openapi', 'a.openapi.json']];
  for (const [format, name, ...args] of formats) {
    for (const secrets of ['env', 'drop']) {
      await t.test(`${format} ${args.join(' ')} --secrets ${secrets}`, async () => {
        const folder = path.join(dir, secrets, name);
        fs.mkdirSync(folder, { recursive: true });
        const report = format === 'collection' ? ['--report', path.join(folder, 'report.json')] : [];
        const { code, stderr } = await weir.command(['export', format, 'planted', '-o', path.join(folder, name), '--secrets', secrets, ...report, ...args]);
        assert.equal(code, 0, stderr);
        assertNone('stderr', Buffer.from(stderr));
        for (const file of filesIn(folder)) {
          assertNone('a file\'s name', file);
          if (secrets === 'drop' || !MEANT.test(file)) assertNone(file, fs.readFileSync(file));
        }
        const { stdout } = await weir.command(['export', format, 'planted', '--secrets', secrets, ...args], { binary: true });
        assertNone('stdout', stdout);
      });
    }
  }

  await t.test('a bundle', async () => {
    const { code, stderr } = await weir.command(['export', 'collection', 'planted', '-o', `${path.join(dir, 'bundle')}/`]);
    assert.equal(code, 0, stderr);
    assertNone('stderr', Buffer.from(stderr));
    for (const file of filesIn(path.join(dir, 'bundle'))) if (!MEANT.test(file)) assertNone(file, fs.readFileSync(file));
  });

  await t.test('what a damaged import says', async () => {
    const kept = path.join(dir, 'kept.har');
    assert.equal((await weir.command(['export', 'har', 'planted', '--secrets', 'keep', '-o', kept])).code, 0);
    const whole = fs.readFileSync(kept);
    for (const part of [0.2, 0.35, 0.5, 0.65, 0.8, 0.95]) {
      const cut = path.join(dir, 'cut.har');
      const at = whole.indexOf(BEARER, Math.floor(whole.length * part));
      fs.writeFileSync(cut, Buffer.concat([whole.subarray(0, at < 0 ? whole.length - 20 : at + 5), Buffer.from('\u0001"}]'), whole.subarray(at + 5)]));
      const { code, stderr } = await weir.command(['import', cut]);
      assert.equal(code, 1, stderr);
      assertNone('stderr', Buffer.from(stderr));
    }
    const jar = path.join(dir, 'jar.txt');
    fs.writeFileSync(jar, `# Netscape HTTP Cookie File\na.test\tMAYBE\t/\tFALSE\t0\tsid\t${planted.setcookie}\nbroken ${planted.sentcookie}\n`);
    assertNone('stderr', Buffer.from((await weir.command(['import', 'cookies', jar])).stderr));
  });
});
