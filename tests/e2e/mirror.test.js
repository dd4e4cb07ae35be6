// The origin is greeted as the client greets weir: what its ClientHello offers and how its HTTP/2 begins are the same without weir
// and by it, save what OpenSSL can't say, and that stands in the record.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const tls = require('node:tls');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { world } = require('./support/world');
const { MEASURED, run, atEnd } = require('./support/weir');
const { rawOrigin } = require('./support/origin');
const { secure, tunnel } = require('./support/wire');
const { until } = require('./support/client');
const { greetedOrigin } = require('./support/greeted');
const chromium = require('./support/chromium');

const request = (port) => `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`;

const ENV = { PATH: process.env.PATH, HOME: '/nonexistent' };

// What weir's own greeting is in HTTP/2: no client here has it.
const OWN_WINDOW = [4, 256 * 1024];

// Ways to be greeted. ask(port, { weir, ca }): without weir when that is undefined. Each gives what the client got, as text.
const curl = (...args) => async (port, { weir, ca }) => {
  const { code, stdout, stderr } = await run('curl', ['-sS', '-m', '20', '--cacert', ca, ...(weir ? ['--proxy', weir.url] : ['--noproxy', '*']), ...args,
    `https://localhost:${port}/`], { env: ENV });
  return code === 0 ? stdout : `curl ${code}: ${stderr}`;
};

const wget = async (port, { weir, ca }) => {
  const { code, stdout, stderr } = await run('wget', ['-nv', '-O', '-', '-t', '1', '-T', '20', `--ca-certificate=${ca}`, ...(weir ? ['-e', 'use_proxy=yes', '-e', `https_proxy=${weir.url}`]
    : ['--no-proxy']), `https://localhost:${port}/`], { env: ENV });
  return code === 0 ? stdout : `wget ${code}: ${stderr}`;
};

const sClient = (...args) => async (port, { weir, ca }) => {
  const { stdout, stderr } = await run('openssl', ['s_client', '-quiet', '-CAfile', ca, '-verify_return_error', '-servername', 'localhost', '-connect', `localhost:${port}`,
    ...(weir ? ['-proxy', `127.0.0.1:${weir.port}`] : []), ...args], { env: ENV, input: request(port) });
  return /\r\n\r\n(?:2\r\n)?(ok)/.exec(stdout)?.[1] ?? `s_client: ${stdout}${stderr}`;
};

const node = (options = {}) => async (port, { weir, ca, t, session }) => {
  const socket = weir ? await tunnel(t, weir, port, 'localhost') : undefined;
  const secure = tls.connect({ ...(socket ? { socket } : { port, host: '127.0.0.1' }), servername: 'localhost', ca: fs.readFileSync(ca), session, ...options });
  secure.on('error', () => {});
  atEnd(t, () => secure.destroy());
  try {
    await once(secure, 'secureConnect');
  } catch (error) {
    return `node: ${error.code}`;
  }
  secure.write(request(port));
  let text = '';
  for await (const chunk of secure) text += chunk;
  return /\r\n\r\n(?:2\r\n)?(ok)/.exec(text)?.[1] ?? `node: ${text}`;
};

// Node's HTTP/2. The session stays open until the test is over.
const nodeHttp2 = (options = {}, headers = {}) => async (port, { weir, ca, t }) => {
  const socket = weir ? await tunnel(t, weir, port, 'localhost') : undefined;
  const secure = tls.connect({ ...(socket ? { socket } : { port, host: '127.0.0.1' }), servername: 'localhost', ca: fs.readFileSync(ca), ALPNProtocols: ['h2'] });
  await once(secure, 'secureConnect');
  const session = http2.connect(`https://localhost:${port}`, { ...options, createConnection: () => secure });
  session.on('error', () => {});
  atEnd(t, () => session.destroy());
  const stream = session.request({ ':path': '/', ...headers });
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
};

const nghttp = (...args) => async (port, { weir, t }) => {
  // It knows no CONNECT: a pipe for it through weir's tunnel.
  const to = weir ? await pipe(t, weir, port) : port;
  const { code, stdout, stderr } = await run('nghttp', [...args, '-H', `:authority: localhost:${port}`, `https://localhost:${to}/`], { env: ENV });
  return code === 0 ? stdout : `nghttp ${code}: ${stderr}`;
};

