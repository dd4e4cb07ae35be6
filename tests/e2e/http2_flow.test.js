// Many streams on one connection: side by side, none stalled by another, memory bounded, the connection to the origin shared
// by the clients of a worker and reopened as the origin's limits ask for it.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { randomBytes, createHash } = require('node:crypto');
const { world } = require('./support/world');
const { IS_SANITIZED, MEASURED } = require('./support/weir');
const { h2Origin, h2Client, h2Socket, digest } = require('./support/h2');
const { Peer, request, data } = require('./support/frames');
const { until } = require('./support/client');

const MiB = 1024 * 1024;
const ok = (body) => (s) => { s.respond({ ':status': 200 }); s.end(body); };

// Writes piece so many times, no faster than it is taken.
async function pour(stream, piece, times, told = () => {}) {
  for (let i = 0; i < times && !stream.destroyed; i++) {
    told(i);
    if (!stream.write(piece)) await new Promise((r) => stream.once('drain', r).once('close', r));
  }
  stream.end();
}

test('streams side by side', async (t) => {
  const w = await world(t);

  await t.test('200 at once, each whole and its own', async () => {
    const bodies = new Map();
    const origin = await h2Origin(t, (s, h, seen) => s.on('end', async () => {
      s.respond({ ':status': 200, 'x-path': h[':path'] });
      const body = bodies.get(h[':path']);
      for (let at = 0; at < body.length; at += 7001) { s.write(body.subarray(at, at + 7001)); await new Promise(setImmediate); }
      s.end(seen.body);
    }), { cert: w.cert, settings: { maxConcurrentStreams: 1000 } });
    const client = await h2Client(t, w, origin.port);
    const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
      const body = randomBytes(1000 + 171 * i), up = randomBytes(50 * i);
      bodies.set(`/${i}`, body);
      const answer = await client.ask({ ':method': 'POST', ':path': `/${i}` }, { body: up });
      return [answer.status, answer.fields.find(([n]) => n === 'x-path')[1] === `/${i}`, digest(answer.body) === digest(Buffer.concat([body, up])), answer.code];
    }));
    assert.deepEqual(new Set(answers.map(String)), new Set(['200,true,true,0']));
    const rows = await w.recorded(origin.port, 200);
    assert.ok(rows.every((row) => row.state === 1));
  });

  await t.test('what one waits for does not hold another', async () => {
    const origin = await h2Origin(t, (s, h) => (h[':path'] === '/never' ? s.respond({ ':status': 200 }) : ok(h[':path'])(s)), { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    for (let i = 0; i < 20; i++) client.request({ ':path': '/never' }).on('error', () => {});
    for (let i = 0; i < 5; i++) assert.equal(String((await client.ask(`/${i}`)).body), `/${i}`);
    await until(() => origin.requests.length === 25, 'all to have come');
  });

  await t.test('each piece of a stream is there before the next is sent, both ways', async () => {
    const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.on('data', (d) => s.write(`got ${d}`)).on('end', () => s.end()); return 'reads'; }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    await client.ask({ ':method': 'POST', ':path': '/' }, { body: async (s) => {
      for (let i = 0; i < 50; i++) {
        const back = new Promise((r) => s.once('data', (d) => r(String(d))));
        s.write(`${i}`);
        assert.equal(await back, `got ${i}`);
      }
      s.end();
    } });
  });
});

