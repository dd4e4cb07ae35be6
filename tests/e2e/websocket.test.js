// WebSockets of real peers, the same through weir as without it, and what they said in the session.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { HarValidator } = require('@har-sdk/validator');
const { WebSocket, WebSocketServer } = require('ws');
const { missing, startChromium } = require('./support/chromium');
const { until } = require('./support/client');
const { world } = require('./support/world');
const { tunnel } = require('./support/wire');
const { messagesOf, told } = require('./support/messages');
const { Weir, atEnd, startWeir } = require('./support/weir');

const soon = (emitter, event) => once(emitter, event, { signal: AbortSignal.timeout(20000) });

const short = (data) => (data.length < 200 ? data.toString('latin1') : `${data.length} ${crypto.createHash('sha256').update(data).digest('hex')}`);

// All that a peer hears, in order.
function listenTo(socket) {
  const heard = [];
  socket.on('message', (data, isBinary) => heard.push(`${isBinary ? 'binary' : 'text'} ${short(data)}`));
  socket.on('ping', (data) => heard.push(`ping ${data}`));
  socket.on('pong', (data) => heard.push(`pong ${data}`));
  socket.on('error', () => {});
  socket.gone = new Promise((resolve) => socket.on('close', (code, reason) => {
    heard.push(`close ${code} ${reason}`);
    resolve();
  }));
  return heard;
}

// A server of ws that plays `serve(socket)` with each client; sockets: those there were, with what they heard.
async function wsOrigin(t, options = {}, { cert, serve = () => {} } = {}) {
  const server = cert ? https.createServer({ key: cert.key, cert: cert.cert }) : http.createServer();
  const wss = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024, ...options });
  const sockets = [];
  wss.on('connection', (socket, req) => {
    socket.heard = listenTo(socket);
    socket.asked = req.rawHeaders.filter((_, i) => !/sec-websocket-key/i.test(req.rawHeaders[i & ~1])).join('\n');
    sockets.push(socket);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of wss.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return { port: server.address().port, sockets };
}

// How a client of ws comes to the origin at port: straight, and through weir.
const ways = {
  'absolute-form': {
    scheme: 'ws',
    options: (w, t, port) => ({
      createConnection: () => net.connect(w.weir.port, '127.0.0.1'),
      finishRequest: (req) => {
        req.path = `http://127.0.0.1:${port}${req.path}`;
        req.end();
      },
    }),
  },
  'ws in CONNECT': {
    scheme: 'ws',
    options: async (w, t, port) => {
      const raw = await tunnel(t, w.weir, port);
      setImmediate(() => raw.resume()); // tunnel() has paused it; then there is somebody who reads
      return { createConnection: () => raw };
    },
  },
  'wss in CONNECT': {
    scheme: 'wss',
    options: async (w, t, port) => {
      const raw = await tunnel(t, w.weir, port);
      return { createConnection: () => tls.connect({ socket: raw, ca: fs.readFileSync(w.weir.ca), servername: 'localhost' }) };
    },
  },
};

// Plays play(client, origin's socket) straight and on each way; both sides are to hear the same. check(row, messages, way).
async function both(t, w, { options = {}, protocols = [], server = {}, serve, play, on = Object.keys(ways), check = () => {} }) {
  for (const name of on) {
    const way = ways[name];
    const origin = await wsOrigin(t, server, { cert: way.scheme === 'wss' ? w.cert : undefined, serve });
    const run = async (through) => {
      const client = new WebSocket(`${way.scheme}://127.0.0.1:${origin.port}/chat?room=1`, protocols, {
        maxPayload: 64 * 1024 * 1024, servername: 'localhost', ca: fs.readFileSync(w.originCa.caFile), ...options, ...through });
      const heard = listenTo(client);
      await soon(client, 'open');
      await until(() => origin.sockets.length > 0, 'a client');
      const peer = origin.sockets.pop();
      await play(client, peer);
      await Promise.all([client.gone, peer.gone]);
      return { client: heard, peer: peer.heard, asked: peer.asked, protocol: client.protocol, extensions: client.extensions };
    };
    const direct = await run({});
    assert.deepEqual(await run(await way.options(w, t, origin.port)), direct, name);
    const [row] = await w.recorded(origin.port);
    assert.equal(row.status, 101);
    assert.equal(row.scheme, way.scheme === 'wss' ? 'https' : 'http');
    await check(row, await messagesOf(w.weir, row), name);
  }
}

const echo = (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));

