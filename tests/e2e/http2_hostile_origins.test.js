// Origins that break HTTP/2's rules, by hand: their clients are told, the session says why, weir and other origins go on.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { IS_SANITIZED } = require('./support/weir');
const { rawOrigin } = require('./support/origin');
const { h2Origin, h2Client } = require('./support/h2');
const { FLAG, Peer, frame, settings, goaway, rst, windowUpdate, data, hpack, string, response, u32 } = require('./support/frames');

const headers = (id, block, flags = FLAG.END_HEADERS) => frame('HEADERS', flags, id, block);
const repeat = (count, make) => Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const push = (id, promised) => frame('PUSH_PROMISE', 4, id, Buffer.concat([u32(promised), hpack([[':method', 'GET'], [':scheme', 'https'], [':path', '/'], [':authority', 'a']])]));
const MiB = 1024 * 1024;

// What an origin answers to a request on stream id; what is to be found in the error of the record.
const connection = [
  ['a flood of SETTINGS', /ENHANCE|flood/, (p) => p.write(repeat(20000, () => settings()))],
  ['a flood of PING', /ENHANCE|flood/, (p) => p.write(repeat(20000, () => frame('PING', 0, 0, Buffer.alloc(8))))],
  ['a flood of empty DATA', /ENHANCE|flood/, (p, id) => p.write(response(id, 200), repeat(20000, () => data(id, '')))],
  ['CONTINUATION without end', /ENHANCE|CONTINUATION|many/i, (p, id) => p.write(headers(id, hpack([[':status', '200']]), 0), repeat(20000, () => frame('CONTINUATION', 0, id, hpack([['x', 'y']]))))],
  ['a frame above the size', /FRAME_SIZE/, (p, id) => p.write(frame('DATA', 0, id, Buffer.alloc(20000)))],
  ['SETTINGS of 5 bytes', /FRAME_SIZE/, (p) => p.write(frame('SETTINGS', 0, 0, Buffer.alloc(5)))],
  ['a compression state that is none', /COMPRESSION/, (p, id) => p.write(headers(id, Buffer.from([0xff, 0x80, 0x01])))],
  ['a stream that nobody asked for', /PROTOCOL/, (p) => p.write(response(99, 200))],
  ['DATA on stream 0', /PROTOCOL/, (p) => p.write(data(0, 'x'))],
  ['DATA before the head', /PROTOCOL/, (p, id) => p.write(data(id, 'x'))],
  ['a window that overflows', /FLOW_CONTROL/, (p) => p.write(windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1))],
  ['HTTP/1.1 on a connection of HTTP/2', /./, (p) => p.socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
];

const stream = [
  ['a header section above the limit', (p, id) => p.write(headers(id, hpack([[':status', '200'], ...Array.from({ length: 1000 }, (_, i) => [`x${i}`, ''])])))],
  ['a header bomb', (p, id) => p.write(headers(id, Buffer.concat([hpack([[':status', '200']]), Buffer.from([0x40]), string('b'), string('x'.repeat(4000)), Buffer.alloc(1000, 0xbe)])))],
  ['no :status', (p, id) => p.write(headers(id, hpack([['x', 'y']])))],
  [':status 1000', (p, id) => p.write(headers(id, hpack([[':status', '1000']])))],
  ['fields with capitals', (p, id) => p.write(response(id, 200, { more: [['Bad', '1']] }))],
  ['a value with a line end', (p, id) => p.write(response(id, 200, { more: [['x', 'a\nb: c']] }))],
  ['pseudo-header fields in trailers', (p, id) => p.write(response(id, 200), headers(id, hpack([[':status', '200']]), 5))],
  ['a second head', (p, id) => p.write(response(id, 200), response(id, 200))],
  ['less than content-length', (p, id) => p.write(response(id, 200, { more: [['content-length', '9']] }), data(id, 'x', true))],
  ['more than content-length', (p, id) => p.write(response(id, 200, { more: [['content-length', '1']] }), data(id, 'xyz', true))],
  ['101', (p, id) => p.write(response(id, 101))],
];

