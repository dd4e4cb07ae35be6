// Origins that ask for a client certificate get the one that --client-cert has for them; where there is none, or it is not what
// they want, the client is told so.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { world } = require('./support/world');
const { makeCa, openssl } = require('./support/certs');
const { WEIR, atEnd, run, scratch } = require('./support/weir');
const { until } = require('./support/client');
const { secure, tunnel } = require('./support/wire');
const { greetedOrigin } = require('./support/greeted');

const ENV = { PATH: process.env.PATH };
const CLIENT_CERT_WANTED = 1 << 7;

// Certificates of a user, in every form that --client-cert takes.
function users(dir) {
  const file = (name) => path.join(dir, name);
  const [key, cert] = [file('user.key'), file('user.pem')];
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=alice', '-keyout', key, '-out', cert);
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=mallory', '-keyout', file('other.key'), '-out', file('other.pem'));
  fs.writeFileSync(file('both.pem'), fs.readFileSync(cert) + fs.readFileSync(key));
  openssl('ec', '-aes128', '-passout', 'pass:open sesame', '-in', key, '-out', file('locked.key'));
  openssl('pkcs12', '-export', '-passout', 'pass:open sesame', '-in', cert, '-inkey', key, '-out', file('user.p12'));
  fs.writeFileSync(file('pass'), 'open sesame\nand no more\n');
  fs.writeFileSync(file('wrong'), 'close sesame\n');
  return file;
}

// curl by weir: { status, text, version }.
async function get(w, port, ...args) {
  const { code, stdout, stderr } = await run('curl', ['-sS', '-m', '20', '--proxy', w.weir.url, '--cacert', w.weir.ca, '-w', '\n%{http_code} %{http_version}', ...args,
    `https://localhost:${port}/`], { env: ENV });
  assert.equal(code, 0, stderr);
  const [, text, status, version] = /^([^]*)\n(\d+) (\S+)$/.exec(stdout);
  return { status: Number(status), text, version };
}

