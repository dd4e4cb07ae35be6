// Clients that break HTTP/2's rules, by hand: each is refused as RFC 9113 says, the session says why, others go on undisturbed,
// and memory stays where it was.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { IS_SANITIZED } = require('./support/weir');
const { h2Origin, h2Client, h2Socket } = require('./support/h2');
const { until } = require('./support/client');
const { FLAG, PREFACE, Peer, frame, settings, rst, windowUpdate, data, hpack, integer, string, fieldsOf, request, u32 } = require('./support/frames');

const MiB = 1024 * 1024;
const [PROTOCOL, FLOW, FRAME_SIZE, COMPRESSION, CALM] = [1, 3, 6, 9, 11];
const headers = (id, block, flags = FLAG.END_HEADERS | FLAG.END_STREAM) => frame('HEADERS', flags, id, block);
const repeat = (count, make) => Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

// What a client writes (after its preface and SETTINGS), with which codes its connection may end for it.
const connection = [
  ['rapid reset', [CALM], (p) => p.write(repeat(3000, (i) => Buffer.concat([request(1 + 2 * i, '/wait'), rst(1 + 2 * i, 8)])))],
  ['a flood of SETTINGS', [CALM], (p) => p.write(repeat(20000, () => settings()))],
  ['a flood of PING', [CALM], (p) => p.write(repeat(20000, () => frame('PING', 0, 0, Buffer.alloc(8))))],
  ['a flood of PRIORITY', [CALM], (p) => p.write(repeat(20000, () => frame('PRIORITY', 0, 1, Buffer.from([0, 0, 0, 0, 1]))))],
  ['a flood of empty DATA', [CALM], (p) => p.write(request(1, '/wait', { isLast: false, method: 'POST' }), repeat(20000, () => data(1, '')))],
  ['CONTINUATION without end', [CALM], (p) => p.write(headers(1, hpack(fieldsOf('/')), FLAG.END_STREAM), repeat(20000, () => frame('CONTINUATION', 0, 1, hpack([['x', 'y']]))))],
  ['empty CONTINUATION without end', [CALM], (p) => p.write(headers(1, hpack(fieldsOf('/')), FLAG.END_STREAM), repeat(20000, () => frame('CONTINUATION', 0, 1)))],
  ['streams that break the rules', [CALM], (p) => p.write(repeat(3000, (i) => headers(1 + 2 * i, hpack([[':method', 'GET'], ['Bad', '1']]))))],
  ['10,000 streams at once', [PROTOCOL, CALM], (p) => p.write(repeat(10000, (i) => request(1 + 2 * i, '/wait')))],
  ['a frame above the size', [FRAME_SIZE], (p) => p.write(frame('DATA', 0, 1, Buffer.alloc(20000)))],
  ['PING of 7 bytes', [FRAME_SIZE], (p) => p.write(frame('PING', 0, 0, Buffer.alloc(7)))],
  ['SETTINGS of 5 bytes', [FRAME_SIZE], (p) => p.write(frame('SETTINGS', 0, 0, Buffer.alloc(5)))],
  ['SETTINGS on a stream', [PROTOCOL], (p) => p.write(frame('SETTINGS', 0, 1))],
  ['SETTINGS with a window above the most', [FLOW], (p) => p.write(settings([4, 2 ** 31]))],
  ['SETTINGS with a frame size below the least', [PROTOCOL], (p) => p.write(settings([5, 100]))],
  ['WINDOW_UPDATE of 3 bytes', [FRAME_SIZE], (p) => p.write(frame('WINDOW_UPDATE', 0, 0, Buffer.alloc(3)))],
  ['WINDOW_UPDATE of nothing', [PROTOCOL], (p) => p.write(windowUpdate(0, 0))],
  ['WINDOW_UPDATE above the most', [FLOW], (p) => p.write(windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1))],
  ['DATA before HEADERS', [PROTOCOL, 5], (p) => p.write(data(1, 'x'))],
  ['HEADERS on stream 0', [PROTOCOL], (p) => p.write(headers(0, hpack(fieldsOf('/'))))],
  ['HEADERS on an even stream', [PROTOCOL], (p) => p.write(headers(2, hpack(fieldsOf('/'))))],
  ['PUSH_PROMISE from a client', [PROTOCOL], (p) => p.write(frame('PUSH_PROMISE', 4, 1, u32(2)))],
  ['padding longer than its frame', [PROTOCOL], (p) => p.write(request(1, '/wait', { isLast: false, method: 'POST' }), frame('DATA', FLAG.PADDED, 1, Buffer.from([9, 1])))],
  ['CONTINUATION without HEADERS', [PROTOCOL], (p) => p.write(frame('CONTINUATION', FLAG.END_HEADERS, 1, hpack(fieldsOf('/'))))],
  ['another frame inside a header section', [PROTOCOL], (p) => p.write(headers(1, hpack(fieldsOf('/')), 1), frame('PING', 0, 0, Buffer.alloc(8)))],
  ['an index that is not in the table', [COMPRESSION], (p) => p.write(headers(1, Buffer.from([0xff, 0x80, 0x01])))],
  ['a table larger than allowed', [COMPRESSION], (p) => p.write(headers(1, Buffer.concat([integer(1 << 20, 5, 0x20), hpack(fieldsOf('/'))])))],
  ['a Huffman code that ends wrongly', [COMPRESSION], (p) => p.write(headers(1, Buffer.from([0x00, 0x81, 0x00, 0x01, 0x61])))],
];

