// A proxy that is spoken to inside TLS, and who may use a proxy at all.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { rawOrigin, answerEach } = require('./support/origin');
const { talk } = require('./support/client');
const { ports, curl, sameCurl } = require('./support/modes');

const ANSWER = 'HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 5\r\n\r\nhello';
const LISTEN = ['--listen', 'https@127.0.0.1:0', '--listen', '127.0.0.1:0'];

test('a proxy inside TLS, on a listener of its own and on the ordinary one', async (t) => {
  const w = await world(t, LISTEN);
  const [https, ordinary] = await ports(w.weir, 2);

  for (const [where, port] of [['its own', https], ['the ordinary one', ordinary]])
    for (const name of ['127.0.0.1', 'localhost'])
      for (const scheme of ['http', 'https'])
        await t.test(`${scheme} by ${name} on ${where}`, async () => {
          const isTls = scheme === 'https';
          const origin = await rawOrigin(t, answerEach(ANSWER), { cert: isTls ? w.cert : undefined });
          await sameCurl(origin, [`${scheme}://127.0.0.1:${origin.port}/a?b`], {
            direct: isTls ? ['--cacert', w.originCa.caFile] : [],
            proxied: ['-4', '--proxy', `https://${name}:${port}`, '--proxy-cacert', w.weir.ca, ...(isTls ? ['--cacert', w.weir.ca] : [])],
          });
          const [row] = await w.recorded(origin.port);
          assert.deepEqual([row.state, row.scheme, row.host, row.path, row.query, row.status], [1, scheme, '127.0.0.1', '/a', 'b', 200]);
        });
});

test('a client that does not verify the proxy', async (t) => {
  const w = await world(t, LISTEN);
  const [https] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  await sameCurl(origin, [`http://127.0.0.1:${origin.port}/`], { proxied: ['--proxy', `https://127.0.0.1:${https}`, '--proxy-insecure'] });
  const { code } = await curl(origin, ['--proxy', `https://127.0.0.1:${https}`, `http://127.0.0.1:${origin.port}/`]);
  assert.equal(code, 60, 'whoever does not trust the CA does not trust the proxy');
});

test('a listener for TLS takes nothing else', async (t) => {
  const w = await world(t, LISTEN);
  const [https] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  for (const bytes of [`GET http://127.0.0.1:${origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`, Buffer.from([5, 1, 0]),
    Buffer.from([4, 1, 0, 80, 127, 0, 0, 1, 0])]) {
    const wire = await talk(t, https, bytes);
    assert.doesNotMatch(wire.text, /hello|\x05\x00|Z/);
  }
  assert.equal(origin.connections.length, 0);
});

test('--proxy-auth: a 407 asks, the right pair is let in, and neither the origin nor the record sees it', async (t) => {
  const w = await world(t, ['--proxy-auth', 'joe:s3cret', ...LISTEN]);
  const [https, ordinary] = await ports(w.weir, 2);

  for (const [where, proxy] of [['inside TLS', `https://127.0.0.1:${https}`], ['in plain', `http://127.0.0.1:${ordinary}`]])
    for (const scheme of ['http', 'https'])
      await t.test(`${scheme} ${where}`, async () => {
        const isTls = scheme === 'https';
        const origin = await rawOrigin(t, answerEach(ANSWER), { cert: isTls ? w.cert : undefined });
        const url = `${scheme}://127.0.0.1:${origin.port}/`;
        const by = ['--proxy', proxy, '--proxy-cacert', w.weir.ca, '--cacert', w.weir.ca];
        const right = await sameCurl(origin, [url], { direct: ['--cacert', w.originCa.caFile], proxied: [...by, '-U', 'joe:s3cret'] });
        assert.doesNotMatch(right.origin, /proxy-authorization/i);
        for (const wrong of [[], ['-U', 'joe:secret'], ['-U', 'jim:s3cret'], ['-U', 'joe:s3cret', '--proxy-digest']]) {
          const { code, text, origin: asked } = await curl(origin, [...by, ...wrong, url]);
          assert.equal(code, isTls ? 56 : 0, text);
          if (!isTls) assert.match(text, /^HTTP\/1\.1 407 [^]*\r\nProxy-Authenticate: Basic realm="weir"\r\n/);
          assert.equal(asked, '', 'nothing reached the origin');
        }
      });

  const rows = await w.weir.query('select request_headers from exchange');
  assert.doesNotMatch(JSON.stringify(rows), /am9lOnMzY3JldA/);
  const dump = await w.weir.command(['export', 'jsonl']);
  assert.doesNotMatch(dump.stdout, /am9lOnMzY3JldA|s3cret/);
  assert.doesNotMatch(w.weir.stderr, /s3cret/);
});
