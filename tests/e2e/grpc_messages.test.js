// What was said in gRPC calls, by grpc-js and by hand for gRPC-Web: in the store, and by name with a schema of protoc's.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { world, request } = require('./support/world');
const { atEnd, run } = require('./support/weir');
const { messagesOf, told } = require('./support/messages');

const PROTO = `syntax = "proto3";
package weir.test;
enum Mood { CALM = 0; LOUD = 1; }
message Line { string text = 1; repeated int32 counts = 2; Mood mood = 3; Line reply_to = 4; }
message Summary { int64 lines = 1; map<string, double> shares = 2; }
service Talk {
  rpc Say (Line) returns (Summary);
  rpc Chat (stream Line) returns (stream Summary);
}`;

const prefixed = (payload, flags = 0) => {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
};

test('messages of gRPC', async (t) => {
  const w = await world(t);
  const proto = path.join(w.dir, 'talk.proto');
  const descriptors = path.join(w.dir, 'talk.pb');
  fs.writeFileSync(proto, PROTO);
  const made = await run('protoc', [`--proto_path=${w.dir}`, '--include_imports', `--descriptor_set_out=${descriptors}`, proto]);
  assert.equal(made.code, 0, made.stderr);
  const { Talk } = grpc.loadPackageDefinition(loader.loadSync(proto)).weir.test;
  const server = new grpc.Server();
  server.addService(Talk.service, {
    say: (call, done) => done(null, { lines: 2 ** 40, shares: { a: 0.5 } }),
    chat: (call) => { call.on('data', (line) => call.write({ lines: (line.counts ?? []).length })).on('end', () => call.end()); },
  });
  const credentials = grpc.ServerCredentials.createSsl(null, [{ private_key: w.cert.key, cert_chain: w.cert.cert }]);
  const port = await new Promise((resolve, reject) => server.bindAsync('localhost:0', credentials, (e, p) => (e ? reject(e) : resolve(p))));
  atEnd(t, () => server.forceShutdown());
  const connect = (options) => {
    process.env.grpc_proxy = w.weir.url;
    const client = new Talk(`localhost:${port}`, grpc.credentials.createSsl(fs.readFileSync(w.weir.ca)),
      { 'grpc.enable_http_proxy': 1, 'grpc.use_local_subchannel_pool': 1, ...options });
    t.after(() => { delete process.env.grpc_proxy; client.close(); });
    return client;
  };
  const show = async (seq, ...args) => {
    const { code, stdout, stderr } = await w.weir.command(['show', String(seq), '--messages', ...args]);
    assert.equal(code, 0, stderr);
    return stdout.replace(/^[^<>\n]*(?=-> |<- )/gm, ''); // without the time
  };
  const say = (client) => new Promise((resolve, reject) =>
    client.say({ text: 'grün', counts: [1, 300, -1], mood: 'LOUD', replyTo: { text: 'one' } }, (e, answer) => (e ? reject(e) : resolve(answer))));

  await t.test('a unary call: without a schema as fields of the wire, with it by name', async () => {
    await say(connect());
    const [row] = await w.recorded(port);
    const messages = await messagesOf(w.weir, row);
    assert.deepEqual(messages.map((m) => [m.direction, m.kind, Boolean(m.compressed)]), [['request', 'grpc', false], ['response', 'grpc', false]]);
    assert.match(await show(row.seq), /^-> grpc, \d+ bytes\n {4}1: "grün"\n/);
    const named = await show(row.seq, '--proto-descriptors', descriptors);
    for (const text of ['"text": "grün"', '300', '"mood": "LOUD"', '"text": "one"', '"lines": 1099511627776', '"a": 0.5']) assert.ok(named.includes(text), text);
  });

  await t.test('compressed messages are told decoded', async () => {
    await say(connect({ 'grpc.default_compression_algorithm': 2 }));
    const row = (await w.recorded(port, 2))[1];
    const messages = await messagesOf(w.weir, row);
    assert.equal(messages[0].compressed, true);
    assert.match(await show(row.seq, '--proto-descriptors', descriptors), /"text": "grün"/);
  });

  await t.test('a stream both ways', async () => {
    const call = connect().chat();
    let answers = 0;
    const over = new Promise((resolve, reject) => call.on('data', () => { answers++; }).on('error', reject).on('end', resolve));
    for (let i = 0; i < 20; i++) call.write({ text: `line ${i}`, counts: Array(i).fill(7) });
    call.end();
    await over;
    assert.equal(answers, 20);
    const row = (await w.recorded(port, 3))[2];
    const messages = await messagesOf(w.weir, row);
    assert.deepEqual([told(messages, 'request').length, told(messages, 'response').length], [20, 20]);
    assert.match(await show(row.seq, '--proto-descriptors', descriptors), /"text": "line 19"[^]*<- grpc, 2 bytes\n {4}\{\n {6}"lines": 19\n/);
  });
  process.env.grpc_proxy = '';

  const payload = Buffer.from('\x0a\x05hello');
  for (const [type, wrap] of [['application/grpc-web+proto', (bytes) => bytes],
    ['application/grpc-web-text', (bytes) => Buffer.from(bytes.toString('base64'))]])
    await t.test(`${type}: messages, and trailers in the body`, () => w.compare(t, {
      script: (socket, connection) => {
        socket.once('data', () => {
          const parts = [prefixed(payload), prefixed(zlib.gzipSync(payload), 1), prefixed(Buffer.from('grpc-status: 0\r\n'), 0x80)].map(wrap);
          socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\ngrpc-encoding: gzip\r\nContent-Length: ${Buffer.concat(parts).length}\r\n\r\n`);
          for (const part of parts) socket.write(part);
        });
      },
      scenario: async (c) => {
        const body = wrap(prefixed(payload));
        await c.write(request(c, 'POST', '/weir.test.Talk/Say', [`Content-Type: ${type}`, `Content-Length: ${body.length}`], body.toString('latin1')))
          .until(wrap(prefixed(Buffer.from('grpc-status: 0\r\n'), 0x80)).toString('latin1'));
      },
      check: async ([row]) => {
        const messages = await messagesOf(w.weir, row);
        assert.deepEqual(told(messages, 'request'), ['grpc \n\x05hello']);
        assert.deepEqual(told(messages, 'response'), ['grpc \n\x05hello', 'grpc \n\x05hello (compressed)', 'trailers grpc-status: 0\r\n']);
        assert.match(await show(row.seq, '--proto-descriptors', descriptors), /-> grpc, 7 bytes\n {4}\{\n {6}"text": "hello"\n/);
      },
    }));
});