test('origins that break the rules', async (t) => {
  const w = await world(t);
  const good = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.end('fine'); }, { cert: w.cert });
  const neighbour = await h2Client(t, w, good.port);
  const others = async () => assert.equal(String((await neighbour.ask('/')).body), 'fine');
  // answers.shift() of it answers a request, or a plain 200 when there is none left.
  const hostile = async (answers) => {
    const origin = await rawOrigin(t, (socket, connection) => {
      connection.peer = new Peer(socket, { isClient: false, isRude: true, on: (f, p) => {
        if (f.type !== 'HEADERS') return;
        const answer = answers.shift();
        if (answer) answer(p, f.id);
        else p.write(response(f.id, 200), data(f.id, 'fine', true));
      } });
      socket.on('end', () => socket.end());
    }, { cert: w.cert, ALPNProtocols: ['h2'] });
    return origin;
  };
  await others();

  for (const [what, why, answer] of connection)
    await t.test(`${what}: the request fails, the next one is on a new connection`, async () => {
      const origin = await hostile([answer]);
      const client = await h2Client(t, w, origin.port);
      const first = await client.ask({ ':method': 'POST', ':path': '/' }, { body: '' });
      assert.ok(first.code !== 0 || first.status === 502, JSON.stringify(first));
      assert.equal(String((await client.ask('/2')).body), 'fine');
      await others();
      const [row] = await w.recorded(origin.port);
      assert.equal(row.state, 2);
      assert.match(row.error, why);
      assert.equal(origin.connections.length, 2);
    });

  for (const [what, answer] of stream)
    await t.test(`${what}: the stream fails, the connection goes on`, async () => {
      const origin = await hostile([answer]);
      const client = await h2Client(t, w, origin.port);
      const first = await client.ask({ ':method': 'POST', ':path': '/' }, { body: '' });
      assert.ok(first.code !== 0 || first.status === 502, JSON.stringify(first));
      assert.equal(String((await client.ask('/2')).body), 'fine');
      assert.equal(origin.connections.length, 1);
      const [row] = await w.recorded(origin.port);
      assert.equal(row.state, 2);
      assert.ok(row.error);
    });

  await t.test('DATA above the window, to a client that does not read', async () => {
    const origin = await hostile([(p, id) => p.write(response(id, 200), repeat(600, () => data(id, Buffer.alloc(16384))))]);
    const client = await h2Client(t, w, origin.port);
    const stuck = client.request({ ':path': '/' }).pause().on('error', () => {});
    const [row] = await w.recorded(origin.port);
    assert.equal(row.state, 2);
    assert.match(row.error, /FLOW_CONTROL/);
    stuck.destroy();
    await others();
  });

  await t.test('interim answers without end', async () => {
    const origin = await hostile([(p, id) => { const more = () => { if (p.closed || p.frames.some((f) => f.type === 'RST_STREAM')) return; p.write(repeat(100, () => response(id, 103, { more: [['link', 'x'.repeat(1000)]] }))); setImmediate(more); }; more(); }]);
    const client = await h2Client(t, w, origin.port);
    const stream = client.request({ ':path': '/' }).on('error', () => {});
    let count = 0;
    await new Promise((r) => stream.on('headers', () => { if (++count === 500) stream.close(8); }).on('close', r));
    await others();
    const [row] = await w.recorded(origin.port);
    assert.equal(row.state, 2);
  });

  await t.test('a push is reset, and the answer comes', async () => {
    const origin = await hostile([(p, id) => p.write(push(id, 2), response(2, 200), data(2, 'pushed', true), response(id, 200), data(id, 'fine', true))]);
    const client = await h2Client(t, w, origin.port);
    const answer = await client.ask('/');
    assert.deepEqual([answer.status, String(answer.body), answer.pushed], [200, 'fine', undefined]);
    assert.ok([7, 8].includes((await origin.connections[0].peer.rst(2)).code));
  });

  await t.test('GOAWAY after GOAWAY, resets of what is over, windows of what is over', async () => {
    const origin = await hostile([(p, id) => p.write(response(id, 200, { isLast: true }), rst(id, 0), windowUpdate(id, 5), rst(id, 8), goaway(id, 0), goaway(id, 0), goaway(0, 2))]);
    const client = await h2Client(t, w, origin.port);
    assert.equal((await client.ask('/')).status, 200);
    assert.equal((await client.ask('/2')).status, 200);
    await others();
  });

  await t.test('a connection that says nothing after its handshake', async () => {
    const silent = await rawOrigin(t, (socket) => socket.on('end', () => socket.end()), { cert: w.cert, ALPNProtocols: ['h2'] });
    const client = await h2Client(t, w, silent.port);
    const stream = client.request({ ':path': '/' }).on('error', () => {});
    await others();
    stream.close(8);
    const [row] = await w.recorded(silent.port);
    assert.match(row.error, /CANCEL/);
  });

  await t.test('weir is as it was', async () => {
    await others();
    if (!IS_SANITIZED) assert.ok(w.weir.memory('VmHWM') < 128 * MiB);
  });
});