test('WebSockets of ws', async (t) => {
  const w = await world(t);
  const said = ['', 'hello', 'grün €', Buffer.alloc(0), Buffer.from([0, 255, 10]), crypto.randomBytes(1024 * 1024),
    'words '.repeat(1024 * 1024 / 6)];
  const large = Buffer.concat(Array(5).fill(crypto.randomBytes(4 * 1024 * 1024)));

  for (const [what, deflate] of [['as they are', false], ['compressed with context takeover', { threshold: 0 }],
    ['compressed without it', { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true }],
    ['compressed in a small window', { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 10 }]])
    await t.test(`messages of every kind and size, ${what}`, () => both(t, w, {
      options: { perMessageDeflate: deflate }, server: { perMessageDeflate: deflate }, serve: echo,
      play: async (client) => {
        for (const data of said) {
          client.send(data);
          await soon(client, 'message');
        }
        client.send('in ', { fin: false });
        client.send('three ', { fin: false });
        client.ping('between');
        client.send('parts');
        await soon(client, 'message');
        client.close(1000, 'done');
      },
      check: (row, messages) => {
        const data = messages.filter((m) => ['text', 'binary'].includes(m.kind));
        for (const direction of ['request', 'response']) {
          const mine = data.filter((m) => m.direction === direction);
          assert.deepEqual(mine.map((m) => m.kind),
            ['text', 'text', 'text', 'binary', 'binary', 'binary', 'text', 'text']);
          for (const [i, bytes] of [...said, 'in three parts'].entries()) {
            assert.ok(mine[i].payload.equals(Buffer.from(bytes)), `${direction} ${i}`);
            assert.equal(mine[i].bytes, Buffer.byteLength(bytes));
            assert.equal(Boolean(mine[i].compressed), Boolean(deflate));
            if (!deflate) assert.equal(mine[i].wire_bytes, mine[i].bytes);
          }
        }
        assert.deepEqual(told(messages.filter((m) => !data.includes(m)), 'request'), ['ping between', 'close 1000 done']);
        assert.deepEqual(told(messages.filter((m) => !data.includes(m)), 'response'), ['pong between', 'close 1000 done']);
      },
    }));

  for (const deflate of [false, true])
    await t.test(`a message of 20 MiB, ${deflate ? 'compressed' : 'as it is'}: of its record there is the beginning`, () => both(t, w, {
      on: deflate ? ['wss in CONNECT'] : undefined, // compressing that much takes long
      options: { perMessageDeflate: deflate }, server: { perMessageDeflate: deflate }, serve: echo,
      play: async (client) => {
        client.send(large);
        await soon(client, 'message');
        client.send('after');
        await soon(client, 'message');
        client.close();
      },
      check: (row, messages) => {
        for (const direction of ['request', 'response']) {
          const [first, second, last] = messages.filter((m) => m.direction === direction);
          assert.equal(first.bytes, deflate ? first.bytes : large.length);
          assert.ok(first.truncated);
          assert.ok(first.payload.equals(large.subarray(0, 1024 * 1024)));
          assert.equal(second.kind, 'text');
          if (!second.undecoded) assert.equal(second.payload.toString(), 'after');
          assert.equal(last.kind, 'close');
        }
      },
    }));

  await t.test('a subprotocol, and the headers as they were sent', () => both(t, w, {
    protocols: ['soup', 'chat.v2'], options: { perMessageDeflate: { threshold: 0 }, origin: 'http://app.test', headers: { 'X-Odd_Case': 'yes' } },
    server: { perMessageDeflate: true, handleProtocols: () => 'chat.v2' },
    play: async (client, peer) => {
      assert.equal(client.protocol, 'chat.v2');
      peer.send('welcome');
      await soon(client, 'message');
      client.close(1000);
    },
    check: (row) => {
      const value = (headers, name) => headers.find(([n]) => n === name)?.[1];
      assert.equal(value(row.request_headers, 'Sec-WebSocket-Protocol'), 'soup,chat.v2');
      assert.match(value(row.request_headers, 'Sec-WebSocket-Extensions'), /^permessage-deflate; client_max_window_bits$/);
      assert.equal(value(row.request_headers, 'X-Odd_Case'), 'yes');
      assert.equal(value(row.response_headers, 'Sec-WebSocket-Protocol'), 'chat.v2');
      assert.equal(row.query, 'room=1');
    },
  }));

  for (const [what, end, sent, received] of [
    ['1000 by the client', (client) => client.close(1000, 'bye'), ['close 1000 bye'], ['close 1000 bye']],
    ['1001 by the server', (client, peer) => peer.close(1001, 'going'), ['close 1001'], ['close 1001 going']],
    ['3000 by the client', (client) => client.close(3000), ['close 3000'], ['close 3000']],
    ['4321 by the server', (client, peer) => peer.close(4321, 'mine'), ['close 4321'], ['close 4321 mine']],
    ['no code', (client) => client.close(), ['close'], ['close']],
    ['1006: the client is cut', (client) => client.terminate(), [], []],
    ['1006: the server is cut', (client, peer) => peer.terminate(), [], []]])
    await t.test(`the end: ${what}`, () => both(t, w, {
      play: async (client, peer) => {
        peer.send('hello');
        await soon(client, 'message');
        await end(client, peer);
      },
      check: (row, messages) => {
        const heard = [told(messages, 'request'), told(messages, 'response')];
        assert.deepEqual(heard[0].map((l) => l.split(' ').slice(0, 2).join(' ')), sent.map((l) => l.split(' ').slice(0, 2).join(' ')));
        assert.deepEqual(heard[1], ['text hello', ...received]);
      },
    }));

  await t.test('a message is passed on at once', () => both(t, w, {
    on: ['absolute-form', 'wss in CONNECT'], serve: echo,
    play: async (client) => {
      const times = [];
      for (let i = 0; i < 300; i++) {
        const begun = performance.now();
        client.send(`${i}`);
        await soon(client, 'message');
        times.push(performance.now() - begun);
      }
      times.sort((a, b) => a - b);
      t.diagnostic(`echo: median ${times[150].toFixed(2)} ms, 99 of 100 within ${times[297].toFixed(2)} ms`);
      assert.ok(times[150] < 10, `${times[150]} ms`); // Nagle's and a late acknowledgement's would be 40
      client.close();
    },
    check: (row, messages) => assert.equal(messages.length, 602),
  }));

  await t.test('both sides talk at once, many messages', () => both(t, w, {
    serve: (socket) => { for (let i = 0; i < 2000; i++) socket.send(`down ${i}`); },
    play: async (client, peer) => {
      for (let i = 0; i < 2000; i++) client.send(Buffer.from(`up ${i}`));
      await until(() => peer.heard.length === 2000, 'all of it');
      client.close();
    },
    check: (row, messages) => {
      assert.deepEqual(told(messages, 'request').slice(0, 2000), Array.from({ length: 2000 }, (_, i) => `binary up ${i}`));
      assert.deepEqual(told(messages, 'response').slice(0, 2000), Array.from({ length: 2000 }, (_, i) => `text down ${i}`));
    },
  }));
});

