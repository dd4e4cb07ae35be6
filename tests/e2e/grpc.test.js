// gRPC through weir, by @grpc/grpc-js with weir as its proxy: every kind of call is as it is without, and nothing is held back.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { randomBytes } = require('node:crypto');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { world } = require('./support/world');
const { until } = require('./support/client');
const { atEnd } = require('./support/weir');

const PROTO = `syntax = "proto3";
package weir.test;
message Text { string text = 1; bytes data = 2; int32 count = 3; }
service Talk {
  rpc Say (Text) returns (Text);
  rpc Count (Text) returns (stream Text);
  rpc Collect (stream Text) returns (Text);
  rpc Chat (stream Text) returns (stream Text);
  rpc Fail (Text) returns (Text);
  rpc Hang (Text) returns (stream Text);
}`;

// What the service does, and notes of its calls.
function service(notes) {
  return {
    say: (call, done) => {
      const trailer = new grpc.Metadata();
      trailer.set('x-end', 'yes');
      trailer.set('x-end-bin', Buffer.from([0, 1, 255]));
      const head = new grpc.Metadata();
      head.set('x-head', call.metadata.get('x-ask').join('|'));
      call.sendMetadata(head);
      notes.metadata = call.metadata.getMap();
      done(null, { text: `hello ${call.request.text}`, data: call.request.data }, trailer);
    },
    count: (call) => {
      for (let i = 1; i <= call.request.count; i++) call.write({ text: `${i}`, data: Buffer.alloc(1000, i) });
      call.end();
    },
    collect: (call, done) => {
      let text = '', size = 0;
      call.on('data', (m) => { text += m.text; size += m.data.length; }).on('end', () => done(null, { text, count: size }));
    },
    chat: (call) => { call.on('data', (m) => call.write({ text: `re: ${m.text}` })).on('end', () => call.end()); },
    fail: (call, done) => {
      const metadata = new grpc.Metadata();
      metadata.set('x-why', 'so');
      done({ code: grpc.status.FAILED_PRECONDITION, details: 'not today: ü %', metadata });
    },
    hang: (call) => {
      call.write({ text: 'begun' });
      call.on('cancelled', () => { notes.cancelled = (notes.cancelled || 0) + 1; });
    },
  };
}

async function serve(t, w, options) {
  const file = path.join(w.dir, 'talk.proto');
  fs.writeFileSync(file, PROTO);
  const { Talk } = grpc.loadPackageDefinition(loader.loadSync(file)).weir.test;
  const notes = {};
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, ...options });
  server.addService(Talk.service, service(notes));
  const credentials = grpc.ServerCredentials.createSsl(null, [{ private_key: w.cert.key, cert_chain: w.cert.cert }]);
  const port = await new Promise((resolve, reject) => server.bindAsync('localhost:0', credentials, (e, p) => (e ? reject(e) : resolve(p))));
  atEnd(t, () => server.forceShutdown());
  const connect = (through, more = {}) => {
    const ca = fs.readFileSync(through ? w.weir.ca : w.originCa.caFile);
    process.env.grpc_proxy = through ? w.weir.url : '';
    const client = new Talk(`localhost:${port}`, grpc.credentials.createSsl(ca), { 'grpc.enable_http_proxy': through ? 1 : 0, 'grpc.max_receive_message_length': -1,
      'grpc.use_local_subchannel_pool': 1, ...more });
    t.after(() => client.close());
    return client;
  };
  return { port, notes, connect, server };
}

// A call with one answer, as all that comes of it.
function unary(client, method, message, { metadata = new grpc.Metadata(), options = {} } = {}) {
  return new Promise((resolve) => {
    const all = { metadata: null, status: null, error: null, answer: null };
    const call = client[method](message, metadata, options, (error, answer) => {
      all.answer = answer ?? null;
      all.error = error && { code: error.code, details: error.details };
      setImmediate(() => resolve(all));
    });
    call.on('metadata', (m) => { all.metadata = m.getMap(); delete all.metadata.date; });
    call.on('status', (s) => { all.status = { code: s.code, details: s.details, metadata: s.metadata.getMap() }; delete all.status.metadata.date; });
  });
}

// All that a stream of answers gives.
function all(call) {
  return new Promise((resolve) => {
    const got = { messages: [], error: null, status: null };
    call.on('data', (m) => got.messages.push(m)).on('error', (e) => { got.error = e.code; });
    call.on('status', (s) => { got.status = { code: s.code, details: s.details }; setImmediate(() => resolve(got)); });
  });
}

