// Streams stay streams: what the origin has sent is at the client before the origin sends more.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { createHash, randomBytes } = require('node:crypto');
const { world, request } = require('./support/world');
const { IS_SANITIZED } = require('./support/weir');

test('nothing is held back', async (t) => {
  const w = await world(t, ['--no-bodies']);

  for (const [what, fields, wrap] of [
    ['chunked', 'Transfer-Encoding: chunked', (text) => `${text.length.toString(16)}\r\n${text}\r\n`],
    ['until the close', 'X: y', (text) => text]])
    await t.test(`server-sent events, ${what}: each one arrives before the next is sent`, () => w.compare(t, {
      script: (socket, connection) => {
        socket.on('end', () => socket.destroy());
        socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${fields}\r\n\r\n`));
        connection.send = (text) => socket.write(wrap(text));
      },
      scenario: async (c) => {
        await c.write(request(c, 'GET', '/events', ['Accept: text/event-stream'])).until('\r\n\r\n');
        for (let i = 0; i < 20; i++) {
          c.origin().send(`data: ${i}.\n\n`);
          await c.until(`data: ${i}.\n\n`);
        }
      },
      check: ([row]) => assert.equal(row.status, 200),
    }));

  await t.test('the head, and the first byte of a body', () => w.compare(t, {
    script: (socket, connection) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n'));
      connection.send = (text) => socket.write(text);
    },
    scenario: async (c) => {
      await c.write(request(c, 'GET', '/slow')).until('\r\n\r\n');
      for (const [i, byte] of ['a', 'b', 'c'].entries()) {
        c.origin().send(byte);
        await c.until(`\r\n\r\n${'abc'.slice(0, i + 1)}`);
      }
    },
  }));
});

const BIG = 64 * 1024 * 1024;
const piece = randomBytes(1024 * 1024);

function sum(times) {
  const hash = createHash('sha256');
  for (let i = 0; i < times; i++) hash.update(piece);
  return hash.digest('hex');
}

// Writes the piece so many times, no faster than it is taken.
async function pour(socket, times) {
  for (let i = 0; i < times; i++)
    if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve));
}

// A sanitizer keeps what is freed, and shadows what is not: its figures say nothing about weir.
function peakKiB(weir) {
  return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${weir.pid}/status`, 'utf8'))[1]);
}

test('big bodies pass whole, in bounded memory, past a reader that stops', async (t) => {
  const w = await world(t);
  const http = require('node:http');
  const times = BIG / piece.length;
  let uploaded;
  const server = http.createServer((req, res) => {
    if (req.method === 'GET') {
      res.writeHead(200, { 'Content-Length': BIG });
      pour(res, times).then(() => res.end());
      return;
    }
    const hash = createHash('sha256');
    req.on('data', (d) => hash.update(d));
    req.on('end', () => { uploaded = hash.digest('hex'); res.end('ok'); });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => { server.closeAllConnections(); server.close(); });
  const { port } = server.address();
  const through = (options) => http.request({ host: '127.0.0.1', port: w.weir.port, agent: false,
    path: `http://127.0.0.1:${port}/big`, headers: { Host: `127.0.0.1:${port}` }, ...options });

  await t.test('down', async () => {
    const hash = createHash('sha256');
    const res = await new Promise((resolve) => through({ method: 'GET' }).on('response', resolve).end());
    await new Promise((resolve) => res.once('readable', resolve));
    // Everyone's buffers are full when nothing moves any more: weir has stopped reading the origin.
    let before = -1;
    for (let now = 0; now !== before; [before, now] = [now, fs.readFileSync(`/proc/${w.weir.pid}/io`, 'utf8')])
      await new Promise((resolve) => setTimeout(resolve, 100));
    for await (const chunk of res) hash.update(chunk);
    assert.equal(hash.digest('hex'), sum(times));
  });

  await t.test('up', async () => {
    const req = through({ method: 'PUT', headers: { Host: `127.0.0.1:${port}`, 'Transfer-Encoding': 'chunked' } });
    const answer = new Promise((resolve) => req.on('response', resolve));
    await pour(req, times);
    req.end();
    const res = await answer;
    for await (const chunk of res) assert.equal(String(chunk), 'ok');
    assert.equal(uploaded, sum(times));
  });

  const rows = await w.recorded(port, 2);
  assert.equal(rows[0].response_bytes, BIG);
  assert.equal(rows[1].request_bytes, BIG);
  assert.equal(createHash('sha256').update(await w.weir.body(rows[0].seq)).digest('hex'), sum(times));
  if (!IS_SANITIZED) assert.ok(peakKiB(w.weir) < 128 * 1024, `${peakKiB(w.weir)} KiB at the most`);
});
