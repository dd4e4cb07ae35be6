// WebSocket frames made by hand, sound and broken: they pass as they came, and the record says what they were.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const zlib = require('node:zlib');
const { world, request } = require('./support/world');
const { MEASURED, startWeir } = require('./support/weir');
const { rawOrigin } = require('./support/origin');
const { connect } = require('./support/wire');
const { until } = require('./support/client');
const { ASKS, TAKES, frame, fromClient, closing } = require('./support/ws_frames');
const { messagesOf, told, line } = require('./support/messages');

const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate';

// An origin that takes the WebSocket with the given answer and then says bytes; connection.say says more.
const taking = (fields = [], bytes = '') => (socket, connection) => {
  socket.once('data', () => socket.write(Buffer.concat([Buffer.from([...TAKES, ...fields, '', ''].join('\r\n')), Buffer.from(bytes)])));
  socket.on('end', () => socket.end());
  connection.say = (more) => socket.write(more);
};

const open = (c, fields = []) => c.write(request(c, 'GET', '/ws', [...ASKS, ...fields])).until('\r\n\r\n');

// Waits until the origin has had all of bytes, in this order.
const arrives = (c, bytes) => until(() => c.origin().bytes.includes(bytes), 'the bytes at the origin');

// What a client, then an origin says is recorded as these lines.
const records = (w, sent, received) => async ([row]) => {
  const messages = await messagesOf(w.weir, row);
  assert.deepEqual(told(messages, 'request'), sent);
  assert.deepEqual(told(messages, 'response'), received);
  assert.equal(row.status, 101);
  assert.equal(row.flags & 32, 32, 'upgraded');
  assert.deepEqual([row.request_body, row.response_body], [null, null]);
};