// What ends one stream alone: what is written for stream 1.
const stream = [
  ['a list of 1,000 fields', [CALM, PROTOCOL], (p) => p.write(headers(1, hpack([...fieldsOf('/'), ...Array.from({ length: 1000 }, (_, i) => [`x${i}`, ''])])))],
  ['a header bomb: 4 KB that is named a thousand times', [CALM], (p) => {
    const bomb = Buffer.concat([hpack(fieldsOf('/')), Buffer.from([0x40]), string('b'), string('x'.repeat(4000)), Buffer.alloc(1000, 0xbe)]);
    p.write(headers(1, bomb));
  }],
  ['fields with capitals', [PROTOCOL], (p) => p.write(headers(1, hpack([...fieldsOf('/'), ['Bad', '1']])))],
  ['no :path', [PROTOCOL], (p) => p.write(headers(1, hpack([[':method', 'GET'], [':scheme', 'https'], [':authority', 'a']])))],
  ['two :path', [PROTOCOL], (p) => p.write(headers(1, hpack([...fieldsOf('/'), [':path', '/']])))],
  ['a pseudo-header field after others', [PROTOCOL], (p) => p.write(headers(1, hpack([[':method', 'GET'], [':scheme', 'https'], ['x', 'y'], [':path', '/']])))],
  ['connection: close', [PROTOCOL], (p) => p.write(request(1, '/', { more: [['connection', 'close']] }))],
  ['transfer-encoding', [PROTOCOL], (p) => p.write(request(1, '/', { more: [['transfer-encoding', 'chunked']] }))],
  ['a value with a line end', [PROTOCOL], (p) => p.write(request(1, '/', { more: [['x', 'a\r\nb: c']] }))],
  ['a length that is not the body\'s', [PROTOCOL], (p) => p.write(request(1, '/wait', { isLast: false, method: 'POST', more: [['content-length', '3']] }), data(1, 'four', true))],
  ['DATA above the window', [FLOW], (p) => p.write(request(1, '/hold', { isLast: false, method: 'POST' }), repeat(200, () => data(1, Buffer.alloc(16384))))],
  ['a window that overflows', [FLOW], (p) => p.write(request(1, '/wait'), windowUpdate(1, 2 ** 31 - 1))],
];

