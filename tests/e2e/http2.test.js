// What HTTP/2 says is at the other side as it was said, and in the session: heads, bodies, trailers, interim answers.
// Each case is asked straight, then through weir; client and origin must not see a difference.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const http2 = require('node:http2');
const { randomBytes } = require('node:crypto');
const { world } = require('./support/world');
const { h2Origin, h2Client, shown, digest } = require('./support/h2');

const FORWARDED = { ':method': 'GET', ':scheme': 'https' };

// What the origin saw of a request, to be compared.
const told = (seen) => ({ fields: shown(seen.fields), sensitive: seen.sensitive, body: digest(seen.body), trailers: seen.trailers, code: seen.code, ended: seen.ended });
const got = (answer) => ({ ...answer, fields: answer.fields && shown(answer.fields), body: digest(answer.body) });

// Asks an origin twice, directly and through weir: what both ends saw must be the same. Gives the row of the session.
async function compare(t, w, { headers = { ':path': '/' }, answer, options, plain = false }) {
  const origin = await h2Origin(t, answer, plain ? { plain } : { cert: w.cert });
  const seen = [];
  for (const through of [false, true]) {
    const client = await h2Client(t, w, origin.port, { through, plain });
    const answered = got(await client.ask({ ...FORWARDED, ...(plain ? { ':scheme': 'http' } : {}), ...headers }, options));
    const asked = told(await origin.requests.at(-1).over);
    seen.push({ answered, asked });
    client.destroy();
  }
  assert.deepEqual(seen[1], seen[0]);
  const [row] = await w.recorded(origin.port);
  assert.equal(row.request_version, 20);
  return { row, ...seen[1], origin };
}

const text = (body, fields = {}, more = {}) => (stream) => {
  stream.respond({ ':status': 200, ...fields }, more);
  stream.end(body);
};

