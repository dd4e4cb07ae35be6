// Clients that pin: weir learns it from what they do, passes those hosts sealed for them alone, and says so wherever somebody looks.
// All clients are on this machine; by 127.0.0.N they are as many as are needed.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { makeCa } = require('./support/certs');
const { httpOrigin } = require('./support/origin');
const { WEIR, startWeir, run, scratch } = require('./support/weir');
const { secure, tunnel, visible } = require('./support/wire');

const BANK = 'bank.localhost', SHOP = 'shop.localhost';
const SEALED = 1 << 8;
const BODY = Buffer.alloc(100000, 'only for eyes that may see it ');
const PIN_NOT_MATCHED = 90, NOT_TRUSTED = 60; // curl's exit codes

async function scene(t, args = []) {
  const dir = scratch(t);
  const originCa = makeCa(dir);
  const cert = originCa.issue(['localhost', BANK, SHOP]);
  const origin = await httpOrigin(t, (req, res) => res.end(BODY), { cert });
  const weir = await startWeir(t, ['--upstream-ca', originCa.caFile, ...args], { dir });
  const both = path.join(dir, 'both.pem');
  fs.writeFileSync(both, fs.readFileSync(weir.ca) + fs.readFileSync(originCa.caFile));
  const key = new crypto.X509Certificate(cert.cert).publicKey.export({ type: 'spki', format: 'der' });
  const pin = `sha256//${crypto.createHash('sha256').update(key).digest('base64')}`;
  const curl = (host, from, ...more) => run('curl', ['-sS', '--noproxy', '', '-x', weir.url, '--interface', from, '--cacert', both,
    ...more, `https://${host}:${origin.port}/`], { binary: true });
  return {
    originCa, origin, weir, curl,
    pinning: (host, from, ...more) => curl(host, from, '--pinnedpubkey', pin, ...more),
    // Shows that this client trusts the CA.
    befriend: async (from) => assert.deepEqual((await curl(SHOP, from)).stdout, BODY),
    tunnels: (host) => weir.query(`select * from exchange where host = '${host}' and flags & ${SEALED} order by seq`),
    events: (kind) => weir.query(`select * from event where kind = '${kind}' order by id`),
    isPassedSealed: async (host, from) => {
      // Trusts the origin's CA alone: a leaf of weir's would not do.
      const got = await curl(host, from, '--cacert', originCa.caFile);
      assert.equal(got.code, 0, String(got.stderr));
      assert.deepEqual(got.stdout, BODY);
    },
  };
}