test('clients that break the rules', async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s, h) => {
    if (h[':path'] === '/hold') return 'reads';
    if (h[':path'] !== '/wait') { s.respond({ ':status': 200 }); s.end('fine'); }
    return undefined;
  }, { cert: w.cert });
  const neighbour = await h2Client(t, w, origin.port);
  const others = async () => assert.equal(String((await neighbour.ask('/')).body), 'fine');
  const peer = async (options) => new Peer(await h2Socket(t, w, origin.port), options);
  await others();
  const before = w.weir.memory('VmRSS');

  for (const [what, codes, write] of connection)
    await t.test(`${what}: the connection ends`, async () => {
      const p = await peer();
      write(p);
      const away = await p.goaway();
      assert.ok(away === null || codes.includes(away.code), `GOAWAY ${away?.code} ${away?.text}`);
      await p.ended();
      assert.ok(away || p.frames.length, 'nothing was said');
      await others();
    });

  for (const [what, codes, write] of stream)
    await t.test(`${what}: the stream ends, the connection goes on`, async () => {
      const p = await peer();
      write(p);
      assert.ok(codes.includes((await p.rst(1)).code), `RST_STREAM ${(await p.rst(1)).code}`);
      p.write(request(3, '/'));
      assert.ok(await p.last(3), 'the next stream');
      await others();
      p.socket.destroy();
    });

  await t.test('what is no preface', async () => {
    const socket = await h2Socket(t, w, origin.port);
    const p = new Peer(socket, { hasPreface: false });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await p.ended();
    await others();
  });

  await t.test('a preface in pieces is one', async () => {
    const socket = await h2Socket(t, w, origin.port);
    const p = new Peer(socket, { isRude: true, hasPreface: false, settings: null });
    for (const byte of Buffer.concat([PREFACE, settings(), request(1, '/')])) { socket.write(Buffer.from([byte])); await new Promise(setImmediate); }
    assert.ok(await p.last(1));
    socket.destroy();
  });

  await t.test('a stream id that goes back is not taken for a request', async () => {
    const p = await peer();
    const count = origin.requests.length;
    p.write(request(5, '/'), request(3, '/'), request(7, '/'));
    assert.ok(await p.last(7) === null || origin.requests.length === count + 2);
    p.socket.destroy();
  });

  await t.test('unknown frames, flags and settings are passed over', async () => {
    const p = await peer();
    p.write(frame(77, 255, 0, Buffer.alloc(100)), frame(78, 1, 5, Buffer.alloc(10)), settings([77, 1]), frame('PING', 0xfe, 0, Buffer.alloc(8)), request(1, '/'));
    assert.ok(await p.last(1));
    p.socket.destroy();
  });

  await t.test('the reason is in the session', async () => {
    const rows = await until(async () => { const r = await w.weir.query('select * from event where kind = \'bad-request\''); return r.length >= 10 && r; }, 'events');
    assert.ok(rows.some((row) => /ENHANCE_YOUR_CALM|flood/.test(row.text)), JSON.stringify(rows.map((r) => r.text)));
    assert.ok(rows.every((row) => row.text.length > 8));
  });

  await t.test('a client that asks and never reads', async () => {
    const big = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.end(Buffer.alloc(4 * MiB)); }, { cert: w.cert, maxSessionMemory: 1000 });
    const socket = await h2Socket(t, w, big.port);
    const p = new Peer(socket, { settings: [[4, 2 ** 31 - 1]] });
    p.write(...Array.from({ length: 90 }, (_, i) => request(1 + 2 * i, '/')));
    socket.pause();
    await until(() => big.requests.length >= 90, 'the requests to arrive');
    for (let i = 0; i < 5; i++) await others();
    socket.destroy();
  });

  await t.test('weir is as it was', async () => {
    await others();
    if (!IS_SANITIZED) assert.ok(w.weir.memory('VmRSS') - before < 64 * MiB, `${(w.weir.memory('VmRSS') - before) / MiB} MiB more`);
    const open = await until(async () => { const r = await w.weir.query('select count(*) as n from exchange where state = 0'); return r[0].n === 0 && r; }, 'all to be over');
    assert.equal(open[0].n, 0);
  });
});
