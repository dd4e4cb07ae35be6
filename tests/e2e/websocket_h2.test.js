// WebSockets as streams of HTTP/2 (RFC 8441): offered to a client once an origin is known to take them.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http2 = require('node:http2');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { missing, startChromium } = require('./support/chromium');
const { until } = require('./support/client');
const { frame, fromClient, closing } = require('./support/ws_frames');
const { messagesOf, told } = require('./support/messages');
const { tunnel } = require('./support/wire');
const { world } = require('./support/world');

const soon = (emitter, event) => once(emitter, event, { signal: AbortSignal.timeout(8000) });

// An origin that takes extended CONNECT, and says what it has had: streams are { headers, bytes, stream, gone }.
async function h2Origin(t, cert, { enableConnectProtocol = true } = {}) {
  const server = http2.createSecureServer({ key: cert.key, cert: cert.cert, settings: { enableConnectProtocol } });
  const streams = [];
  const sessions = new Set();
  server.on('session', (session) => sessions.add(session).size && session.on('close', () => sessions.delete(session)));
  server.on('stream', (stream, headers) => {
    const one = { headers, stream, bytes: Buffer.alloc(0) };
    streams.push(one);
    stream.on('error', () => {});
    stream.on('data', (d) => { one.bytes = Buffer.concat([one.bytes, d]); });
    one.gone = new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode)));
    if (headers[':protocol'] === 'websocket') stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
    else stream.respond({ ':status': 200, 'content-type': 'text/html' }, { endStream: false }), stream.end('<title>here</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: server.address().port, streams };
}

async function connectH2(t, port, { raw, ca }) {
  const socket = tls.connect({ ...(raw ? { socket: raw } : { port, host: '127.0.0.1' }), ca, servername: 'localhost', ALPNProtocols: ['h2'] });
  await soon(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, 'h2');
  const session = http2.connect(`https://localhost:${port}`, { createConnection: () => socket });
  session.on('error', () => {});
  t.after(() => session.destroy());
  await soon(session, 'remoteSettings');
  return session;
}

const ask = (session, headers, options) => {
  const stream = session.request(headers, options);
  stream.bytes = Buffer.alloc(0);
  stream.on('error', () => {});
  stream.on('data', (d) => { stream.bytes = Buffer.concat([stream.bytes, d]); });
  stream.gone = new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode)));
  return stream;
};

const asWebSocket = (port) => ({ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':authority': `localhost:${port}`,
  ':path': '/ws?a=1', 'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat' });