test('a client that compares pins when the handshake is done', async (t) => {
  const s = await scene(t);
  const [phone, laptop] = ['127.0.0.2', '127.0.0.3'];
  await s.befriend(phone);
  await s.befriend(laptop);

  await t.test('is refused twice, and then gets what it gets without weir', async () => {
    assert.equal((await s.pinning(BANK, phone)).code, PIN_NOT_MATCHED);
    assert.equal((await s.pinning(BANK, phone)).code, PIN_NOT_MATCHED);
    await s.weir.waitFor("select * from event where kind = 'sealed'");
    const got = await s.pinning(BANK, phone);
    assert.equal(got.code, 0, String(got.stderr));
    assert.deepEqual(got.stdout, BODY);
  });

  await t.test('what passed sealed is recorded as a tunnel, by its SNI', async () => {
    const [row] = await s.weir.waitFor(`select * from exchange where host = '${BANK}' and flags & ${SEALED} and state <> 0`);
    assert.equal(row.method, 'CONNECT');
    assert.equal(row.scheme, 'tls');
    assert.equal(row.port, s.origin.port);
    assert.equal(row.client_tls, null);
    assert.ok(row.tunnel_received_bytes > BODY.length);
    assert.ok(row.tunnel_sent_bytes > 300, 'a ClientHello at least');
    assert.ok(row.t_received_first > 0);
  });

  await t.test('the reason is told once, and found with the exchange', async () => {
    await s.pinning(BANK, phone);
    await s.weir.waitFor(`select 1 from exchange where flags & ${SEALED} and state <> 0 limit 1 offset 1`);
    const events = await s.events('sealed');
    assert.equal(events.length, 1);
    assert.equal(events[0].host, BANK);
    assert.match(events[0].text, /^127\.0\.0\.2 closed the connection as soon as it had weir's certificate for bank\.localhost, twice/);
    assert.match(events[0].text, /sealed for 1 h .* --open bank\.localhost/);
    for (const { seq } of await s.tunnels(BANK)) {
      const { stdout } = await s.weir.command(['show', String(seq)]);
      assert.match(stdout, /^note: +sealed/m);
      assert.ok(stdout.includes(events[0].text), stdout);
    }
    const { stdout } = await s.weir.command(['list', '--filter', 'is:pinned']);
    assert.equal((await s.weir.command(['list', '--filter', 'is:sealed'])).stdout, stdout);
    assert.equal(stdout.match(/ sealed .*tls:\/\/bank\.localhost/g).length, 2);
  });

  await t.test('only this client, and only this host', async () => {
    assert.deepEqual((await s.curl(BANK, laptop)).stdout, BODY);
    assert.deepEqual((await s.curl(SHOP, phone)).stdout, BODY);
    assert.equal((await s.tunnels(SHOP)).length, 0);
    const rows = await s.weir.waitFor(`select * from exchange where host = '${BANK}' and scheme = 'https' and method = 'GET' and state = 1`);
    assert.ok(rows.every((row) => row.client_addr.startsWith(`${laptop}:`)));
  });

  await t.test('the summary names it', async () => {
    await s.weir.stop();
    assert.match(s.weir.stdout, /^1 host passed sealed, unopened and unread:\n {2}127\.0\.0\.2 closed the connection/m);
  });
});

test('a client that sends an alert about the certificate', async (t) => {
  const s = await scene(t);
  const client = '127.0.0.2';
  const refuse = () => s.curl(BANK, client, '--cacert', s.originCa.caFile);
  await s.befriend(client);
  assert.equal((await refuse()).code, NOT_TRUSTED);
  assert.equal((await refuse()).code, NOT_TRUSTED);
  const [event] = await s.weir.waitFor("select * from event where kind = 'sealed'");
  await s.isPassedSealed(BANK, client);
  assert.match(event.text, /^127\.0\.0\.2 refused weir's certificate for bank\.localhost twice in a short time \(alert unknown_ca\)/);
  assert.deepEqual(await s.events('untrusted-ca'), []);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
  test(`a client that is gone as soon as it has the certificate, ${maxVersion}`, async (t) => {
    const s = await scene(t);
    const ca = fs.readFileSync(s.weir.ca);
    await s.befriend('127.0.0.1');
    for (let i = 0; i < 2; i++) {
      const raw = await tunnel(t, s.weir, s.origin.port, BANK);
      const socket = tls.connect({ socket: visible(raw).duplex, servername: BANK, ca, maxVersion,
                                   checkServerIdentity: () => new Error('not the one I know') });
      await once(socket, 'error');
      raw.destroy();
    }
    await s.weir.waitFor("select * from event where kind = 'sealed'");
    await s.isPassedSealed(BANK, '127.0.0.1');
  });
}

test('a client that cuts the connection in the middle of the handshake', async (t) => {
  const s = await scene(t);
  await s.befriend('127.0.0.1');
  for (let i = 0; i < 2; i++) {
    const raw = await tunnel(t, s.weir, s.origin.port, BANK);
    const { duplex } = visible(raw);
    tls.connect({ socket: duplex, servername: BANK }).on('error', () => {});
    await once(raw, 'data');
    raw.destroy();
  }
  await s.weir.waitFor("select * from event where kind = 'sealed'");
  await s.isPassedSealed(BANK, '127.0.0.1');
});

test('a browser that changes its mind is not taken for one that pins', async (t) => {
  const s = await scene(t);
  const ca = fs.readFileSync(s.weir.ca);
  for (let i = 0; i < 3; i++) {
    const unused = await secure(await tunnel(t, s.weir, s.origin.port, BANK), { servername: BANK, ca });
    unused.cut();
    await unused.end; // weir has seen it
    assert.deepEqual((await s.curl(BANK, '127.0.0.1')).stdout, BODY);
  }
  await s.weir.waitFor(`select 1 from exchange where method = 'GET' and state = 1 limit 1 offset 2`);
  assert.deepEqual(await s.events('sealed'), []);
});

test('a browser that drops all its connections at once has refused nothing twice', async (t) => {
  const s = await scene(t);
  const ca = fs.readFileSync(s.weir.ca);
  const open = async () => secure(await tunnel(t, s.weir, s.origin.port, BANK), { servername: BANK, ca });
  const unused = [await open(), await open(), await open()];
  for (const one of unused) one.cut();
  for (const one of unused) await one.end;
  assert.deepEqual((await s.curl(BANK, '127.0.0.1')).stdout, BODY);
  await s.weir.waitFor("select 1 from exchange where method = 'GET' and state = 1");
  assert.deepEqual(await s.events('sealed'), []);
});

test('a client that never trusted the CA is told so once, and nothing is sealed', async (t) => {
  const s = await scene(t);
  for (let i = 0; i < 4; i++) assert.equal((await s.curl(BANK, '127.0.0.2', '--cacert', s.originCa.caFile)).code, NOT_TRUSTED);
  await s.weir.waitFor("select 1 from event where kind = 'handshake-refused' limit 1 offset 3");
  const told = await s.events('untrusted-ca');
  assert.equal(told.length, 1);
  assert.match(told[0].text, /^127\.0\.0\.2 does not trust weir's CA: .*weir ca trust/);
  assert.deepEqual(await s.events('sealed'), []);
  assert.deepEqual(await s.tunnels(BANK), []);

  await t.test('what it did before it trusted counts for nothing', async () => {
    await s.befriend('127.0.0.2');
    assert.equal((await s.pinning(BANK, '127.0.0.2')).code, PIN_NOT_MATCHED);
    assert.deepEqual(await s.events('sealed'), []);
    assert.equal((await s.pinning(BANK, '127.0.0.2')).code, PIN_NOT_MATCHED);
    await s.weir.waitFor("select * from event where kind = 'sealed'");
  });
});

test('--seal', async (t) => {
  const s = await scene(t, ['--seal', `nobody.test,${BANK}`]);
  await s.isPassedSealed(BANK, '127.0.0.2');
  await s.isPassedSealed(BANK, '127.0.0.2');
  assert.deepEqual((await s.curl(SHOP, '127.0.0.2')).stdout, BODY);
  await s.weir.waitFor(`select 1 from exchange where host = '${BANK}' and flags & ${SEALED} and state <> 0 limit 1 offset 1`);
  assert.equal((await s.tunnels(SHOP)).length, 0);
  const events = await s.events('sealed');
  assert.equal(events.length, 1);
  assert.equal(events[0].text, `${BANK} passes sealed, as --seal ${BANK} wants it; --open ${BANK} makes an exception`);

  await t.test('a host known to be sealed is dialled before CONNECT is answered', async () => {
    const free = net.createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address();
    free.close();
    await once(free, 'close');
    const { stdout } = await run('curl', ['-s', '--noproxy', '', '-x', s.weir.url, '-o', '/dev/null', '-w', '%{http_connect}', `https://${BANK}:${port}/`]);
    assert.equal(stdout, '502');
  });
});

test('--open wins over --seal', async (t) => {
  const s = await scene(t, ['--seal', '*', '--open', SHOP]);
  await s.isPassedSealed(BANK, '127.0.0.2');
  await s.isPassedSealed('localhost', '127.0.0.2');
  assert.equal((await s.curl(SHOP, '127.0.0.2', '--cacert', s.originCa.caFile)).code, NOT_TRUSTED);
  assert.deepEqual((await s.curl(SHOP, '127.0.0.2')).stdout, BODY);
});

for (const args of [['--open', BANK], ['--no-auto-seal']]) {
  test(`${args.join(' ')}: nothing that is learned seals it`, async (t) => {
    const s = await scene(t, args);
    await s.befriend('127.0.0.2');
    for (let i = 0; i < 4; i++) assert.equal((await s.pinning(BANK, '127.0.0.2')).code, PIN_NOT_MATCHED);
    await s.befriend('127.0.0.2');
    await s.weir.waitFor(`select 1 from exchange where host = '${SHOP}' and state = 1 limit 1 offset 1`);
    assert.deepEqual(await s.events('sealed'), []);
    assert.deepEqual(await s.tunnels(BANK), []);
  });
}

test('a rule that is none is wrong usage', async (t) => {
  const dir = scratch(t);
  for (const [option, rule, why] of [['--seal', 'https://a.test/', /--seal 'https:\/\/a\.test\/': hosts are meant, not URLs/],
    ['--open', 'a.test:99999', /--open 'a\.test:99999': a port is a number from 1 to 65535/]]) {
    const { code, stderr } = await run(WEIR, ['capture', '--listen', '127.0.0.1:0', '--store', path.join(dir, 'weir.db'), '--ca-dir', dir, option, rule]);
    assert.equal(code, 2);
    assert.match(stderr, why);
  }
});