test('a reader that stops', async (t) => {
  const w = await world(t, ['--no-bodies']);
  const piece = randomBytes(MiB);

  await t.test('of an answer: its origin is slowed, others go on, and then it is whole', async () => {
    let sent = 0;
    const origin = await h2Origin(t, (s, h) => {
      if (h[':path'] !== '/big') return ok(piece)(s);
      s.respond({ ':status': 200 });
      pour(s, piece, 100, (i) => { sent = i; });
    }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    const stuck = client.request({ ':path': '/big' });
    stuck.pause();
    await new Promise((r) => stuck.once('response', r));
    let last = -1;
    await until(async () => { const was = last; last = sent; await new Promise((r) => setTimeout(r, 100)); return was === sent; }, 'the origin to be slowed');
    assert.ok(sent < 10, `${sent} MiB were sent`);
    for (let i = 0; i < 10; i++) assert.equal((await client.ask('/small')).body.length, MiB);
    const hash = createHash('sha256');
    let size = 0;
    stuck.on('data', (d) => { hash.update(d); size += d.length; }).resume();
    await new Promise((r) => stuck.once('end', r));
    assert.equal(size, 100 * MiB);
    const whole = createHash('sha256');
    for (let i = 0; i < 100; i++) whole.update(piece);
    assert.equal(hash.digest('hex'), whole.digest('hex'));
  });

  await t.test('of a request: its client is slowed, others go on', async () => {
    let stopped;
    const origin = await h2Origin(t, (s, h) => {
      if (h[':path'] !== '/big') return ok('x')(s);
      s.pause();
      stopped = s;
      return 'reads';
    }, { cert: w.cert });
    const client = await h2Client(t, w, origin.port);
    let sent = 0;
    const answer = client.ask({ ':method': 'POST', ':path': '/big' }, { body: (s) => pour(s, piece, 30, (i) => { sent = i; }) });
    let last = -1;
    await until(async () => { const was = last; last = sent; await new Promise((r) => setTimeout(r, 100)); return stopped && was === sent; }, 'the client to be slowed');
    assert.ok(sent < 10, `${sent} MiB were sent`);
    for (let i = 0; i < 10; i++) assert.equal(String((await client.ask('/small')).body), 'x');
    let size = 0;
    stopped.on('data', (d) => { size += d.length; }).on('end', () => ok(String(size))(stopped)).resume();
    assert.equal(String((await answer).body), String(30 * MiB));
  });

  await t.test('many of them, of many clients: memory stays bounded', { skip: MEASURED === false }, async () => {
    const own = await world(t, ['--no-bodies']);
    if (IS_SANITIZED) {
      await own.weir.stop();
      await own.weir.start(['--quiet', '--no-bodies', '--upstream-ca', own.originCa.caFile], { program: MEASURED });
    }
    const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); pour(s, piece, 500); }, { cert: own.cert });
    const clients = await Promise.all([1, 2].map(() => h2Client(t, own, origin.port)));
    const before = own.weir.memory('VmRSS');
    const streams = clients.flatMap((c) => [1, 2, 3, 4, 5].map((i) => c.request({ ':path': `/${i}` })));
    for (const s of streams) s.pause().on('error', () => {});
    await Promise.all(streams.map((s) => new Promise((r) => s.once('response', r))));
    for (let i = 0, last = 0; i < 50 && own.weir.memory('VmHWM') !== last; i++) {
      last = own.weir.memory('VmHWM');
      await new Promise((r) => setTimeout(r, 100));
    }
    const grown = own.weir.memory('VmHWM') - before;
    assert.ok(grown < 10 * MiB + 16 * MiB, `${grown} bytes for ten streams`);
  });
});