// openssl's own server: it says by an alert what it thinks of a certificate, where Node's closes without a word.
async function sServer(t, w, ...args) {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  const child = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', w.cert.certFile, '-key', w.cert.keyFile, '-www', '-verify_return_error', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (d) => { said += d; });
  atEnd(t, async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  await until(() => said.includes('ACCEPT'), 'openssl s_server');
  return port;
}

const WANTS = /the origin wants a client certificate, and weir has none for it/;
const REFUSED = /the origin refused the client certificate that it was shown/;

test('an origin that asks for a certificate', async (t) => {
  const file = users(scratch(t));
  const mutual = { requestCert: true, rejectUnauthorized: true, ca: fs.readFileSync(file('user.pem')) };

  for (const [what, args, env] of [
    ['a PEM pair', [`${file('user.pem')},${file('user.key')}`]],
    ['one PEM file with both', [file('both.pem')]],
    ['a PEM pair whose key is locked', [`${file('user.pem')},${file('locked.key')}`, '--client-cert-pass', `file:${file('pass')}`]],
    ['PKCS#12, the passphrase in a file', [file('user.p12'), '--client-cert-pass', `file:${file('pass')}`]],
    ['PKCS#12, the passphrase in the environment', [file('user.p12'), '--client-cert-pass', 'env:WEIR_TEST_PASS'], { WEIR_TEST_PASS: 'open sesame' }]])
    await t.test(`is shown ${what}`, async (t) => {
      if (env) process.env.WEIR_TEST_PASS = env.WEIR_TEST_PASS;
      const w = await world(t, ['--client-cert', ...args]);
      delete process.env.WEIR_TEST_PASS;
      for (const [version, alpn] of [['TLSv1.2', 'http/1.1'], ['TLSv1.3', 'http/1.1'], ['TLSv1.2', 'h2'], ['TLSv1.3', 'h2']]) {
        const origin = await greetedOrigin(t, w.cert, { ...mutual, alpn: [alpn], minVersion: version, maxVersion: version });
        for (let i = 0; i < 3; i++) assert.deepEqual(await get(w, origin.port), { status: 200, text: 'ok', version: alpn === 'h2' ? '2' : '1.1' });
        for (const greeting of origin.greetings) {
          assert.deepEqual([greeting.tls.cert, greeting.tls.authorized, greeting.tls.protocol], ['alice', true, version]);
        }
        const [row] = await w.recorded(origin.port, 3);
        const { stdout } = await w.weir.command(['show', String(row.seq), '--json']);
        assert.equal(JSON.parse(stdout).origin_tls.client_certificate, 'CN = alice');
        assert.equal(row.flags & CLIENT_CERT_WANTED, CLIENT_CERT_WANTED);
      }
    });

  await t.test('only where the rule says', async (t) => {
    const w = await world(t, []);
    const origins = [];
    for (let i = 0; i < 3; i++) origins.push(await greetedOrigin(t, w.cert, { requestCert: true, rejectUnauthorized: false, ca: mutual.ca }));
    await w.weir.stop();
    await w.weir.start(['--quiet', '--upstream-ca', w.originCa.caFile,
      '--client-cert', `localhost:${origins[0].port}=${file('both.pem')}`,
      '--client-cert', `*host:${origins[1].port}=${file('other.pem')},${file('other.key')}`,
      '--client-cert', `*.example:${origins[2].port}=${file('both.pem')}`]);
    const shown = [];
    for (const origin of origins) {
      assert.equal((await get(w, origin.port)).status, 200);
      shown.push(origin.greetings[0].tls.cert);
    }
    assert.deepEqual(shown, ['alice', 'mallory', undefined]);
  });

  await t.test('and is shown none', async (t) => {
    const w = await world(t);
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const tlsArg = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
      const ports = { alert: await sServer(t, w, tlsArg, '-Verify', '1') };
      for (const alpn of ['http/1.1', 'h2']) ports[alpn] = (await greetedOrigin(t, w.cert, { ...mutual, alpn: [alpn], minVersion: version, maxVersion: version })).port;
      for (const [how, port] of Object.entries(ports)) {
        for (let i = 1; i <= 3; i++) { // the later ones would resume, were there a session to resume
          const { status, text } = await get(w, port, '-H', 'Accept: text/plain');
          assert.equal(status, 502, `${version} ${how}`);
          assert.match(text, WANTS, `${version} ${how} ${i}`);
        }
        const rows = await w.recorded(port, 3);
        for (const row of rows) {
          assert.match(row.error, WANTS);
          assert.equal(row.flags & CLIENT_CERT_WANTED, CLIENT_CERT_WANTED);
          assert.equal(row.attempts, 1);
        }
      }
    }
  });

  await t.test('and wants another than it is shown', async (t) => {
    const w = await world(t, ['--client-cert', `${file('other.pem')},${file('other.key')}`]);
    for (const [version, tlsArg] of [['TLSv1.2', '-tls1_2'], ['TLSv1.3', '-tls1_3']]) {
      const ports = [await sServer(t, w, tlsArg, '-Verify', '1', '-CAfile', file('user.pem')),
        (await greetedOrigin(t, w.cert, { ...mutual, minVersion: version, maxVersion: version })).port,
        (await greetedOrigin(t, w.cert, { ...mutual, alpn: ['h2'], minVersion: version, maxVersion: version })).port];
      for (const port of ports) {
        const { status, text } = await get(w, port, '-H', 'Accept: text/plain');
        assert.equal(status, 502);
        assert.match(text, REFUSED, version);
        assert.match((await w.recorded(port))[0].error, REFUSED);
      }
    }
  });

  await t.test('and closes later, for a reason of its own', async (t) => {
    const w = await world(t);
    let asked = 0;
    const origin = await greetedOrigin(t, w.cert, { requestCert: true, rejectUnauthorized: false,
      answer: (req, res) => (++asked === 1 ? res.end('ok') : req.socket.destroy()) });
    const client = await secure(await tunnel(t, w.weir, origin.port, 'localhost'), { ca: fs.readFileSync(w.weir.ca) });
    const post = `POST / HTTP/1.1\r\nHost: localhost:${origin.port}\r\nContent-Length: 1\r\n\r\nx`;
    await client.write(post).until('ok');
    client.write(post);
    await client.end;
    assert.equal(client.text.split('HTTP/1.1').length, 2, client.text);
    assert.equal(origin.greetings.length, 1);
    const rows = await w.recorded(origin.port, 2);
    assert.equal(rows[0].status, 200);
    assert.doesNotMatch(rows[1].error, /certificate/);
  });
});

test('a certificate that can\'t be used is told at the start', async (t) => {
  const dir = scratch(t);
  const file = users(dir);
  const start = (...args) => run(WEIR, ['capture', '--listen', '127.0.0.1:0', '--store', file('weir.db'), '--ca-dir', file('ca'), '--client-cert', ...args], { env: { ...ENV, EMPTY: '' }, timeout: 20000 });

  for (const [what, args, code, words] of [
    ['a file that is not there', [file('nobody.pem')], 1, /no such file|nobody\.pem/i],
    ['a key that is another\'s', [`${file('user.pem')},${file('other.key')}`], 1, /other\.key.*(not belong|does not|another)|not belong/],
    ['no key', [file('user.pem')], 1, /key/],
    ['no certificate', [file('user.key')], 1, /certificate/],
    ['a wrong passphrase', [file('user.p12'), '--client-cert-pass', `file:${file('wrong')}`], 1, /passphrase/],
    ['a wrong passphrase of a PEM key', [`${file('user.pem')},${file('locked.key')}`, '--client-cert-pass', `file:${file('wrong')}`], 1, /passphrase/],
    ['no passphrase', [file('user.p12')], 1, /passphrase/],
    ['a passphrase that is nowhere', [file('user.p12'), '--client-cert-pass', 'env:NOWHERE'], 2, /NOWHERE/],
    ['a passphrase as such', [file('user.p12'), '--client-cert-pass', 'open sesame'], 2, /file:|env:/]])
    await t.test(what, async () => {
      const ended = await start(...args);
      assert.match(ended.stderr, words);
      assert.equal(ended.code, code, ended.stderr);
      assert.equal(ended.stdout, '');
      assert.doesNotMatch(ended.stderr, /sesame/);
      assert.equal(ended.stderr.trim().split('\n').length <= 2, true, ended.stderr);
    });
});
