// After 101 the connection is the two sides' own: bytes pass both ways, also those that come together with the answer.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');

test('an upgraded connection passes bytes both ways', async (t) => {
  const w = await world(t);
  const echo = (protocol, first) => (socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n${first}`, 'latin1');
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('end', () => socket.end('bye'));
    });
  };
  const frame = '\x81\x85\x00\x00\x00\x00hello\x8a\x00\xff\xfe';

  for (const [protocol, first] of [['echo/1', ''], ['websocket', '\x81\x02hi']])
    await t.test(`${protocol}${first && ', with bytes behind the 101'}`, () => w.compare(t, {
      script: echo(protocol, first),
      scenario: async (c) => {
        await c.write(request(c, 'GET', '/ws', ['Connection: Upgrade', `Upgrade: ${protocol}`])).until(`\r\n\r\n${first}`);
        for (let i = 0; i < 10; i++) await c.write(frame + i).until(frame + i);
        c.finish();
        return { end: await c.end };
      },
      check: ([row]) => {
        assert.equal(row.status, 101);
        assert.equal(row.state, 1);
        assert.equal(row.tunnel_sent_bytes, 10 * (frame.length + 1));
        assert.equal(row.tunnel_received_bytes, first.length + 10 * (frame.length + 1) + 3);
        assert.equal(row.flags & 32, 32, 'upgraded');
      },
    }));

  await t.test('a reset by the origin is passed on', () => w.compare(t, {
    script: (socket, connection) => {
      socket.on('data', () => socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'));
    },
    scenario: async (c) => {
      await c.write(request(c, 'GET', '/x', ['Connection: Upgrade', 'Upgrade: x'])).until('\r\n\r\n');
      c.origin().raw.resetAndDestroy();
      return { end: await c.end };
    },
    check: ([row]) => {
      assert.equal(row.state, 2);
      assert.match(row.error, /origin/);
    },
  }));
});