test('a WebSocket in a stream', async (t) => {
  const w = await world(t);
  const ends = { straight: fs.readFileSync(w.originCa.caFile), through: fs.readFileSync(w.weir.ca) };

  // A session straight to the origin, the first through weir (isOffered: extended CONNECT, from the start), and one after it.
  const two = async (origin) => {
    const straight = await connectH2(t, origin.port, { ca: ends.straight });
    const first = await connectH2(t, origin.port, { raw: await tunnel(t, w.weir, origin.port, 'localhost'), ca: ends.through });
    const isOffered = first.remoteSettings.enableConnectProtocol;
    const page = ask(first, { ':path': '/' });
    await soon(page, 'end');
    origin.streams.pop();
    const offered = await connectH2(t, origin.port, { raw: await tunnel(t, w.weir, origin.port, 'localhost'), ca: ends.through });
    return { straight, first, isOffered, offered };
  };
  const websockets = async (origin) => {
    const rows = await w.weir.waitFor(`select * from exchange where protocol = 'websocket' and port = ${origin.port} and state != 0`);
    return rows;
  };

  await t.test('the first connection is offered them once the origin has said so, the next one at once', async () => {
    const origin = await h2Origin(t, w.cert);
    const { straight, first, isOffered, offered } = await two(origin);
    assert.equal(straight.remoteSettings.enableConnectProtocol, true);
    assert.equal(isOffered, false);
    await until(() => first.remoteSettings.enableConnectProtocol, 'the offer');
    assert.equal(offered.remoteSettings.enableConnectProtocol, true);
  });

  await t.test('an origin that takes none: they are not offered', async () => {
    const origin = await h2Origin(t, w.cert, { enableConnectProtocol: false });
    const { first, offered } = await two(origin);
    assert.equal(first.remoteSettings.enableConnectProtocol, false);
    assert.equal(offered.remoteSettings.enableConnectProtocol, false);
  });

  await t.test('frames pass as they came, at once, and their messages are recorded', async () => {
    const origin = await h2Origin(t, w.cert);
    const { straight, offered } = await two(origin);
    const play = async (session) => {
      const stream = ask(session, asWebSocket(origin.port));
      const [headers] = await soon(stream, 'response');
      const peer = origin.streams.pop();
      for (let i = 0; i < 50; i++) {
        const [sent, back] = [fromClient('text', `up ${i}`), frame('binary', `down ${i}`)];
        stream.write(sent);
        await until(() => peer.bytes.includes(sent), 'a message at the origin');
        peer.stream.write(back);
        await until(() => stream.bytes.includes(back), 'a message at the client');
      }
      const big = fromClient('binary', Buffer.alloc(1024 * 1024, 'big '));
      stream.write(big);
      await until(() => peer.bytes.includes(big), 'the large one');
      stream.write(fromClient('close', closing(1000, 'bye')));
      peer.stream.end(frame('close', closing(1000, 'bye')));
      await until(() => stream.readableEnded, 'the end');
      stream.end();
      const { date, ...rest } = headers;
      return { headers: rest, asked: peer.headers, sent: peer.bytes.toString('latin1'), got: stream.bytes.toString('latin1'),
        end: [await peer.gone, await stream.gone] };
    };
    const direct = await play(straight);
    const proxied = await play(offered);
    assert.deepEqual(proxied, direct);
    const [row] = await websockets(origin);
    assert.deepEqual([row.method, row.path, row.query, row.status, row.state, row.protocol], ['CONNECT', '/ws', 'a=1', 200, 1, 'websocket']);
    assert.deepEqual([row.request_body, row.response_body], [null, null]);
    const messages = await messagesOf(w.weir, row);
    assert.deepEqual(told(messages, 'request'), [...Array.from({ length: 50 }, (_, i) => `text up ${i}`), `binary ${1024 * 1024} kept`, 'close 1000 bye']);
    assert.deepEqual(told(messages, 'response'), [...Array.from({ length: 50 }, (_, i) => `binary down ${i}`), 'close 1000 bye']);
    const { stdout } = await w.weir.command(['list', '--filter', 'is:websocket', '--json']);
    assert.equal(stdout.trim().split('\n').length, 1);

    const file = path.join(w.weir.dir, 'socket.har');
    const run = async (...args) => {
      const { code, stderr } = await w.weir.command(args);
      assert.equal(code, 0, stderr);
    };
    await run('export', 'har', '-o', file, '--filter', 'is:websocket', '--secrets', 'keep');
    await run('import', file, '--session', 'from a HAR');
    const [again] = await w.weir.query("select * from exchange where session = (select id from session where name = 'from a HAR')");
    for (const column of ['method', 'scheme', 'host', 'port', 'path', 'query', 'protocol', 'status', 'messages', 'request_version', 'state'])
      assert.equal(again[column], row[column], column);
    const restored = await messagesOf(w.weir, again);
    // A HAR has one code for both ends of a close, and no reason.
    for (const direction of ['request', 'response'])
      assert.deepEqual(told(restored, direction).slice(0, 50), told(messages, direction).slice(0, 50));
  });

  for (const [what, name, cut] of [['the client', 'CANCEL', (stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
    ['the origin', 'INTERNAL_ERROR', (stream, peer) => peer.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)]])
    await t.test(`a reset by ${what} is passed on, and what had come is recorded`, async () => {
      const origin = await h2Origin(t, w.cert);
      const { straight, offered } = await two(origin);
      const play = async (session) => {
        const stream = ask(session, asWebSocket(origin.port));
        await soon(stream, 'response');
        const peer = origin.streams.pop();
        const half = fromClient('text', 'cut off').subarray(0, -3);
        stream.write(half);
        await until(() => peer.bytes.includes(half), 'a message');
        peer.stream.write(frame('text', 'hello'));
        await until(() => stream.bytes.includes('hello'), 'a message');
        cut(stream, peer);
        return { client: await stream.gone, peer: await peer.gone };
      };
      const direct = await play(straight);
      assert.deepEqual(await play(offered), direct);
      const [row] = await websockets(origin);
      assert.equal(row.error, `${what} reset the stream: ${name}`);
      assert.equal(row.state, name === 'CANCEL' ? 2 : 1); // node ends its half before it resets: the answer is whole
      const messages = await messagesOf(w.weir, row);
      assert.deepEqual([told(messages, 'request'), told(messages, 'response')], [['text cut  (incomplete)'], ['text hello']]);
    });

  await t.test('Chromium opens one', { skip: missing }, async () => {
    const origin = await h2Origin(t, w.cert);
    await two(origin);
    origin.streams.length = 0;
    const browser = await startChromium(t, w.weir);
    const page = await browser.newPage();
    const url = `localhost:${origin.port}`;
    await page.goto(`https://${url}/`);
    const talk = page.evaluate((to) => new Promise((resolve) => {
      const heard = [];
      const socket = new WebSocket(to, ['chat']);
      socket.onopen = () => socket.send('from a page');
      socket.onmessage = ({ data }) => { heard.push(data); };
      socket.onclose = ({ code, reason, wasClean }) => resolve([...heard, code, reason, wasClean]);
    }), `wss://${url}/ws?a=1`);
    await until(() => origin.streams.some((s) => s.headers[':protocol'] && s.bytes.length > 10), 'a message of the page');
    const peer = origin.streams.find((s) => s.headers[':protocol']);
    peer.stream.write(frame('text', 'from the origin'));
    const before = peer.bytes.length;
    peer.stream.write(frame('close', closing(3000, 'enough')));
    await until(() => peer.bytes.length > before, 'the answer to the close frame');
    peer.stream.end();
    assert.deepEqual(await talk, ['from the origin', 3000, 'enough', true]);
    const [row] = await websockets(origin);
    const messages = await messagesOf(w.weir, row);
    assert.deepEqual([told(messages, 'request'), told(messages, 'response')],
      [['text from a page', 'close 3000 enough'], ['text from the origin', 'close 3000 enough']]);
  });
});