for (const plain of [false, true])
  test(`HTTP/2 passes as it was sent: ${plain ? 'plain, with prior knowledge' : 'over TLS'}`, async (t) => {
    const w = await world(t);
    const check = (options) => compare(t, w, { plain, ...options });

    await t.test('a GET, and its record', async () => {
      const { row } = await check({ headers: { ':path': '/a?b=c&b=d', 'x-one': '1', accept: '*/*' }, answer: text('hello', { 'content-type': 'text/plain', 'x-two': '2' }) });
      assert.deepEqual([row.method, row.scheme, row.path, row.query, row.status, row.state], ['GET', plain ? 'http' : 'https', '/a', 'b=c&b=d', 200, 1]);
      assert.deepEqual([row.request_version, row.response_version, row.error], [20, 20, null]);
      assert.equal(row.host, 'localhost');
      assert.deepEqual(row.request_headers.map(([n]) => n).filter((n) => n[0] !== ':'), ['x-one', 'accept']);
      assert.deepEqual(row.response_headers.map(([n]) => n).filter((n) => n[0] !== ':').slice(0, 2), ['content-type', 'x-two']);
      assert.equal(row.response_bytes, 5);
      assert.ok(row.request_wire_bytes > 9 && row.response_wire_bytes > 5 + 18);
      for (const time of ['t_sent_first', 't_sent_last', 't_received_first', 't_received_last', 't_done']) assert.ok(row[time] >= 0, time);
    });

    await t.test('the order of pseudo-header fields', async () => {
      const { asked, origin } = await check({ headers: { ':path': '/' }, answer: text('x') });
      assert.deepEqual(asked.fields.slice(0, 4).map(([n]) => n), [':method', ':scheme', ':path', ':authority']);
      const other = await h2Client(t, w, origin.port, { plain });
      await other.ask({ ':authority': `localhost:${origin.port}`, ':path': '/', ':method': 'GET', ':scheme': plain ? 'http' : 'https' });
      assert.deepEqual(origin.requests.at(-1).fields.slice(0, 4).map(([n]) => n), [':authority', ':path', ':method', ':scheme']);
    });

    await t.test('repeated and empty fields, cookie crumbs, te', async () => {
      const headers = { ':path': '/', 'x-r': ['1', '2', ''], cookie: ['a=1', 'b=2', 'c=3'], 'x-empty': '', te: 'trailers', 'x-r2': ['z', 'z'] };
      const { row, asked } = await check({ headers, answer: text('x', { 'set-cookie': ['a=1', 'b=2; Path=/'], 'x-none': '', 'x-same': 'y' }) });
      assert.equal(asked.fields.filter(([n]) => n === 'cookie').length, 3);
      assert.equal(row.response_headers.filter(([n]) => n === 'set-cookie').length, 2);
      assert.deepEqual(row.request_headers.filter(([n]) => n[0] !== ':'), asked.fields.filter(([n]) => n[0] !== ':'));
    });

    await t.test('never-indexed fields stay so', async () => {
      const headers = { ':path': '/', 'x-token': 'secret', authorization: 'Bearer abc', [http2.sensitiveHeaders]: ['x-token', 'authorization'] };
      const { asked } = await check({ headers, answer: text('x') });
      assert.deepEqual([...asked.sensitive].sort(), ['authorization', 'x-token']);
    });

    await t.test('large heads, in CONTINUATION frames', async () => {
      const big = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-big-${i}`, randomBytes(700).toString('base64')]));
      await check({ headers: { ':path': '/', ...big }, answer: (s) => { s.respond({ ':status': 200, ...big }); s.end('x'); } });
    });

    for (const size of [0, 1, 16384, 65536, 1000000])
      await t.test(`a body of ${size} bytes each way`, async () => {
        const up = randomBytes(size), down = randomBytes(size);
        const { row, answered, asked } = await check({ headers: { ':method': 'POST', ':path': '/' }, options: { body: up }, answer: (s) => s.on('end', () => text(down)(s)) });
        assert.deepEqual([asked.body, answered.body], [digest(up), digest(down)]);
        assert.deepEqual([row.request_bytes, row.response_bytes], [size, size]);
        assert.equal(digest(await w.weir.body(row.seq, 'request')), digest(up));
        assert.equal(digest(await w.weir.body(row.seq)), digest(down));
      });

    await t.test('content-length', async () => {
      const { asked } = await check({ headers: { ':method': 'PUT', ':path': '/', 'content-length': 5 }, options: { body: 'hello' },
        answer: (s) => s.on('end', () => text('bye', { 'content-length': 3 })(s)) });
      assert.ok(asked.fields.some(([n, v]) => n === 'content-length' && v === '5'));
    });

    await t.test('trailers of both', async () => {
      const { row } = await check({ headers: { ':method': 'POST', ':path': '/' }, options: { body: 'up', trailers: { 'x-sum': '1', 'x-empty': '' } },
        answer: (s) => s.on('end', () => {
          s.respond({ ':status': 200, trailer: 'x-end' }, { waitForTrailers: true });
          s.on('wantTrailers', () => s.sendTrailers({ 'x-end': 'yes', 'grpc-status': '0' }));
          s.end('down');
        }) });
      assert.deepEqual(row.request_trailers, [['x-sum', '1'], ['x-empty', '']]);
      assert.deepEqual(row.response_trailers, [['x-end', 'yes'], ['grpc-status', '0']]);
    });

    await t.test('trailers without a body', () => check({ headers: { ':method': 'POST', ':path': '/' }, options: { trailers: { 'x-sum': '1' } },
      answer: (s) => s.on('end', () => {
        s.respond({ ':status': 200 }, { waitForTrailers: true });
        s.on('wantTrailers', () => s.sendTrailers({ 'x-end': 'yes' }));
        s.end();
      }).resume() }));

    await t.test('interim answers', async () => {
      const { row, answered } = await check({ answer: (s) => {
        s.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
        s.additionalHeaders({ ':status': 103, link: '</b.css>; rel=preload' });
        text('x')(s);
      } });
      assert.equal(answered.interim.length, 2);
      assert.deepEqual(row.interim.map(([status]) => status), [103, 103]);
    });

    await t.test('100 before a body is sent', async () => {
      const { row } = await check({ headers: { ':method': 'POST', ':path': '/', expect: '100-continue' },
        options: { body: (s) => s.on('continue', () => s.end('body')) },
        answer: (s) => { s.additionalHeaders({ ':status': 100 }); s.on('end', () => text('x')(s)); } });
      assert.equal(row.request_bytes, 4);
    });

    await t.test('HEAD', () => check({ headers: { ':method': 'HEAD', ':path': '/' }, answer: (s) => s.respond({ ':status': 200, 'content-length': 1234 }, { endStream: true }) }));
    await t.test('204', () => check({ answer: (s) => s.respond({ ':status': 204 }, { endStream: true }) }));
    await t.test('304', () => check({ answer: (s) => s.respond({ ':status': 304, 'content-length': 99, etag: '"x"' }, { endStream: true }) }));
    await t.test('an unusual method and status', () => check({ headers: { ':method': 'QUERY', ':path': '/' }, answer: (s) => s.respond({ ':status': 599 }, { endStream: true }) }));
    await t.test('OPTIONS *', () => check({ headers: { ':method': 'OPTIONS', ':path': '*' }, answer: text('x') }));

    await t.test('an answer before the request has ended', async () => {
      const { answered } = await check({ headers: { ':method': 'POST', ':path': '/' }, options: { body: (s) => { s.write('some'); s.on('end', () => s.end('rest')); } },
        answer: (s) => text('too soon', { 'x-early': '1' })(s) });
      assert.equal(answered.status, 200);
    });

    await t.test('an early answer, and a reset that says that no more is wanted', async () => {
      const { answered } = await check({ headers: { ':method': 'POST', ':path': '/' }, options: { body: (s) => s.write('some') },
        answer: (s) => { text('enough')(s); s.on('finish', () => s.close(http2.constants.NGHTTP2_NO_ERROR)); } });
      assert.deepEqual([answered.status, answered.code], [200, 0]);
    });
  });

test('50 MiB each way at once, whole', async (t) => {
  const w = await world(t, ['--no-bodies']);
  const piece = randomBytes(1024 * 1024);
  const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.pipe(s); return 'reads'; }, { cert: w.cert });
  const client = await h2Client(t, w, origin.port);
  const { createHash } = require('node:crypto');
  const hash = createHash('sha256');
  const answer = await client.ask({ ':method': 'POST', ':path': '/' }, { keeps: false, body: async (s) => {
    for (let i = 0; i < 50; i++) {
      hash.update(piece);
      if (!s.write(piece)) await new Promise((r) => s.once('drain', r));
    }
    s.end();
  } });
  assert.deepEqual([answer.size, answer.digest], [50 * piece.length, hash.digest('hex')]);
  const [row] = await w.recorded(origin.port);
  assert.deepEqual([row.request_bytes, row.response_bytes, row.state], [50 * piece.length, 50 * piece.length, 1]);
});
