// Hostile bytes from either side: refused or cut, never passed on as a second request, and nobody else is disturbed.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { world } = require('./support/world');
const { rawOrigin, answerEach } = require('./support/origin');
const { connect, secure, tunnel, Wire } = require('./support/wire');

const LIMIT = 16 * 1024;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const REFUSED = /^HTTP\/1.1 (400|431|501|505) |^$/;

// name, what follows the request line, the status
const HEADS = [
  ['CL and TE', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['TE and CL', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['differing CLs', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello' + SMUGGLED],
  ['a list of differing CLs', 'Content-Length: 5, 6\r\n\r\nhello' + SMUGGLED],
  ['a signed CL', 'Content-Length: +5\r\n\r\nhello' + SMUGGLED],
  ['a hexadecimal CL', 'Content-Length: 0x5\r\n\r\nhello' + SMUGGLED],
  ['a huge CL', 'Content-Length: 99999999999999999999999\r\n\r\n' + SMUGGLED],
  ['an unknown TE', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['chunked not last', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['obsolete folding', 'X: a\r\n b\r\n\r\n' + SMUGGLED],
  ['a folded TE', 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['NUL in a value', 'X: a\0b\r\n\r\n' + SMUGGLED],
  ['NUL in a name', 'X\0: ab\r\n\r\n' + SMUGGLED],
  ['a bare CR', 'X: a\rTransfer-Encoding: chunked\r\n\r\n' + SMUGGLED],
  ['a bare LF', 'X: a\nTransfer-Encoding: chunked\r\n\r\n' + SMUGGLED],
  ['only bare LFs', 'X: a\n\n' + SMUGGLED],
  ['a blank before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n' + SMUGGLED],
  ['a blank before the first name', ' X: a\r\n\r\n' + SMUGGLED],
  ['no colon', 'nothing\r\n\r\n' + SMUGGLED],
  ['an empty name', ': a\r\n\r\n' + SMUGGLED],
  ['a section over the limit', `X: ${'a'.repeat(LIMIT)}\r\n\r\n`, /^HTTP\/1.1 431 /],
  ['a section over the limit without an end', `X: ${'a'.repeat(4 * LIMIT)}`, /^HTTP\/1.1 431 /],
  ['too many fields', 'a:\r\n'.repeat(2000) + '\r\n', /^HTTP\/1.1 431 /],
];
const BODIES = [
  ['a chunk size that is no number', 'zz\r\nhello\r\n0\r\n\r\n'],
  ['a chunk size with a sign', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a chunk size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a chunk size that overflows', 'fffffffffffffffff\r\nhello\r\n'],
  ['a chunk that is longer than it says', '3\r\nhello\r\n0\r\n\r\n'],
  ['a chunk line with a bare LF', '5\nhello\r\n0\r\n\r\n'],
  ['an endless chunk line', `5;${'x'.repeat(20000)}`],
  ['NUL in a trailer', '0\r\nX: a\0b\r\n\r\n'],
];
const LINES = ['GARBAGE', 'GET', 'GET /', 'GET  / HTTP/1.1', 'GET / HTTP/1.1 ', 'GET / HTTP/9.9', 'GET / http/1.1', 'G\0T / HTTP/1.1', 'GET /\x01 HTTP/1.1',
  '\x7fELF\x02\x01', '\x80\x81\x82', 'GET ftp://x/ HTTP/1.1', 'GET http:/// HTTP/1.1', 'GET http://[::1/ HTTP/1.1', 'GET http://x:99999/ HTTP/1.1',
  'CONNECT x HTTP/1.1', 'CONNECT :443 HTTP/1.1', 'CONNECT x:0 HTTP/1.1', 'CONNECT http://x/ HTTP/1.1', 'CONNECT a b:443 HTTP/1.1', '{"json": 1}'];

test('bad input from clients', async (t) => {
  const w = await world(t, ['--max-header-bytes', String(LIMIT)]);
  const origin = await rawOrigin(t, answerEach('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  const host = `127.0.0.1:${origin.port}`;
  const witness = await connect(t, w.weir.port); // lives through all of it
  let asked = 0;

  const nothingHappened = async (what) => {
    assert.ok(origin.connections.every((c) => !c.bytes.includes('/smuggled')), `${what}: smuggled`);
    asked++;
    await witness.write(`GET http://${host}/witness HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      .until((wire) => wire.text.split('\r\n\r\nok').length === asked + 1);
  };
  const entrances = {
    forward: async () => [await connect(t, w.weir.port), `http://${host}`],
    inner: async () => { const raw = await tunnel(t, w.weir, origin.port); return [new Wire(raw, raw, null), '']; },
    intercepted: async () => [await secure(await tunnel(t, w.weir, origin.port), { ca: fs.readFileSync(w.weir.ca) }), ''],
  };

  for (const [name, enter] of Object.entries(entrances)) {
    await t.test(`heads, ${name}`, async () => {
      for (const [what, rest, status = REFUSED] of HEADS) {
        const [c, base] = await enter();
        c.write(`POST ${base}/bad HTTP/1.1\r\nHost: ${host}\r\n${rest}`);
        await c.end;
        assert.match(c.text, status, what);
        await nothingHappened(what);
      }
    });
    if (name !== 'intercepted') // there the origin speaks TLS, which this one does not
      await t.test(`bodies, ${name}`, async () => {
        for (const [what, body] of BODIES) {
          const [c, base] = await enter();
          c.write(`POST ${base}/bad HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${body}${SMUGGLED}`);
          await c.end;
          assert.ok(!c.text.includes('ok') || /^HTTP\/1.1 200/.test(c.text), what);
          await nothingHappened(what);
        }
      });
  }

  await t.test('request lines', async () => {
    for (const line of LINES) {
      const c = await connect(t, w.weir.port);
      c.write(`${line}\r\nHost: x\r\n\r\n`);
      await c.end;
      assert.match(c.text, REFUSED, JSON.stringify(line));
      await nothingHappened(line);
    }
  });

  await t.test('what begins like HTTP/2 and is not', async () => {
    const c = await connect(t, w.weir.port);
    c.write(`PRI * HTTP/2.0\r\nHost: x\r\n\r\n${SMUGGLED}`);
    await c.end;
    assert.doesNotMatch(c.text, /HTTP\/1/, 'ended in HTTP/2');
    await nothingHappened('a broken preface');
  });

  await t.test('a section at the limit passes', async () => {
    const c = await connect(t, w.weir.port);
    const start = `GET http://${host}/limit HTTP/1.1\r\nHost: ${host}\r\nX: `;
    await c.write(start + 'a'.repeat(LIMIT - start.length - 4) + '\r\n\r\n').until('\r\n\r\nok');
    const d = await connect(t, w.weir.port);
    d.write(start + 'a'.repeat(LIMIT - start.length - 3) + '\r\n\r\n');
    await d.end;
    assert.match(d.text, /^HTTP\/1.1 431 /);
  });

  await t.test('TLS that is none, and a ClientHello that ends too soon', async () => {
    for (const bytes of ['\x16\x03\x01\x00\x05hello', '\x16\x03\x01\xff\xff' + '\xff'.repeat(100), '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half']) {
      const raw = await tunnel(t, w.weir, origin.port);
      const c = new Wire(raw, raw, null);
      c.write(bytes).finish();
      await c.end;
      await nothingHappened('TLS garbage');
    }
  });

  await t.test('a client that resets in the middle of its head', async () => {
    const c = await connect(t, w.weir.port);
    c.write('GET http://x/ HT');
    await new Promise((resolve) => c.socket.write('TP', resolve));
    c.reset();
    await nothingHappened('reset');
  });
});

test('bad input from origins', async (t) => {
  const w = await world(t);
  const play = async (answer) => {
    const origin = await rawOrigin(t, (socket) => socket.once('data', () => socket.end(Buffer.from(answer, 'latin1'))));
    const c = await connect(t, w.weir.port);
    c.write(`GET http://127.0.0.1:${origin.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await c.until((wire) => wire.kind || /^HTTP\/1.1 50\d [^]*\r\n\r\nweir: /.test(wire.text));
    const [row] = await w.recorded(origin.port);
    assert.equal(row.state, 2, 'aborted');
    assert.notEqual(row.error, '');
    return c;
  };

  await t.test('what is no head is a 502', async () => {
    for (const answer of ['SSH-2.0-OpenSSH\r\n\r\n', 'HTTP/1.1\r\n\r\n', 'HTTP/1.1 99 x\r\n\r\n', 'HTTP/1.1 abc x\r\n\r\n', 'HTTP/1.1 1000 x\r\n\r\n', 'HTTP/3.0 200 x\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70000)}\r\n\r\n`, 'a:\r\n'.repeat(3000)]) {
      const c = await play(answer);
      assert.match(c.text, /^HTTP\/1.1 502 Bad Gateway\r\n/, JSON.stringify(answer.slice(0, 60)));
    }
  });

  await t.test('what goes wrong in a body is a cut', async () => {
    for (const body of ['zz\r\nhello', '5\r\nhello!\r\n0\r\n\r\n', 'fffffffffffffffff\r\n', '5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n']) {
      const c = await play(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
      assert.match(c.text, /^HTTP\/1.1 200 OK\r\n|^$/, body);
      assert.ok(!c.text.endsWith('0\r\n\r\n'), body);
      assert.notEqual(c.kind, undefined);
    }
  });
});
