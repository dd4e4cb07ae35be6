// An origin that can't be reached or trusted: a clean answer that says why, for people as a page, recorded with its error.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { world } = require('./support/world');
const { rawOrigin, answerEach } = require('./support/origin');
const { makeCa } = require('./support/certs');
const { connect, secure, tunnel } = require('./support/wire');
const { scratch } = require('./support/weir');

test('origins that can\'t be reached or trusted', async (t) => {
  const w = await world(t);
  const script = answerEach('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const gone = await rawOrigin(t, () => {});
  await new Promise((resolve) => gone.server.close(resolve));

  const failed = async (c, target, host, accept) => {
    const body = /\r\n\r\n[^]*\n$/;
    await c.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAccept: ${accept}\r\n\r\n`).until((wire) => body.test(wire.text));
    return c.text;
  };

  // How far it came is recorded of what failed, too.
  const reached = (row, port) => {
    assert.deepEqual([row.origin_addr, row.attempts], [`127.0.0.1:${port}`, 1]);
    assert.ok(row.t_connect_start <= row.t_connect_end);
  };

  await t.test('refused: text for programs, a page for browsers', async () => {
    const url = `http://127.0.0.1:${gone.port}/`;
    const text = await failed(await connect(t, w.weir.port), url, 'x', '*/*');
    assert.match(text, /^HTTP\/1.1 502 Bad Gateway\r\n[^]*Content-Type: text\/plain[^]*\r\n\r\nweir: .*refused/i);
    const page = await failed(await connect(t, w.weir.port), url, 'x', 'text/html,*/*;q=0.8');
    assert.match(page, /^HTTP\/1.1 502 Bad Gateway\r\n[^]*Content-Type: text\/html[^]*<h1>502 Bad Gateway<\/h1>[^]*refused/i);
    const rows = await w.recorded(gone.port, 2);
    assert.deepEqual(rows.map((row) => [row.status, row.state]), [[502, 2], [502, 2]]);
    assert.match(rows[0].error, /refused/i);
    assert.equal(rows[0].flags & 64, 64, 'weir\'s own');
    for (const row of rows) reached(row, gone.port);
  });

  await t.test('a name that does not exist', async () => {
    const text = await failed(await connect(t, w.weir.port), 'http://nowhere.invalid:81/', 'nowhere.invalid', '*/*');
    assert.match(text, /^HTTP\/1.1 50[24] [^]*nowhere\.invalid/);
    const [row] = await w.recorded(81);
    assert.equal(row.state, 2);
  });

  await t.test('the connection goes on after it', async () => {
    const c = await connect(t, w.weir.port);
    await failed(c, `http://127.0.0.1:${gone.port}/`, 'x', '*/*');
    const origin = await rawOrigin(t, script);
    await c.write(`GET http://127.0.0.1:${origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`).until('\r\n\r\nok');
  });

  const stranger = makeCa(scratch(t));
  for (const [what, cert, why] of [
    ['a CA that nobody knows', stranger.issue(), /certificate/i],
    ['a self-signed certificate', stranger.issue(undefined, { self: true }), /self.signed/i],
    ['another host\'s certificate', w.originCa.issue(['other.test']), /127\.0\.0\.1|localhost|host/i],
    ['an expired certificate', w.originCa.issue(undefined, { days: -1 }), /expired/i],
  ])
    await t.test(`TLS: ${what}`, async () => {
      const origin = await rawOrigin(t, script, { cert });
      const c = await secure(await tunnel(t, w.weir, origin.port), { ca: fs.readFileSync(w.weir.ca) });
      const text = await failed(c, '/', `127.0.0.1:${origin.port}`, '*/*');
      assert.match(text, /^HTTP\/1.1 502 Bad Gateway\r\n/);
      assert.match(text, why);
      const [row] = await w.recorded(origin.port);
      assert.equal(row.scheme, 'https');
      assert.equal(row.status, 502);
      assert.match(row.error, why);
      reached(row, origin.port);
      assert.ok(row.t_tls_start <= row.t_tls_end);
      const [{ facts }] = await w.weir.query(`select facts from tls where id = ${row.origin_tls}`);
      const { verified, why: told, fingerprint_sha256: fingerprint } = JSON.parse(facts);
      assert.deepEqual([verified, told, fingerprint.length], [false, row.error, 64]);
      assert.ok(origin.connections.every((o) => o.bytes.length === 0), 'not a byte of the request');
    });

  await t.test('TLS with an origin that speaks none', async () => {
    const origin = await rawOrigin(t, (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')));
    const c = await secure(await tunnel(t, w.weir, origin.port), { ca: fs.readFileSync(w.weir.ca) });
    assert.match(await failed(c, '/', `127.0.0.1:${origin.port}`, '*/*'),
      new RegExp(`^HTTP/1.1 502 [^]*weir: TLS with 'localhost' at 127\\.0\\.0\\.1:${origin.port}: what the origin sends is not TLS`));
    const [row] = await w.recorded(origin.port);
    reached(row, origin.port);
    assert.ok(row.t_tls_start <= row.t_tls_end);
  });

  await t.test('--insecure takes them all', async (t) => {
    const bold = await world(t, ['--insecure']);
    const origin = await rawOrigin(t, script, { cert: stranger.issue(['other.test'], { self: true }) });
    const c = await secure(await tunnel(t, bold.weir, origin.port), { ca: fs.readFileSync(bold.weir.ca) });
    await c.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n').until('\r\n\r\nok');
  });
});