test('weir list, filters and exports with a WebSocket in the session', async (t) => {
  const w = await world(t);
  await both(t, w, {
    on: ['absolute-form'], serve: echo,
    play: async (client) => {
      client.send('{"a":1}');
      await soon(client, 'message');
      client.close(1000, 'bye');
    },
  });
  const out = async (...args) => {
    const { code, stdout, stderr } = await w.weir.command(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const listed = JSON.parse(await out('list', '--filter', 'is:websocket', '--json'));
  assert.equal(listed.message_count, 4);
  assert.equal(await out('list', '--filter', '-is:websocket', '--json'), '');
  assert.match(await out('show', '1'), /-> text, 7 bytes\n {4}\{\n {6}"a": 1\n {4}\}\n[^]*<- close 1000, 3 bytes\n {4}bye\n/);
  for (const format of ['collection', 'har', 'curl', 'jsonl', 'http'])
    await t.test(`export ${format}`, async () => { await out('export', format, '-o', '-'); });
  await t.test('its messages are in the HAR, and come in again', async () => {
    const har = JSON.parse(await out('export', 'har', '-o', '-'));
    assert.deepEqual(await new HarValidator().verify(har), []);
    const { log: { entries: [entry] } } = har;
    assert.equal(entry._resourceType, 'websocket');
    assert.deepEqual(entry._webSocketMessages.map(({ type, opcode, data }) => [type, opcode, data]),
      [['send', 1, '{"a":1}'], ['receive', 1, '{"a":1}'], ['send', 8, 'bye'], ['receive', 8, 'bye']]);
    assert.equal(entry._webSocketClose.code, 1000);
    for (const { time } of entry._webSocketMessages) assert.ok(Math.abs(time - Date.parse(entry.startedDateTime) / 1000) < 60, `${time}`);
    const file = path.join(w.weir.dir, 'socket.har');
    fs.writeFileSync(file, JSON.stringify(har));
    await out('import', file, '--session', 'again');
    const again = JSON.parse(await out('export', 'har', 'again', '-o', '-')).log.entries[0];
    assert.deepEqual(again._webSocketMessages, entry._webSocketMessages);
  });
});

// What the promise is: older than this was told.
const LOST_MS = 250;

test('kill -9 in the middle: what was older than 250 ms is there', async (t) => {
  const origin = await wsOrigin(t, {}, { serve: echo });
  const weir = await startWeir(t, ['--session', 'killed', '--quiet']);
  const client = new WebSocket(`ws://127.0.0.1:${origin.port}/`, ways['absolute-form'].options({ weir }, t, origin.port));
  const heard = [];
  client.on('error', () => {});
  client.on('message', (data) => {
    heard.push({ at: performance.now(), text: data.toString() });
    setTimeout(() => client.readyState === WebSocket.OPEN && client.send(`${heard.length}`), 1);
  });
  await soon(client, 'open');
  client.send('0');
  await until(() => heard.length > 300, 'some talk');
  const killedAt = performance.now();
  await weir.kill();

  const after = new Weir(weir.dir);
  atEnd(t, () => after.stop());
  await after.start(['--session', 'afterwards', '--quiet']);
  const [row] = await after.query('select * from exchange');
  const kept = await after.query('select direction, cast(payload as text) as text from message order by n');
  const due = heard.filter(({ at }) => at < killedAt - LOST_MS);
  t.diagnostic(`${heard.length} heard, ${due.length} of them due, ${kept.length / 2} kept`);
  assert.equal(row.state, 2);
  assert.equal(row.messages, kept.length);
  for (const direction of [0, 1]) {
    const mine = kept.filter((m) => m.direction === direction).map((m) => m.text);
    assert.ok(mine.length >= due.length, `${mine.length} of ${due.length}`);
    assert.deepEqual(mine, Array.from({ length: mine.length }, (_, i) => `${i}`));
  }
});

// In the page: talks to url until it is closed, and tells what it heard.
const talk = (url) => new Promise((resolve) => {
  const heard = [];
  const socket = new WebSocket(url, ['chat']);
  socket.binaryType = 'arraybuffer';
  const say = ['hello', 'x'.repeat(100000), new Uint8Array([1, 2, 3])];
  const next = () => (say.length ? socket.send(say.shift()) : socket.close(3001, 'enough'));
  socket.onopen = () => { heard.push(`open ${socket.protocol} ${socket.extensions}`); next(); };
  socket.onmessage = ({ data }) => { heard.push(typeof data === 'string' ? `text ${data.length}` : `binary ${new Uint8Array(data)}`); next(); };
  socket.onclose = ({ code, reason, wasClean }) => resolve([...heard, `close ${code} ${reason} ${wasClean}`]);
});

test('Chromium', { skip: missing }, async (t) => {
  const w = await world(t);
  const straight = await startChromium(t, null, { args: ['--ignore-certificate-errors', '--no-proxy-server'] });
  const browser = await startChromium(t, w.weir);
  const [before, through] = [await straight.newPage(), await browser.newPage()];
  for (const scheme of ['ws', 'wss'])
    await t.test(`a WebSocket by ${scheme}`, async () => {
      const origin = await wsOrigin(t, { perMessageDeflate: { threshold: 0 }, handleProtocols: () => 'chat' },
        { serve: echo, cert: scheme === 'wss' ? w.cert : undefined });
      const url = `${scheme}://localhost:${origin.port}/socket`;
      const direct = await before.evaluate(talk, url);
      assert.deepEqual(await through.evaluate(talk, url), direct);
      assert.match(direct.join('\n'), /^open chat permessage-deflate[^]*text 5\ntext 100000\nbinary 1,2,3\nclose 3001 enough true$/);
      assert.equal(origin.sockets[1].asked, origin.sockets[0].asked);
      const [row] = await w.recorded(origin.port);
      const messages = await messagesOf(w.weir, row);
      assert.deepEqual(told(messages, 'request'), ['text hello (compressed)', 'text 100000 kept (compressed)',
        'binary \x01\x02\x03 (compressed)', 'close 3001 enough']);
      assert.deepEqual(told(messages, 'response').slice(0, 3), told(messages, 'request').slice(0, 3));
    });
});
