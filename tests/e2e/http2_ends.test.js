// How HTTP/2 streams and connections end before their time is seen by the other side as what it is: resets with their
// codes, GOAWAY, refusals, cuts; what the origin has not looked at is sent again unseen by the client.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const http2 = require('node:http2');
const { world } = require('./support/world');
const { h2Origin, h2Client, h2Socket } = require('./support/h2');
const { rawOrigin } = require('./support/origin');
const { until } = require('./support/client');
const { Peer, request, response, data, rst, goaway } = require('./support/frames');

const C = http2.constants;
const codes = ['PROTOCOL_ERROR', 'INTERNAL_ERROR', 'REFUSED_STREAM', 'CANCEL', 'ENHANCE_YOUR_CALM', 'HTTP_1_1_REQUIRED'].map((n) => [n, C[`NGHTTP2_${n}`]]);
const ok = (body) => (s) => { s.respond({ ':status': 200 }); s.end(body); };

// An origin by hand: onRequest(peer, id, index of the connection) for each request that has come whole.
async function rawH2(t, w, onRequest) {
  const origin = await rawOrigin(t, (socket, connection) => {
    const index = origin.connections.length - 1;
    connection.peer = new Peer(socket, { isClient: false, on: (f, peer) => f.id && f.flags & 1 && ['HEADERS', 'DATA'].includes(f.type) && onRequest(peer, f.id, index) });
    socket.on('end', () => socket.end());
  }, { cert: w.cert, ALPNProtocols: ['h2'] });
  return origin;
}

test('streams that are reset', async (t) => {
  const w = await world(t);

  for (const [name, code] of codes) {
    await t.test(`by the origin, in the middle of its answer: ${name}`, async () => {
      const origin = await rawH2(t, w, (peer, id) => peer.write(response(id, 200), data(id, 'some'), rst(id, code)));
      for (const through of [false, true]) {
        const client = await h2Client(t, w, origin.port, { through });
        const answer = await client.ask('/');
        assert.deepEqual([answer.status, String(answer.body), answer.code], [200, 'some', code], through ? 'through weir' : 'direct');
        assert.equal(client.destroyed, false);
      }
      const [row] = await w.recorded(origin.port);
      assert.equal(row.state, 2);
      assert.match(row.error, new RegExp(`the origin reset the stream: ${name}`));
    });

    await t.test(`by the origin, before an answer: ${name}`, async () => {
      const origin = await h2Origin(t, (s) => s.close(code), { cert: w.cert });
      const client = await h2Client(t, w, origin.port);
      const answer = await client.ask({ ':method': 'POST', ':path': '/' }, { body: 'x' });
      assert.deepEqual([answer.status, answer.code], [null, code]);
      const [row] = await w.recorded(origin.port);
      assert.deepEqual([row.state, row.attempts], [2, name === 'REFUSED_STREAM' ? 2 : 1]);
    });

    await t.test(`by the client, in the middle of the answer: ${name}`, async () => {
      const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.write('some'); }, { cert: w.cert });
      const client = await h2Client(t, w, origin.port);
      await client.ask('/', { begun: (s) => s.once('data', () => s.close(code)) });
      const seen = await origin.requests[0].over;
      assert.equal(seen.code, code);
      assert.equal(seen.session.destroyed, false);
      const [row] = await w.recorded(origin.port);
      assert.match(row.error, new RegExp(`the client reset the stream: ${name}`));
      assert.equal(row.response_bytes, 4);
    });
  }

  await t.test('by the client, in the middle of its body', async () => {
    const origin = await h2Origin(t, () => {}, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const answer = client.ask({ ':method': 'POST', ':path': '/' }, { body: (s) => { s.write('some'); until(() => origin.requests[0]?.body.length === 4, 'the body').then(() => s.close(C.NGHTTP2_CANCEL)); } });
    await answer;
    const seen = await origin.requests[0].over;
    assert.equal(seen.code, C.NGHTTP2_CANCEL);
    const [row] = await w.recorded(origin.port);
    assert.deepEqual([row.state, row.request_bytes], [2, 4]);
  });

  await t.test('by nobody: an answer that was whole before its request had ended is no cut', async () => {
    const origin = await h2Origin(t, ok('early'), { cert: w.cert });
    const p = new Peer(await h2Socket(t, w, origin.port));
    p.write(request(1, '/early', { method: 'POST', isLast: false }));
    await p.last(1);
    p.write(data(1, 'late', true));
    const [row] = await w.weir.waitFor('select * from exchange where path = \'/early\' and state != 0');
    assert.deepEqual([row.error, row.state, row.request_bytes, row.response_bytes], [null, 1, 4, 5]);
    assert.equal(String((await origin.requests[0].over).body), 'late');
    p.socket.destroy();
  });

  await t.test('others on both connections go on', async () => {
    const origin = await h2Origin(t, (s, h) => {
      if (h[':path'] === '/reset') s.close(C.NGHTTP2_INTERNAL_ERROR);
      else ok(h[':path'])(s);
    }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => client.ask(i % 4 ? `/${i}` : '/reset')));
    answers.forEach((a, i) => assert.deepEqual([a.status, a.code], i % 4 ? [200, 0] : [null, C.NGHTTP2_INTERNAL_ERROR]));
    assert.equal(origin.sessions.length, 1);
  });
});