test('frames pass as they came', async (t) => {
  const w = await world(t);

  await t.test('control frames between fragments, and frames right behind the handshake', () => w.compare(t, {
    script: taking([], frame('text', 'first')),
    scenario: async (c) => {
      const sent = Buffer.concat([fromClient('text', 'one, ', { isFinal: false }), fromClient('ping', 'are you there'),
        fromClient('continuation', 'two, ', { isFinal: false }), fromClient('pong', ''), fromClient('continuation', 'three')]);
      await (await open(c)).until('first');
      for (let i = 0; i < sent.length; i++) {
        c.write(sent.subarray(i, i + 1));
        if (i % 7 === 0) await arrives(c, sent.subarray(0, i + 1));
      }
      await arrives(c, sent);
      const back = Buffer.concat([frame('binary', 'a\0', { isFinal: false }), frame('pong', 'are you there'), frame('continuation', '')]);
      c.origin().say(back);
      await c.until(back.toString('latin1'));
      c.origin().say(frame('close', closing(3000, 'later')));
      c.write(fromClient('close', closing(4999)));
      await arrives(c, fromClient('close', closing(4999)));
      await c.until('later');
      c.finish();
      return { end: await c.end };
    },
    check: records(w, ['ping are you there', 'pong', 'text one, two, three', 'close 4999'],
      ['text first', 'pong are you there', 'binary a\0', 'close 3000 later']),
  }));

  const sizes = [125, 126, 65535, 65536, 70000];
  const big = Buffer.alloc(70000, 'message ');
  await t.test('lengths of two and of eight bytes', () => w.compare(t, {
    script: taking(),
    scenario: async (c) => {
      await open(c);
      for (const size of sizes) {
        const [sent, back] = [fromClient, frame].map((make) => make('binary', big.subarray(0, size)));
        c.write(sent);
        await arrives(c, sent);
        c.origin().say(back);
        await c.until((wire) => wire.bytes.includes(back));
      }
      c.finish();
      return { end: await c.end };
    },
    check: async ([row]) => {
      const messages = await messagesOf(w.weir, row);
      assert.deepEqual(messages.filter((m) => m.direction === 'request').map((m) => m.bytes), sizes);
      for (const m of messages) assert.ok(m.payload.equals(big.subarray(0, m.bytes)));
    },
  }));

  for (const [takeover, parameters] of [['with', ''], ['without', '; server_no_context_takeover; client_no_context_takeover']])
    await t.test(`compressed messages, ${takeover} context takeover`, () => {
      const deflated = async (deflate, text) => {
        const chunks = [];
        deflate.on('data', (d) => chunks.push(d));
        deflate.write(text);
        await new Promise((resolve) => deflate.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
        deflate.removeAllListeners('data');
        if (parameters) deflate.reset();
        return Buffer.concat(chunks).subarray(0, -4);
      };
      const texts = ['the same again', 'the same again', '', 'the same again, and more'];
      return w.compare(t, {
        script: taking([DEFLATE + parameters]),
        scenario: async (c) => {
          const [up, down] = [zlib.createDeflateRaw(), zlib.createDeflateRaw()];
          await open(c, [DEFLATE]);
          for (const text of texts) {
            const packed = await deflated(up, text);
            const half = packed.length >> 1;
            const sent = Buffer.concat([fromClient('text', packed.subarray(0, half), { isFinal: false, reserved: 4 }),
              fromClient('continuation', packed.subarray(half))]);
            c.write(sent);
            await arrives(c, sent);
            const back = frame('binary', await deflated(down, text), { reserved: 4 });
            c.origin().say(back);
            await c.until(back.toString('latin1'));
          }
          c.write(fromClient('text', 'plain')).finish();
          return { end: await c.end };
        },
        check: records(w, [...texts.map((text) => `text ${text}`.trim() + ' (compressed)'), 'text plain'],
          texts.map((text) => `binary ${text}`.trim() + ' (compressed)')),
      });
    });

  await t.test('an extension that nobody knows', () => w.compare(t, {
    script: taking(['Sec-WebSocket-Extensions: x-scramble; key=7']),
    scenario: async (c) => {
      await open(c, ['Sec-WebSocket-Extensions: x-scramble']);
      c.write(fromClient('text', 'uryyb', { reserved: 2 }));
      await arrives(c, fromClient('text', 'uryyb', { reserved: 2 }));
      c.origin().say(frame('text', 'jbeyq', { reserved: 1 }));
      await c.until('jbeyq');
      c.finish();
      return { end: await c.end };
    },
    check: async ([row]) => {
      const messages = await messagesOf(w.weir, row);
      assert.deepEqual(messages.map(line), ['text uryyb (undecoded)', 'text jbeyq (undecoded)']);
      assert.match(messages[0].note, /extension/);
    },
  }));

  await t.test('text that is not UTF-8, and close codes that nobody may send', () => w.compare(t, {
    script: taking(),
    scenario: async (c) => {
      await open(c);
      const sent = Buffer.concat([fromClient('text', Buffer.from('\xff!', 'latin1')), fromClient('close', closing(1006))]);
      c.write(sent);
      await arrives(c, sent);
      c.origin().say(frame('close', closing(999, 'x')));
      await c.until('\x03\xe7x');
      c.finish();
      return { end: await c.end };
    },
    check: records(w, ['text \xff! (bad_utf8)', 'close 1006'], ['close 999 x']),
  }));
});

test('broken frames pass as they came, and the record says what was wrong', async (t) => {
  const w = await world(t);
  // Of each: what is wrong, and a frame made by `make(kind, payload, options)` of either side that is so.
  const faults = [
    ['a frame with a reserved opcode', (make) => make(3, 'x')],
    ['a frame with a reserved opcode', (make) => make(0xf, '')],
    ['a frame with a reserved bit that no extension uses', (make) => make('text', 'x', { reserved: 1 })],
    ['a frame with a reserved bit that no extension uses', (make) => make('text', 'x', { reserved: 4 })],
    ['a control frame in fragments', (make) => make('ping', 'x', { isFinal: false })],
    ['a control frame of more than 125 bytes', (make) => make('ping', Buffer.alloc(126, 'x'))],
    ['a close frame with half a status code', (make) => make('close', 'x')],
    ['a continuation frame without a message to continue', (make) => make('continuation', 'x')],
    ['a new message before the end of another', (make) => Buffer.concat([make('text', 'x', { isFinal: false }), make('text', 'y')]),
      'text x (incomplete)'],
    ['a frame length that is not in its shortest form', (make) => make('text', 'x', { lengthBytes: 2 })],
    ['a frame length that is not in its shortest form', (make) => make('text', 'x', { lengthBytes: 8 })],
    ['a frame length with its top bit set', (make) => make('binary', 'x', { lengthBytes: 8, length: 2n ** 63n })],
    ['a frame after the close frame', (make) => Buffer.concat([make('close', closing(1000)), make('text', 'late')]), 'close 1000'],
  ];
  const ofClient = [...faults, ['an unmasked frame from the client', () => frame('text', 'bare')]];
  const ofOrigin = [...faults, ['a masked frame from the server', () => fromClient('text', 'hidden')]];
  const after = 'what comes after it'; // passes as well, although nobody knows any more where a frame begins

  for (const [i, [why, make, before]] of ofClient.entries())
    await t.test(`from the client: ${why} (${i})`, () => w.compare(t, {
      on: [['forward', 'inner', 'intercepted'][i % 3]],
      script: taking(),
      scenario: async (c) => {
        const bytes = Buffer.concat([fromClient('text', 'sound'), make(fromClient), Buffer.from(after)]);
        await open(c);
        c.write(bytes);
        await arrives(c, bytes);
        c.origin().say(frame('text', 'unmoved'));
        await c.until('unmoved');
        c.finish();
        return { end: await c.end };
      },
      check: records(w, ['text sound', ...(before ? [before] : []), `fault ${why}`], ['text unmoved']),
    }));

  for (const [i, [why, make, before]] of ofOrigin.entries())
    await t.test(`from the origin: ${why} (${i})`, () => w.compare(t, {
      on: [['forward', 'inner', 'intercepted'][i % 3]],
      script: taking(),
      scenario: async (c) => {
        await open(c);
        c.origin().say(Buffer.concat([frame('text', 'sound'), make(frame), Buffer.from(after)]));
        await c.until(after);
        c.write(fromClient('text', 'unmoved')).finish();
        return { end: await c.end };
      },
      check: records(w, ['text unmoved'], ['text sound', ...(before ? [before] : []), `fault ${why}`]),
    }));

  const packed = zlib.deflateRawSync('a beginning '.repeat(20), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
  for (const [what, bytes, expected, note] of [
    ['no deflate at all', Buffer.concat([frame('text', 'garbage', { reserved: 4 }), frame('text', 'more', { reserved: 4 })]),
      ['text (truncated) (compressed)', 'text more (compressed) (undecoded)'], /can't be inflated/],
    ['half of a block', frame('text', packed.subarray(0, packed.length - 4), { reserved: 4 }), null, /within a block/],
    ['a bomb', frame('binary', zlib.deflateRawSync(Buffer.alloc(64 * 1024 * 1024)), { reserved: 4 }), null, /much more than is kept/],
  ])
    await t.test(`compressed, but ${what}`, () => w.compare(t, {
      script: taking([DEFLATE]),
      scenario: async (c) => {
        await open(c, [DEFLATE]);
        c.origin().say(bytes);
        await c.until((wire) => wire.bytes.includes(bytes));
        c.write(fromClient('text', 'unmoved')).finish();
        return { end: await c.end };
      },
      check: async ([row]) => {
        const messages = await messagesOf(w.weir, row);
        const received = messages.filter((m) => m.direction === 'response');
        assert.match(received[0].note, note);
        if (expected) assert.deepEqual(received.map(line), expected);
        assert.deepEqual(told(messages, 'request'), ['text unmoved']);
      },
    }));
});

test('a cut is passed on as it was, and what had come is recorded', async (t) => {
  const w = await world(t);
  const begun = Buffer.concat([frame('text', 'whole'), frame('text', 'only half of this').subarray(0, -8)]);

  for (const [what, cut] of [
    ['the origin ends', (c) => c.origin().socket.end()],
    ['the origin resets', (c) => c.origin().raw.resetAndDestroy()],
    ['the client ends', (c) => c.finish()],
    ['the client resets', (c) => c.reset()]])
    await t.test(what, () => w.compare(t, {
      script: taking(),
      scenario: async (c) => {
        await open(c);
        c.write(fromClient('text', 'from here').subarray(0, -3));
        await arrives(c, fromClient('text', 'from here').subarray(0, -3));
        c.origin().say(begun);
        await c.until('only half');
        cut(c);
        if (what === 'the origin ends') {
          await c.end;
          c.finish();
        }
        await c.origin().over;
        return { end: await c.end, origin: c.origin().hadError?.code ?? 'fin' };
      },
      check: async ([row]) => {
        const messages = await messagesOf(w.weir, row);
        assert.deepEqual(told(messages, 'request'), ['text from h (incomplete)']);
        assert.deepEqual(told(messages, 'response'), ['text whole', 'text only half (incomplete)']);
        assert.equal(row.state, what.includes('reset') ? 2 : 1);
      },
    }));

  await t.test('within the header of a frame', () => w.compare(t, {
    script: taking([], frame('text', 'x'.repeat(200)).subarray(0, 3)),
    scenario: async (c) => {
      await (await open(c)).until('\x81~');
      c.finish();
      return { end: await c.end };
    },
    check: records(w, [], ["fault the stream ended within a frame's header"]),
  }));

  await t.test('an origin that does not take the WebSocket', () => w.compare(t, {
    script: (socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nnot!'));
      socket.on('end', () => socket.end());
    },
    scenario: async (c) => {
      await (await open(c)).until('not!');
      await c.write(request(c, 'GET', '/ws', ASKS)).until((wire) => wire.text.split('not!').length === 3);
      c.finish();
      return { end: await c.end };
    },
    count: 2,
    check: async (rows) => {
      for (const row of rows) {
        assert.deepEqual(await messagesOf(w.weir, row), []);
        assert.equal(row.status, 426);
        assert.equal((await w.weir.body(row.seq)).toString(), 'not!');
      }
    },
  }));
});

test('a client that does not read slows the origin, in constant memory', { skip: !MEASURED && 'no build without sanitizers' }, async (t) => {
  const payload = Buffer.alloc(1024 * 1024, 'slowly ');
  const bytes = frame('binary', payload);
  const total = 256;
  let said = 0;
  const origin = await rawOrigin(t, (socket) => {
    socket.once('data', async () => {
      socket.write(Buffer.from([...TAKES, '', ''].join('\r\n')));
      for (; said < total; said++)
        if (!socket.write(bytes)) await new Promise((resolve) => socket.once('drain', resolve));
      socket.end();
    });
  });
  const weir = await startWeir(t, ['--quiet'], { program: MEASURED });
  const c = await connect(t, weir.port);
  c.target = (path) => `http://127.0.0.1:${origin.port}${path}`;
  c.host = `127.0.0.1:${origin.port}`;
  await open(c);
  c.socket.removeAllListeners('data');
  c.socket.pause();
  let last = -1;
  await until(async () => {
    const isStill = said === last;
    last = said;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return isStill && said > 0 && said === last;
  }, 'the origin is slowed');
  const held = weir.memory('VmHWM') / 1024 ** 2;
  t.diagnostic(`the origin said ${said} MiB to a client that read nothing; weir ${held.toFixed(1)} MiB`);
  assert.ok(said < 64, `${said} MiB`);

  let count = 0;
  c.socket.on('data', (d) => { count += d.length; });
  c.socket.resume();
  await until(() => count >= total * bytes.length - 8 * 1024 * 1024, 'most of it', 60000);
  c.finish();
  const [row] = await weir.waitFor('select * from exchange where state != 0', 20000);
  const [sums] = await weir.query('select count(*) as n, min(size) as least, max(size) as most, sum(length(payload)) as kept from message');
  assert.deepEqual(sums, { n: total, least: payload.length, most: payload.length, kept: total * payload.length });
  assert.equal(row.messages, total);
  const peak = weir.memory('VmHWM') / 1024 ** 2;
  t.diagnostic(`${total} MiB recorded, at most ${peak.toFixed(1)} MiB resident`);
  assert.ok(peak < 200, `${peak} MiB`);
});