test('the connection to the origin', async (t) => {
  const w = await world(t);

  await t.test('is shared by clients', async () => {
    const origin = await h2Origin(t, (s) => setTimeout(() => ok('x')(s), 30), { cert: w.cert });
    await (await h2Client(t, w, origin.port)).ask('/'); // what it speaks is known from now on, and asked no more
    const clients = await Promise.all(Array.from({ length: 8 }, () => h2Client(t, w, origin.port)));
    await Promise.all(clients.flatMap((c) => [1, 2, 3, 4].map((i) => c.ask(`/${i}`))));
    const cores = require('node:os').availableParallelism();
    assert.ok(origin.sessions.length <= cores, `${origin.sessions.length} connections, ${cores} workers`);
    const rows = await w.recorded(origin.port, 33);
    assert.equal(rows.filter((row) => !(row.flags & 1)).length, origin.sessions.length);
    assert.equal(rows.filter((row) => row.t_connect_start !== null).length, origin.sessions.length);
  });

  await t.test('is not shared any more while it is full of what one reads slowly', async () => {
    const settings = { initialWindowSize: 32 * MiB }; // so much the origin may send; weir holds 16 MiB a connection
    let sent = 0;
    const origin = await h2Origin(t, (s, h) => {
      if (h[':path'] !== '/big') return ok('x')(s);
      s.respond({ ':status': 200 });
      pour(s, Buffer.alloc(MiB), 100, (i) => { sent = i; });
    }, { cert: w.cert });
    const stuck = (await h2Client(t, w, origin.port, { settings })).request({ ':path': '/big' }).on('error', () => {});
    stuck.pause();
    let last = -1;
    await until(async () => { const was = last; last = sent; await new Promise((r) => setTimeout(r, 100)); return sent > 16 && was === sent; }, 'the origin to be slowed');
    for (let i = 0; i < 8; i++) { // on every worker
      const client = await h2Client(t, w, origin.port, { settings });
      assert.equal(String((await client.ask('/small')).body), 'x');
    }
  });

  for (const most of [1, 10])
    await t.test(`is not alone where the origin takes ${most} streams`, async () => {
      const atOnce = new Map();
      let top = 0;
      const origin = await h2Origin(t, (s, h, seen) => {
        atOnce.set(seen.session, (atOnce.get(seen.session) || 0) + 1);
        top = Math.max(top, atOnce.get(seen.session));
        setTimeout(() => { ok(h[':path'])(s); atOnce.set(seen.session, atOnce.get(seen.session) - 1); }, 20);
      }, { cert: w.cert, settings: { maxConcurrentStreams: most } });
      const client = await h2Client(t, w, origin.port);
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => client.ask(`/${i}`)));
      answers.forEach((a, i) => assert.deepEqual([a.status, String(a.body)], [200, `/${i}`]));
      assert.ok(top <= most, `${top} at once`);
      assert.ok(origin.sessions.length <= Math.ceil(50 / most) * 2, `${origin.sessions.length} connections`);
    });

  await t.test('is not shared by other origins of the same address', async () => {
    const origin = await h2Origin(t, (s, h) => ok(h[':authority'])(s), { cert: w.originCa.issue(['localhost', 'other.localhost']) });
    const one = await h2Client(t, w, origin.port);
    const other = await h2Client(t, w, origin.port, { host: 'other.localhost' });
    await one.ask('/');
    assert.equal(String((await other.ask('/')).body), `other.localhost:${origin.port}`);
    assert.equal(origin.sessions.length, 2);
  });
});

test('a whole window of a body that came before its origin was there is given back', async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s, h, seen) => s.on('end', () => ok(String(seen.body.length))(s)), { cert: w.cert });
  await (await h2Client(t, w, origin.port)).ask('/'); // so that the client's handshake need not wait for the origin
  for (const session of origin.sessions) session.destroy();
  const p = new Peer(await h2Socket(t, w, origin.port));
  await p.until((f) => f.type === 'SETTINGS');
  p.write(request(1, '/', { method: 'POST', isLast: false }), ...Array.from({ length: 16 }, () => data(1, Buffer.alloc(16384)))); // H2_STREAM_WINDOW_BYTES
  let size = 0;
  await p.until((f) => { size += f.type === 'WINDOW_UPDATE' && f.id === 1 ? f.payload.readUInt32BE(0) : 0; return size > 0; }, 'the window');
  p.write(data(1, 'x', true));
  assert.ok(await p.last(1));
  assert.match(String(Buffer.concat(p.frames.filter((f) => f.type === 'DATA').map((f) => f.payload))), /262145/);
});