test('requests that the origin has not looked at are sent again', async (t) => {
  const w = await world(t);

  for (const [method, body] of [['GET', undefined], ['POST', 'a body']])
    await t.test(`a refused ${method}, once`, async () => {
      let count = 0;
      const origin = await h2Origin(t, (s, h) => (++count === 1 ? s.close(C.NGHTTP2_REFUSED_STREAM) : s.on('end', () => ok('yes')(s))), { cert: w.cert });
      const client = await h2Client(t, w, origin.port);
      const answer = await client.ask({ ':method': method, ':path': '/' }, { body });
      assert.deepEqual([answer.status, String(answer.body), answer.code], [200, 'yes', 0]);
      assert.equal(String((await origin.requests[1].over).body), body ?? '');
      const [row] = await w.recorded(origin.port);
      assert.deepEqual([row.state, row.attempts, row.flags & 2], [1, 2, 2]);
    });

  await t.test('but not for ever', async () => {
    const origin = await h2Origin(t, (s) => s.close(C.NGHTTP2_REFUSED_STREAM), { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    assert.deepEqual((await Promise.all([1, 2, 3].map((i) => client.ask(`/${i}`)))).map((a) => a.code), [7, 7, 7]);
    for (const row of await w.recorded(origin.port, 3)) assert.deepEqual([row.state, row.attempts], [2, 2]);
  });

  await t.test('streams above the last id of a GOAWAY', async () => {
    let isFirst = true;
    const origin = await h2Origin(t, (s, h, seen) => {
      if (h[':path'] === '/1') {
        s.respond({ ':status': 200 });
        s.write('begun ');
        seen.finish = () => s.end('done');
      } else if (isFirst && seen.session === origin.sessions[0]) {
        isFirst = false;
        seen.session.goaway(C.NGHTTP2_NO_ERROR, 1); // the second request's stream is above it
      } else {
        ok('again')(s);
      }
    }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const one = client.ask('/1');
    await until(() => origin.requests.length === 1, 'the first request');
    const two = await client.ask('/2');
    assert.deepEqual([two.status, String(two.body), two.code], [200, 'again', 0]);
    origin.requests[0].finish();
    const first = await one;
    assert.deepEqual([first.status, String(first.body), first.code], [200, 'begun done', 0]);
    assert.equal(origin.sessions.length, 2);
    const rows = await w.recorded(origin.port, 2);
    assert.deepEqual(rows.map((row) => [row.path, row.state, row.attempts]), [['/1', 1, 1], ['/2', 1, 2]]);
  });

  await t.test('after GOAWAY new requests go elsewhere, and those under way end where they are', async () => {
    const origin = await h2Origin(t, (s, h, seen) => {
      if (h[':path'] === '/1') {
        s.respond({ ':status': 200 });
        seen.session.goaway(C.NGHTTP2_NO_ERROR);
        seen.finish = () => s.end('done');
      } else {
        ok('elsewhere')(s);
      }
    }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    let begun;
    const one = client.ask('/1', { begun: (s) => { begun = new Promise((r) => s.once('response', r)); } });
    await begun;
    await until(async () => (await client.ask('/2')).status === 200 && origin.sessions.length === 2, 'a second connection');
    origin.requests[0].finish();
    assert.deepEqual([(await one).code, String((await one).body)], [0, 'done']);
  });

  await t.test('a GET on a shared connection that has died', async () => {
    const origin = await rawH2(t, w, (peer, id, index) => (index === 0 && id === 3 ? peer.socket.destroy() : peer.write(response(id, 200, { isLast: true }))));
    const client = await h2Client(t, w, origin.port);
    await client.ask('/1');
    assert.equal((await client.ask('/2')).status, 200);
    assert.equal(origin.connections.length, 2);
  });

  await t.test('but not a POST', async () => {
    const origin = await rawH2(t, w, (peer, id) => (id === 3 ? peer.socket.destroy() : peer.write(response(id, 200, { isLast: true }))));
    const client = await h2Client(t, w, origin.port);
    await client.ask('/1');
    const answer = await client.ask({ ':method': 'POST', ':path': '/2' }, { body: 'x' });
    assert.deepEqual([answer.status, answer.code], [null, C.NGHTTP2_INTERNAL_ERROR]);
    assert.equal(origin.connections.length, 1);
  });
});

test('connections that end', async (t) => {
  const w = await world(t);

  await t.test('an origin that is cut in the middle of its answers', async () => {
    const origin = await rawH2(t, w, (peer, id) => peer.write(response(id, 200), data(id, 'some')));
    const client = await h2Client(t, w, origin.port);
    let left = 3;
    const cut = (s) => s.once('data', () => { if (--left === 0) origin.connections[0].raw.destroy(); });
    const answers = await Promise.all([1, 2, 3].map((i) => client.ask(`/${i}`, { begun: cut })));
    for (const a of answers) assert.deepEqual([a.status, String(a.body), a.code], [200, 'some', C.NGHTTP2_INTERNAL_ERROR]);
    assert.equal(client.destroyed, false);
    const rows = await w.recorded(origin.port, 3);
    for (const row of rows) assert.deepEqual([row.state, row.response_bytes], [2, 4]);
    assert.match(rows[0].error, /origin/);
  });

  await t.test('an origin that is cut before its answer', async () => {
    const origin = await rawH2(t, w, (peer) => peer.socket.destroy());
    const client = await h2Client(t, w, origin.port);
    const answer = await client.ask({ ':method': 'POST', ':path': '/' }, { body: 'x' });
    assert.deepEqual([answer.status, answer.code], [null, C.NGHTTP2_INTERNAL_ERROR]);
    assert.equal(client.destroyed, false);
  });

  await t.test('GOAWAY with an error, then the end', async () => {
    const origin = await rawH2(t, w, (peer, id, index) => {
      if (index === 0) peer.write(response(id, 200), data(id, 'some'), goaway(id, C.NGHTTP2_ENHANCE_YOUR_CALM)).socket.end();
      else peer.write(response(id, 200, { isLast: true }));
    });
    const client = await h2Client(t, w, origin.port);
    const answer = await client.ask('/');
    assert.deepEqual([answer.status, String(answer.body), answer.code === 0], [200, 'some', false]);
    assert.equal((await client.ask('/2')).status, 200);
  });

  await t.test('a client that goes away: its streams are cancelled, the connection to the origin stays', async () => {
    const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.write('some'); }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const answers = [1, 2, 3].map((i) => client.ask(`/${i}`));
    await until(() => origin.requests.length === 3, 'the requests');
    await until(async () => (await w.weir.query(`select * from exchange where port = ${origin.port} and status = 200`)).length === 3, 'the answers');
    client.destroy();
    await Promise.all(answers);
    for (const seen of origin.requests) assert.equal((await seen.over).code, C.NGHTTP2_CANCEL);
    assert.equal(origin.sessions[0].destroyed, false);
    for (const row of await w.recorded(origin.port, 3)) assert.equal(row.state, 2);
  });

  await t.test('a client that says GOAWAY gets what it has asked for', async () => {
    const origin = await h2Origin(t, (s) => setTimeout(() => ok('late')(s), 50), { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const answer = client.ask('/');
    await until(() => origin.requests.length === 1, 'the request');
    client.goaway();
    assert.deepEqual([(await answer).status, String((await answer).body)], [200, 'late']);
  });

  await t.test('PING is answered', async () => {
    const origin = await h2Origin(t, ok('x'), { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    await client.ask('/');
    const payload = Buffer.from('12345678');
    const back = await new Promise((resolve, reject) => client.ping(payload, (e, ms, p) => (e ? reject(e) : resolve(p))));
    assert.deepEqual(back, payload);
    await new Promise((resolve, reject) => origin.sessions[0].ping((e) => (e ? reject(e) : resolve())));
  });

  await t.test('pushes are refused, and the answer comes all the same', async () => {
    let allowed;
    const origin = await h2Origin(t, (s) => { allowed = s.pushAllowed; ok('x')(s); }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port, { settings: { enablePush: true } });
    const answer = await client.ask('/');
    assert.deepEqual([answer.status, answer.pushed, allowed], [200, undefined, false]);
  });
});

test('weir that ends lets streams under way end, and tells its clients', async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s, h, seen) => { s.respond({ ':status': 200 }); s.write('some '); seen.finish = () => s.end('more'); }, { cert: w.cert });
  const client = await h2Client(t, w, origin.port);
  let begun, away;
  client.on('goaway', (code) => { away = code; origin.requests[0].finish(); });
  const idle = await h2Client(t, w, origin.port);
  const idleEnded = new Promise((resolve) => idle.on('goaway', (code) => resolve(code)));
  const answer = client.ask('/', { begun: (s) => { begun = new Promise((r) => s.once('data', r)); } });
  await begun;
  const closed = new Promise((r) => client.on('close', r));
  const stopped = w.weir.stop('SIGTERM');
  assert.deepEqual([(await answer).status, String((await answer).body), (await answer).code], [200, 'some more', 0]);
  assert.equal(away, C.NGHTTP2_NO_ERROR);
  assert.equal(await idleEnded, C.NGHTTP2_NO_ERROR);
  await closed;
  assert.deepEqual(await stopped, { code: 0, signal: null });
  const [row] = await w.weir.query(`select * from exchange where port = ${origin.port}`);
  assert.deepEqual([row.state, row.response_bytes], [1, 9]);
});