async function pipe(t, weir, port) {
  const net = require('node:net');
  const server = net.createServer(async (socket) => {
    const through = await tunnel(t, weir, port, 'localhost');
    for (const [a, b] of [[socket, through], [through, socket]]) a.on('error', () => b.destroy()).pipe(b);
  });
  atEnd(t, () => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

// --- TLS ---

const LISTS = [['version', 'versions'], ['suite', 'suites'], ['group', 'groups'], ['key share', 'shares'], ['signature algorithm', 'signatures'], ['extension', 'extensions']];
const MANY = { shares: 'key shares', signatures: 'signature algorithms' };

// What the record has to say of the difference between two hellos, in numbers of entries; order only where it differs.
function difference(one, other) {
  const said = {};
  for (const [what, list] of LISTS) {
    const bothHave = list === 'extensions' || list === 'suites' || (one[list].length && other[list].length);
    const missing = one[list].filter((item) => !other[list].includes(item));
    if (missing.length && bothHave) said[what] = missing.length;
    const common = one[list].filter((item) => other[list].includes(item));
    if (String(common) !== String(other[list].filter((item) => one[list].includes(item)))) said[`order of ${MANY[list] ?? list}`] = 1;
  }
  return said;
}

function counted(entries) {
  const said = {};
  for (const entry of entries) {
    if (entry === 'GREASE') continue;
    const what = entry.startsWith('order of') ? entry : LISTS.map(([name]) => name).find((name) => entry.startsWith(`${name} `)) ?? entry;
    said[what] = (said[what] ?? 0) + 1;
  }
  return said;
}

// JA3 as its authors describe it; extensions in their order on the wire are needed for it, with those that pass.
const md5 = (text) => createHash('md5').update(text).digest('hex');

async function show(weir, seq) {
  const { code, stdout, stderr } = await weir.command(['show', String(seq), '--json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

// The hello of the client without weir and by it, and what the record says.
async function greet(t, w, ask, options = {}, origin) {
  origin ??= await greetedOrigin(t, w.cert, options);
  const before = origin.greetings.length;
  const direct = { got: await ask(origin.port, { ca: w.originCa.caFile, t }) };
  const first = (greetings) => greetings.find((g) => g.pseudo) ?? greetings[0]; // a browser's may have no request
  direct.greeting = first(origin.greetings.slice(before));
  const middle = origin.greetings.length;
  const via = { got: await ask(origin.port, { weir: w.weir, ca: w.weir.ca, t }) };
  via.greeting = first(origin.greetings.slice(middle));
  return { origin, direct, via };
}

async function sameHello(t, w, ask, options = {}) {
  const { origin, direct, via } = await greet(t, w, ask, options);
  assert.equal(direct.got, 'ok');
  assert.equal(via.got, 'ok');
  const [mine, theirs] = [via.greeting.hello, direct.greeting.hello];
  const [row] = await w.recorded(origin.port);
  const shown = await show(w.weir, row.seq);
  assert.equal(shown.origin_tls.mirrored, true);
  assert.deepEqual(counted(shown.origin_tls.left_out.filter((e) => !/^(point formats|modes of resuming)/.test(e))), difference(theirs, mine), `left out: ${shown.origin_tls.left_out}`);
  assert.deepEqual(counted(shown.origin_tls.added), Object.fromEntries(Object.entries(difference(mine, theirs)).filter(([what]) => !what.startsWith('order'))));
  assert.equal(shown.origin_tls.left_out.includes('GREASE'), theirs.grease);
  assert.deepEqual(mine.alpn, theirs.alpn);
  if (!shown.origin_tls.left_out.includes('point formats')) assert.deepEqual(mine.pointFormats, theirs.pointFormats);
  if (!shown.origin_tls.left_out.includes('modes of resuming')) assert.deepEqual(mine.pskModes, theirs.pskModes);
  assert.equal(mine.hasSessionId, theirs.hasSessionId);
  assert.deepEqual(via.greeting.tls, direct.greeting.tls, 'what was agreed');
  return { shown, mine, theirs, origin };
}

test('the ClientHello', async (t) => {
  const w = await world(t);

  for (const [what, ask, options = {}] of [
    ['curl', curl()],
    ['curl with HTTP/2', curl('--http2'), { alpn: ['h2', 'http/1.1'] }],
    ['curl with suites and curves in its own order', curl('--ciphers', 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256',
      '--tls13-ciphers', 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256', '--curves', 'P-384:X25519')],
    ['curl with TLS 1.2 alone', curl('--tls-max', '1.2')],
    ['curl with TLS 1.3 alone', curl('--tlsv1.3')],
    ['curl without ALPN', curl('--no-alpn')],
    ['curl without tickets', curl('--no-sessionid')],
    ['openssl with old suites', sClient('-cipher', 'ECDHE-ECDSA-AES256-SHA:AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256', '-groups', 'P-521:X448:P-256')],
    ['openssl with its own signature algorithms', sClient('-sigalgs', 'ed25519:ECDSA+SHA512:ECDSA+SHA256:RSA-PSS+SHA256', '-no_ticket')],
    ['openssl without the middlebox\'s session id', sClient('-no_middlebox')],
    ['openssl that asks for the certificate\'s status', sClient('-status')],
    ['openssl with post-handshake authentication', sClient('-enable_pha')],
    ['Node', node()],
    ['Node with everything in another order', node({ ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:AES256-SHA', ecdhCurve: 'P-521:X25519',
      sigalgs: 'ecdsa_secp521r1_sha512:ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256', ALPNProtocols: ['http/1.0', 'http/1.1'] })],
    ['wget, whose TLS is GnuTLS', wget],
    ['nghttp', nghttp(), { alpn: ['h2'] }]])
    await t.test(`of ${what}`, async (t) => {
      const { shown, mine, theirs } = await sameHello(t, w, ask, options);
      if (!/GnuTLS/.test(what)) { // OpenSSL says what OpenSSL can say
        const obsolete = what === 'nghttp' ? ['extension next_protocol_negotiation'] : []; // NPN, which ALPN replaced
        assert.deepEqual(shown.origin_tls.left_out, obsolete);
        assert.deepEqual({ ...mine, types: [] }, { ...theirs, extensions: theirs.extensions.filter((e) => !obsolete.includes(`extension ${e}`)), types: [] });
      }
    });

  await t.test('the client\'s own is told by JA3 and JA4', async (t) => {
    const { shown, theirs } = await sameHello(t, w, node({ ALPNProtocols: ['http/1.1'] }));
    const { ja3, ja4, alpn, version } = shown.client_tls.offered;
    assert.match(ja3, /^[0-9a-f]{32}$/);
    const types = theirs.types.filter((type) => type !== 21);
    const text = [theirs.legacyVersion, theirs.suites.join('-'), types.join('-'), theirs.groups.join('-'), theirs.pointFormats.join('-')].join(',');
    assert.equal(ja3, md5(text), text);
    const hex = (n) => n.toString(16).padStart(4, '0');
    const sha = (s) => createHash('sha256').update(s).digest('hex').slice(0, 12);
    const two = (n) => String(Math.min(n, 99)).padStart(2, '0');
    const rest = types.filter((type) => type !== 0 && type !== 16).map(hex).sort().join(',');
    assert.equal(ja4, `t13d${two(theirs.suites.length)}${two(types.length)}h1_${sha(theirs.suites.map(hex).sort().join(','))}_${sha(`${rest}_${theirs.signatures.map(hex).join(',')}`)}`);
    assert.deepEqual(alpn, ['http/1.1']);
    assert.equal(version, 'TLSv1.3');
  });

  await t.test('an origin that takes only what the client offers last', async (t) => {
    const late = { ciphers: 'ECDHE-ECDSA-AES256-SHA', maxVersion: 'TLSv1.2' };
    const { mine } = await sameHello(t, w, node({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA' }), late);
    assert.equal(mine.suites.at(-2), 0xc00a);
    await sameHello(t, w, node({ ecdhCurve: 'X25519:P-256:P-521' }), { ecdhCurve: 'P-521' });
    await sameHello(t, w, node({ ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' }), { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' });
  });

  await t.test('an origin that takes nothing of what the client offers refuses weir too', async (t) => {
    for (const options of [{ ciphers: 'ECDHE-ECDSA-AES256-SHA', maxVersion: 'TLSv1.2' }, { ecdhCurve: 'P-521' }]) {
      const { direct, via } = await greet(t, w, curl('--ciphers', 'ECDHE-ECDSA-AES128-GCM-SHA256', '--curves', 'P-256', '-w', '%{http_code}'), options);
      assert.match(direct.got, /^curl 35: /);
      assert.match(via.got, /502$/);
      assert.equal(via.greeting.error, direct.greeting.error);
      assert.equal(via.greeting.tls, null);
    }
  });

  await t.test('an origin that chooses of the offer what the client does not like best', async (t) => {
    for (const [offer, chosen] of [[['http/1.1', 'http/1.0'], 'http/1.0'], [['h2', 'http/1.1'], 'http/1.1'], [['h2', 'http/1.1'], 'h2'], [['http/1.0'], false]]) {
      const origin = await rawOrigin(t, (socket) => socket.on('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nok')),
        { cert: w.cert, ALPNProtocols: chosen ? [chosen] : undefined });
      for (const by of ['asking', 'memory']) {
        const wire = await secure(await tunnel(t, w.weir, origin.port, 'localhost'), { ca: fs.readFileSync(w.weir.ca), ALPNProtocols: offer });
        assert.equal(wire.socket.alpnProtocol, chosen, by);
        if (chosen === 'h2') await wire.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00').until('\x04\x01'); // SETTINGS taken
        else await wire.write(request(origin.port)).until('\r\n\r\nok');
      }
    }
  });

  await t.test('an origin that chooses what is no HTTP, of an offer that has some', async (t) => {
    const origin = await rawOrigin(t, (socket) => socket.on('data', (bytes) => socket.write(`echo ${bytes}`)).on('end', () => socket.end()), { cert: w.cert, ALPNProtocols: ['echo/1'] });
    for (let i = 1; i <= 2; i++) {
      const wire = await secure(await tunnel(t, w.weir, origin.port, 'localhost'), { ca: fs.readFileSync(w.weir.ca), ALPNProtocols: ['h2', 'http/1.1', 'echo/1'] });
      assert.equal(wire.socket.alpnProtocol, 'echo/1');
      await wire.write('\x00\x01hello').until('echo \x00\x01hello');
      wire.finish();
      await wire.end;
      assert.equal(origin.connections.length, i);
    }
  });

  const old = 'DEFAULT@SECLEVEL=0';
  for (const version of ['TLSv1', 'TLSv1.1']) {
    const only = { minVersion: version, maxVersion: version, ciphers: old };
    await t.test(`an origin that speaks ${version} alone, to a client that does too`, async (t) => {
      for (const client of [only, { minVersion: 'TLSv1', maxVersion: 'TLSv1.3', ciphers: old }]) {
        const { via, direct } = await greet(t, w, node(client), only);
        assert.deepEqual([direct.got, via.got], ['ok', 'ok']);
        assert.equal(via.greeting.tls.protocol, version);
        assert.deepEqual({ ...via.greeting.hello, extensions: [], types: [] }, { ...direct.greeting.hello, extensions: [], types: [] });
      }
    });
    await t.test(`and to one that does not`, async (t) => {
      const { direct, via } = await greet(t, w, curl('--tlsv1.2', '-w', '%{http_code}'), only);
      assert.match(direct.got, /^curl 35: /);
      assert.match(via.got, /502$/);
      assert.equal(via.greeting.error, direct.greeting.error);
      assert.deepEqual(via.greeting.hello, direct.greeting.hello);
    });
  }

  await t.test('a session is resumed under the same offer, and under no other', async (t) => {
    const origin = await greetedOrigin(t, w.cert);
    const resumed = async (ask) => {
      const before = origin.greetings.length;
      assert.equal(await ask(origin.port, { weir: w.weir, ca: w.weir.ca, t }), 'ok');
      return origin.greetings[before].tls.resumed;
    };
    const offers = [node(), node({ ecdhCurve: 'P-384:X25519' }), node({ maxVersion: 'TLSv1.2' })];
    // Sessions are kept by each worker: one of them has served a client of each kind after a few.
    for (const ask of offers) {
      assert.equal(await resumed(ask), false, 'the first of its kind');
      let count = 0;
      for (let i = 0; i < 12; i++) count += await resumed(ask);
      assert.ok(count >= 4, `${count} of 12`);
    }
    const versions = origin.greetings.filter((g) => g.tls.resumed).map((g) => g.tls.protocol);
    assert.ok(versions.includes('TLSv1.2') && versions.includes('TLSv1.3'));
  });
});

// --- HTTP/2 ---

const H2 = { alpn: ['h2'] };

async function sameProfile(t, w, ask) {
  const { origin, direct, via } = await greet(t, w, ask, H2);
  assert.equal(direct.got, 'ok');
  assert.equal(via.got, 'ok');
  const [mine, theirs] = [via.greeting, direct.greeting];
  const asSent = theirs.profile.settings.map(([id, value]) => [id, id === 2 ? 0 : value]); // ENABLE_PUSH: weir takes none
  assert.deepEqual(mine.profile.settings, asSent);
  const sum = (increments) => increments.reduce((a, b) => a + b, 0);
  assert.equal(sum(mine.profile.increments), sum(theirs.profile.increments));
  assert.equal(mine.pseudo, theirs.pseudo);
  return { origin, direct, via };
}

test('the beginning of HTTP/2', async (t) => {
  const w = await world(t);

  for (const [what, ask] of [
    ['curl', curl('--http2')],
    ['curl with a body', curl('--http2', '-d', 'x')],
    ['Node', nodeHttp2()],
    ['Node with settings of its own', nodeHttp2({ settings: { headerTableSize: 100000, initialWindowSize: 123456, maxFrameSize: 20000, maxConcurrentStreams: 7,
      maxHeaderListSize: 5000, enablePush: false, customSettings: { 0x99: 77 } } })],
    ['Node with other pseudo-headers first', nodeHttp2({}, { ':path': '/', ':scheme': 'https', ':method': 'GET', ':authority': 'localhost' })],
    ['nghttp', nghttp()],
    ['nghttp with windows of its own', nghttp('-w', '20', '-W', '25')]])
    await t.test(`of ${what}`, async (t) => {
      await sameProfile(t, w, ask);
    });

  await t.test('whose fields need a table of 4 GiB: 1 MiB is offered', async (t) => {
    const { direct, via } = await greet(t, w, nodeHttp2({ settings: { headerTableSize: 2 ** 32 - 1 } }), H2);
    assert.deepEqual([direct, via].map(({ greeting }) => greeting.profile.settings.find(([id]) => id === 1)), [[1, 2 ** 32 - 1], [1, 1 << 20]]);
  });

  await t.test('clients that begin alike share a connection, others do not', async (t) => {
    const origin = await greetedOrigin(t, w.cert, H2);
    const get = (settings) => nodeHttp2({ settings })(origin.port, { weir: w.weir, ca: w.weir.ca, t });
    const workers = (await run('nproc', [])).stdout;
    for (let i = 0; i < 8; i++) assert.equal(await get({ initialWindowSize: 100000 }), 'ok');
    assert.ok(origin.greetings.length <= workers, 'one a worker at most');
    const before = origin.greetings.length;
    assert.equal(await get({ initialWindowSize: 100001 }), 'ok');
    assert.equal(origin.greetings.length, before + 1);
    for (const { profile } of origin.greetings.slice(0, before)) assert.deepEqual(profile.settings, origin.greetings[0].profile.settings);
    assert.deepEqual(origin.greetings[before].profile.settings.find(([id]) => id === 4), [4, 100001]);
  });
});

// A client's frames, made by hand: it announces windows of 1 GiB, asks for count bodies, and reads none of them.
async function neverReads(t, weir, port, count) {
  const GIB = 1 << 30;
  const frame = (type, flags, stream, body) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(body.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, body]);
  };
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(4, 0);
  settings.writeUInt32BE(GIB, 2);
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(GIB, 0);
  const authority = Buffer.from(`localhost:${port}`);
  const block = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x41, authority.length]), authority]); // GET https / and :authority
  const socket = await tunnel(t, weir, port, 'localhost');
  const secure = tls.connect({ socket, servername: 'localhost', ca: fs.readFileSync(weir.ca), ALPNProtocols: ['h2'] });
  secure.on('error', () => {});
  await once(secure, 'secureConnect');
  secure.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, settings), frame(8, 0, 0, increment),
    ...Array.from({ length: count }, (_, i) => frame(1, 5, 2 * i + 1, block))]));
  secure.pause();
  return secure;
}

