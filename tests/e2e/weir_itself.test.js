// Requests meant for weir itself are answered by it: the CA for each kind of device, and never a circle.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { X509Certificate } = require('node:crypto');
const { world } = require('./support/world');
const { connect, secure, tunnel, Wire } = require('./support/wire');

test('requests for weir itself', async (t) => {
  const w = await world(t);
  const pem = fs.readFileSync(w.weir.ca);
  const wanted = new X509Certificate(pem).fingerprint256;

  // { status, type, body } of an answer with a length.
  const get = async (c, target) => {
    const from = c.bytes.length;
    c.write(`GET ${target} HTTP/1.1\r\nHost: weir.test\r\n\r\n`);
    const whole = /^HTTP\/1.1 (\d+) [^]*?Content-Type: ([^\r]*)\r\n[^]*?Content-Length: (\d+)\r\n(?:[^\r]+\r\n)*\r\n/;
    const head = () => whole.exec(c.text.slice(from));
    await c.until(() => head() && c.bytes.length - from >= head()[0].length + Number(head()[3]));
    return { status: Number(head()[1]), type: head()[2], body: c.bytes.subarray(from + head()[0].length) };
  };

  await t.test('the CA as PEM, DER and an Apple profile', async () => {
    const c = await connect(t, w.weir.port);
    const asPem = await get(c, 'http://weir.test/ca.pem');
    assert.equal(asPem.status, 200);
    assert.equal(new X509Certificate(asPem.body).fingerprint256, wanted);
    assert.ok(!String(asPem.body).includes('PRIVATE'));
    const asDer = await get(c, '/ca.crt');
    assert.equal(asDer.type, 'application/x-x509-ca-cert');
    assert.equal(asDer.body[0], 0x30);
    assert.equal(new X509Certificate(asDer.body).fingerprint256, wanted);
    const profile = await get(c, 'http://weir.test/ca.mobileconfig');
    assert.equal(profile.type, 'application/x-apple-aspen-config');
    const data = /<key>PayloadContent<\/key><data>\s*([^<]+)<\/data>/.exec(String(profile.body))[1];
    assert.equal(new X509Certificate(Buffer.from(data, 'base64')).fingerprint256, wanted);
  });

  await t.test('the page tells whether this device trusts us', async () => {
    const before = await get(await connect(t, w.weir.port), 'http://weir.test/');
    assert.match(before.type, /^text\/html/);
    assert.match(String(before.body), /not yet/);
    const inside = await secure(await tunnel(t, w.weir, 443, 'weir.test'), { ca: pem, servername: 'weir.test' });
    assert.deepEqual(JSON.parse(String((await get(inside, '/trust')).body)), { trusts: true });
    const after = await get(await connect(t, w.weir.port), 'http://weir.test/');
    assert.doesNotMatch(String(after.body), /<b>not yet<\/b>/);
  });

  await t.test('our own listener, however it is named, is not asked again', async () => {
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', 'any.localhost', '0.0.0.0', '[::ffff:127.0.0.1]']) {
      const c = await connect(t, w.weir.port);
      const answer = await get(c, `http://${name}:${w.weir.port}/x`);
      assert.equal(answer.status, 508, name);
    }
    const raw = await tunnel(t, w.weir, w.weir.port);
    const inner = new Wire(raw, raw, null);
    assert.equal((await get(inner, '/x')).status, 508);
    const other = await tunnel(t, w.weir, w.weir.port);
    const binary = new Wire(other, other, null);
    binary.write('\x00\x01\x02');
    assert.match(await binary.end, /reset|fin/);
    assert.ok(Number((await w.weir.query('select count(*) as n from exchange'))[0].n) < 20, 'no circle');
  });

  await t.test('none of it is in the session but what was no answer of ours', async () => {
    assert.deepEqual(await w.weir.query("select * from exchange where host = 'weir.test'"), []);
  });
});