test('gRPC', async (t) => {
  const w = await world(t);
  const { port, notes, connect, server } = await serve(t, w);
  const direct = connect(false), proxied = connect(true);
  t.after(() => { delete process.env.grpc_proxy; });
  const both = async (scenario) => {
    const results = [await scenario(direct), await scenario(proxied)];
    assert.deepEqual(results[1], results[0]);
    return results[1];
  };
  const rows = async (method, count = 1) => (await w.weir.waitFor(`select * from exchange where port = ${port} and path = '/weir.test.Talk/${method}' and
    (select count(*) from exchange where port = ${port} and path = '/weir.test.Talk/${method}' and state != 0) >= ${count} order by seq`));

  await t.test('a unary call, metadata, trailers', async () => {
    const seen = [];
    const result = await both(async (client) => {
      const metadata = new grpc.Metadata();
      for (const v of ['1', '2']) metadata.add('x-ask', v);
      metadata.set('x-ask-bin', Buffer.from([1, 2, 254]));
      const r = await unary(client, 'say', { text: 'weir' }, { metadata });
      seen.push(notes.metadata);
      return r;
    });
    assert.deepEqual(seen[1], seen[0]);
    assert.equal(result.answer.text, 'hello weir');
    const [row] = await rows('Say');
    assert.deepEqual([row.method, row.status, row.request_version, row.state, row.response_type], ['POST', 200, 20, 1, 'application/grpc+proto']);
    assert.ok(JSON.parse(row.request_headers).some(([n, v]) => n === 'te' && v === 'trailers'));
    assert.ok(JSON.parse(row.response_trailers).some(([n, v]) => n === 'grpc-status' && v === '0'));
  });

  await t.test('an error, in trailers alone', async () => {
    const result = await both((client) => unary(client, 'fail', { text: 'x' }));
    assert.equal(result.error.details, 'not today: ü %');
    assert.equal((await rows('Fail'))[0].state, 1);
  });

  await t.test('a method that is not there', () => both((client) => new Promise((resolve) => {
    client.makeUnaryRequest('/weir.test.Talk/Nothing', (x) => x, (x) => x, Buffer.alloc(0), (e) => resolve([e.code, e.details]));
  })));

  await t.test('a stream of answers', async () => {
    const { messages } = await both((client) => all(client.count({ count: 500 })));
    assert.equal(messages.length, 500);
  });

  await t.test('a stream of requests', () => both((client) => new Promise((resolve, reject) => {
    const call = client.collect((e, m) => (e ? reject(e) : resolve(m)));
    for (let i = 0; i < 300; i++) call.write({ text: `${i},`, data: Buffer.alloc(3000, i) });
    call.end();
  })));

  await t.test('both ways: each message is answered before the next is sent', async () => {
    await both(async (client) => {
      const call = client.chat();
      const done = new Promise((resolve) => call.on('status', (s) => resolve(s.code)));
      const got = [];
      for (let i = 0; i < 100; i++) {
        const back = new Promise((r) => call.once('data', (m) => r(m.text)));
        call.write({ text: `${i}` });
        got.push(await back);
      }
      call.end();
      return [got, await done];
    });
    const [row] = await rows('Chat');
    assert.ok(row.request_bytes > 500 && row.response_bytes > 900);
  });

  await t.test('a call that is cancelled is cancelled at the server', async () => {
    notes.cancelled = 0;
    const result = await both(async (client) => {
      const before = notes.cancelled;
      const call = client.hang({});
      const over = all(call);
      call.once('data', () => call.cancel());
      const { status, messages } = await over;
      await until(() => notes.cancelled === before + 1, 'the server to be told');
      return { status, messages };
    });
    assert.equal(result.status.code, grpc.status.CANCELLED);
    const [row] = await rows('Hang');
    assert.equal(row.state, 2);
    assert.match(row.error, /CANCEL/);
  });

  await t.test('a deadline', async () => {
    await both(async (client) => {
      const before = notes.cancelled;
      const { status } = await all(client.hang({}, { deadline: Date.now() + 150 }));
      await until(() => notes.cancelled === before + 1, 'the server to be told');
      return status.code;
    });
  });

  await t.test('large messages, both ways', async () => {
    const data = randomBytes(8 * 1024 * 1024);
    const result = await both((client) => unary(client, 'say', { data }));
    assert.ok(result.answer.data.equals(data));
  });

  await t.test('compressed messages', async () => {
    const options = { 'grpc.default_compression_algorithm': 2 };
    const a = await unary(connect(false, options), 'say', { text: 'z'.repeat(5000) });
    const b = await unary(connect(true, options), 'say', { text: 'z'.repeat(5000) });
    assert.deepEqual(b, a);
    assert.equal(b.answer.text.length, 5006);
  });

  await t.test('a hundred calls at once', () => both(async (client) => (await Promise.all(Array.from({ length: 100 }, (_, i) => unary(client, 'say', { text: `${i}` })))).map((r) => r.answer.text)));

  await t.test('a server that shuts down gently lets calls end', async () => {
    const call = proxied.chat();
    const over = all(call);
    call.write({ text: 'one' });
    await new Promise((r) => call.once('data', r));
    const down = new Promise((r) => server.tryShutdown(r));
    call.write({ text: 'two' });
    await new Promise((r) => call.once('data', r));
    call.end();
    assert.deepEqual((await over).messages.map((m) => m.text), ['re: one', 're: two']);
    await down;
  });
});
