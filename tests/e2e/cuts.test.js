// A cut is passed on as a cut: a truncated message never ends as if it were whole, on either side.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world, request } = require('./support/world');

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this';
const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n50\r\nonly this';
const CLOSE = 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nonly this';

test('cuts are passed on as cuts', async (t) => {
  const w = await world(t);
  const cut = (what, answer, how, { kept = 'only this', error = /./ } = {}) => t.test(what, () => w.compare(t, {
    script: (socket, connection) => {
      socket.on('data', () => answer && socket.write(answer));
      connection.cut = () => how(connection);
      if (!answer) socket.once('data', () => how(connection));
    },
    scenario: async (c) => {
      c.write(request(c, 'POST', '/cut', ['Content-Length: 0'])); // nothing that would be sent again
      if (answer) {
        await c.until(answer.slice(-9));
        c.origin().cut();
      }
      return { end: await c.end };
    },
    check: async ([row]) => {
      assert.equal(row.state, 2, 'aborted');
      assert.match(row.error, error);
      if (answer) assert.ok(String(await w.weir.body(row.seq)).endsWith(kept));
      else assert.equal(row.status, null);
    },
  }));
  const fin = (c) => c.raw.end();
  const rst = (c) => c.raw.resetAndDestroy();

  await cut('a length that is not reached', LENGTH, fin, { error: /in the middle of its answer/ });
  await cut('a chunk that is not finished', CHUNKS, fin, { kept: 'helloonly this', error: /in the middle of its answer/ });
  await cut('a reset in a length', LENGTH, rst, { error: /cut|reset/ });
  await cut('a reset in a chunk', CHUNKS, rst, { kept: 'helloonly this', error: /cut|reset/ });
  await cut('a reset of what lasts until the close', CLOSE, rst, { error: /cut|reset/ });
  await cut('a close before any answer', '', fin, { error: /without an answer/ });
  await cut('a reset before any answer', '', rst, { error: /cut|reset/ });

  await t.test('a client that goes away in a download is noticed by the origin', async () => {
    for (const how of ['finish', 'reset'])
      await w.compare(t, {
        script: (socket, connection) => {
          socket.on('data', () => socket.write(LENGTH));
          // Who has only ended its half would still read; who is gone answers with a reset.
          socket.on('end', () => { connection.more = setInterval(() => socket.write('x'), 10); });
          socket.on('close', () => clearInterval(connection.more));
        },
        scenario: async (c) => {
          await c.write(request(c, 'GET', '/left')).until('only this');
          if (how === 'reset') c.reset();
          else c.raw.destroy();
          await c.origin().over;
        },
        check: ([row]) => {
          assert.equal(row.state, 2);
          assert.match(row.error, /client/, JSON.stringify([how, row]));
          assert.ok(row.response_bytes >= 9 && row.response_bytes < 100);
        },
      });
  });

  await t.test('a client that goes away in an upload', async () => {
    for (const [fields, body] of [[['Content-Length: 100'], 'only this'], [['Transfer-Encoding: chunked'], '50\r\nonly this']])
      for (const how of ['cut', 'reset'])
        await w.compare(t, {
          script: (socket, connection) => socket.on('data', () => {
            if (connection.bytes.includes('only this')) connection.got?.();
          }),
          scenario: async (c, origin) => {
            c.write(request(c, 'POST', '/upload', fields, body));
            await c.until(() => true);
            while (!c.origin()?.bytes.includes('only this')) await new Promise(setImmediate);
            c[how]();
            await c.origin().over;
            c.origin().socket.destroy();
          },
          check: async ([row]) => {
            assert.equal(row.state, 2);
            assert.match(row.error, /client/, JSON.stringify([how, row]));
            assert.equal(String(await w.weir.body(row.seq, 'request')), 'only this');
          },
        });
  });
});