test('a client with windows of 1 GiB that never reads', { skip: !MEASURED && 'no weir without sanitizers here' }, async (t) => {
  const w = await world(t, []);
  await w.weir.stop();
  await w.weir.start(['--quiet', '--no-bodies', '--upstream-ca', w.originCa.caFile], { program: MEASURED });
  const piece = Buffer.alloc(1 << 20);
  let sent = 0, stuck = 0;
  const origin = await greetedOrigin(t, w.cert, { ...H2, answer: (req, res) => {
    if (req.method === 'POST') {
      req.resume().on('end', () => res.end('ok'));
      return;
    }
    const pour = () => {
      for (let taken = true; taken && !res.destroyed && sent < 3 * (1 << 30);) {
        taken = res.write(piece);
        sent += piece.length;
      }
    };
    res.on('drain', pour);
    pour();
  } });
  const before = w.weir.memory('VmRSS');
  const client = await neverReads(t, w.weir, origin.port, 20);
  await until(() => origin.greetings.some((g) => g.profile), 'a greeting');
  assert.deepEqual(origin.greetings[0].profile, { settings: [[4, 1 << 30]], increments: [1 << 30] });
  for (let last = -1; stuck < 10;) { // until nothing has moved for a while
    stuck = sent === last ? stuck + 1 : 0;
    last = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const grown = (w.weir.memory('VmHWM') - before) / (1 << 20);
  t.diagnostic(`${sent >> 20} MiB sent by the origin; weir grew by ${grown.toFixed(1)} MiB`);
  assert.ok(grown < 48, `${grown} MiB`);
  // It is read after all: everything goes on.
  const stood = sent;
  client.resume();
  await until(() => sent > stood + (100 << 20), 'more after it reads');
});

test('Chromium', { skip: chromium.missing }, async (t) => {
  const w = await world(t);
  const ask = async (port, { weir, t }) => {
    const browser = await chromium.startChromium(t, weir);
    const page = await (await browser.newContext({ ignoreHTTPSErrors: !weir })).newPage();
    await page.goto(`https://localhost:${port}/`);
    const text = await page.textContent('body');
    await browser.close();
    return text;
  };
  const { shown, theirs } = await sameHello(t, w, ask, { alpn: ['h2', 'http/1.1'] });
  assert.ok(theirs.grease);
  assert.ok(shown.origin_tls.left_out.includes('extension compress_certificate'));
  assert.ok(shown.origin_tls.left_out.includes('extension encrypted_client_hello'));
  await sameProfile(t, w, ask);
});

test('--no-mirror: weir\'s own greeting, whoever asks', async (t) => {
  const w = await world(t, ['--no-mirror']);
  const profiles = [];
  for (const ask of [curl('--http2', '--curves', 'P-384'), nodeHttp2({ settings: { initialWindowSize: 99999 } }), nghttp()]) {
    const { origin, direct, via } = await greet(t, w, ask, H2);
    assert.equal(via.got, 'ok');
    assert.notDeepEqual(via.greeting.hello, direct.greeting.hello);
    assert.notDeepEqual(via.greeting.profile, direct.greeting.profile);
    assert.deepEqual(via.greeting.profile.settings.find(([id]) => id === OWN_WINDOW[0]), OWN_WINDOW);
    profiles.push([{ ...via.greeting.hello, alpn: [] }, via.greeting.profile, via.greeting.pseudo]);
    const [row] = await w.recorded(origin.port);
    assert.equal((await show(w.weir, row.seq)).origin_tls.mirrored, undefined);
  }
  assert.deepEqual(profiles[1], profiles[0]);
  assert.deepEqual(profiles[2], profiles[0]);
});
