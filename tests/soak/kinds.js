// kinds.js: the kinds of load: who, how many of them at once, how long each rests between two turns, and what a turn is. A turn is
// given the world (`weir` with its port, `ca`, `plain` and `secure`: ports of origins, `done(target)`: to be called with the
// target of each answer that came whole) and a scope, which ends what the turn leaves behind. It throws when something is wrong.
'use strict';
const assert = require('node:assert/strict');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const tls = require('node:tls');
const { createHash, randomBytes, randomInt } = require('node:crypto');
const { once } = require('node:events');
const { WebSocket } = require('ws');
const { firstWrong } = require('../e2e/support/stream');
const { FLAG, Peer, frame, request, rst } = require('../e2e/support/frames');
const { text } = require('./origin');

const HOST = 'soak.localhost';

// How long anything may take before it is called stuck. A busy machine is not stuck.
const STUCK_MS = 60000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const KIB = 1024;
const SIZES = [0, 1, 100, 1000, 4 * KIB, 16 * KIB, 64 * KIB];
const someSize = () => SIZES[randomInt(SIZES.length)];

let lastId = 0;
const newId = (kind) => `${kind}-${++lastId}`;

function within(promise, what, ms = STUCK_MS) {
  let timer;
  const stuck = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms); });
  return Promise.race([promise, stuck]).finally(() => clearTimeout(timer));
}

// --- connections ---------------------------------------------------------------------------------------

async function dial(world, scope) {
  const socket = net.connect({ port: world.weir.port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  scope.after(() => socket.destroy());
  await within(once(socket, 'connect'), 'connecting to weir');
  return socket;
}

async function tunnel(world, scope, port, host) {
  const socket = await dial(world, scope);
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const [answer] = await within(once(socket, 'data'), 'CONNECT');
  socket.pause();
  assert.match(String(answer), /^HTTP\/1\.1 200 [^\r]*\r\n\r\n$/);
  return socket;
}

// TLS through weir, with weir's leaf.
async function secure(world, scope, { host = HOST, alpn = ['http/1.1'] } = {}) {
  const raw = await tunnel(world, scope, world.secure, host);
  const socket = tls.connect({ socket: raw, servername: host, ca: world.ca, ALPNProtocols: alpn });
  socket.on('error', () => {});
  await within(once(socket, 'secureConnect'), 'the handshake');
  assert.equal(socket.alpnProtocol, alpn[0]);
  return socket;
}

// An agent whose only connection it is.
function agentOn(socket) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => socket;
  return agent;
}

// A request and its whole answer: { status, body }. begun(response): to look at it meanwhile.
function ask(options, { body, begun } = {}) {
  return within(new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (d) => chunks.push(d)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
      if (begun) begun(response);
    });
    request.on('error', reject);
    request.end(body);
  }), options.path);
}

// How to ask through weir for a target: in plain a whole URL on a connection to weir, in TLS the target on one that goes through it.
function asker(world, socket, isSecure) {
  const port = isSecure ? world.secure : world.plain;
  const host = `${isSecure ? HOST : '127.0.0.1'}:${port}`;
  const agent = agentOn(socket);
  return (target, more = {}) => ask({ agent, path: isSecure ? target : `http://${host}${target}`, method: more.method, headers: { Host: host, ...more.headers } }, more);
}

async function someAsker(world, scope) {
  const isSecure = randomInt(2) === 1;
  return asker(world, isSecure ? await secure(world, scope) : await dial(world, scope), isSecure);
}

// A GET whose answer is known.
async function getText(world, asks, kind) {
  const id = newId(kind);
  const size = someSize();
  const target = `/text/${size}/${id}`;
  const { status, body } = await asks(target);
  assert.equal(status, 200);
  assert.ok(body.equals(Buffer.from(text(id, size))), `${target}: ${body.length} other bytes`);
  world.done(target);
}

// --- HTTP/1 ----------------------------------------------------------------------------------------------

async function browse(world, scope) {
  const asks = await someAsker(world, scope);
  for (let i = 0; i < 30; i++) {
    await getText(world, asks, 'browse');
    if (i % 10 === 0) await asks(`/cookie/${randomInt(1000)}/${newId('cookie')}`, { headers: { Cookie: `visit=${randomInt(20)}` } });
    await pause(20);
  }
}

async function post(world, scope) {
  const asks = await someAsker(world, scope);
  for (let i = 0; i < 10; i++) {
    const target = `/sum/${newId('post')}`;
    const sent = randomBytes(someSize());
    const { body } = await asks(target, { method: 'POST', body: sent });
    assert.equal(String(body), createHash('sha256').update(sent).digest('hex'));
    world.done(target);
    await pause(50);
  }
}

// Twenty requests in one write, answered in their order.
async function pipeline(world, scope) {
  const socket = await dial(world, scope);
  const ids = Array.from({ length: 20 }, () => newId('pipeline'));
  const host = `127.0.0.1:${world.plain}`;
  let got = '';
  socket.on('data', (d) => { got += d.toString('latin1'); });
  const wanted = ids.map((id) => text(id, 200));
  socket.write(ids.map((id) => `GET http://${host}/text/200/${id} HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join(''));
  await within((async () => { while (!got.includes(wanted.at(-1))) await Promise.race([once(socket, 'data'), pause(1000)]); })(), 'a pipeline');
  assert.deepEqual(got.match(/pipeline-\d+ .{0,185}/g)?.map((b) => b.split(' ')[0]), ids);
  ids.forEach((id) => world.done(`/text/200/${id}`));
}

async function flood(world, scope) {
  await Promise.all(Array.from({ length: 50 }, async () => {
    const asks = asker(world, await dial(world, scope), false);
    await getText(world, asks, 'flood');
  }));
}

// Gone in the middle of an answer, or of a request, by RST or FIN.
async function abort(world, scope) {
  const socket = randomInt(2) ? await secure(world, scope) : await dial(world, scope);
  const isSecure = socket.encrypted === true;
  const host = isSecure ? `${HOST}:${world.secure}` : `127.0.0.1:${world.plain}`;
  const base = isSecure ? '' : `http://${host}`;
  const [method, target, more] = [
    ['GET', '/slow/1000/', ''], ['GET', `/big/${64 * KIB * KIB}/0/`, ''], ['POST', '/sum/', 'Content-Length: 100000\r\n'], ['GET', '/events/1000/', ''],
  ][randomInt(4)];
  socket.write(`${method} ${base}${target}${newId('abort')} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n${more && 'half'}`);
  socket.on('data', () => {});
  await pause(randomInt(300));
  if (randomInt(2)) socket.destroy();
  else if (isSecure) socket.end();
  else socket.resetAndDestroy();
}

// What is no request, or only a part of one.
async function garbage(world, scope) {
  const socket = await dial(world, scope);
  socket.write([randomBytes(500), 'GET / HTT', 'CONNECT localhost:1 HTTP/1.1\r\n', Buffer.from('16030100ff010000fb0303', 'hex'),
                'GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'][randomInt(5)]);
  socket.on('data', () => {});
  await pause(randomInt(500));
}

// An origin that is not there.
async function nobody(world, scope) {
  const asks = asker({ ...world, plain: 1 }, await dial(world, scope), false);
  assert.equal((await asks(`/${newId('nobody')}`)).status, 502);
}

// --- bodies ----------------------------------------------------------------------------------------------

async function big(world, scope) {
  const asks = await someAsker(world, scope);
  const size = [1, 4, 8][randomInt(3)] * KIB * KIB;
  const seed = randomInt(4);
  const target = `/big/${size}/${seed}/${newId('big')}`;
  const { body } = await asks(target);
  assert.deepEqual([body.length, firstWrong(body, 0, seed)], [size, -1]);
  world.done(target);
}

async function upload(world, scope) {
  const asks = await someAsker(world, scope);
  const target = `/sum/${newId('upload')}`;
  const sent = Buffer.alloc(4 * KIB * KIB, 'upload');
  const { body } = await asks(target, { method: 'POST', body: sent });
  assert.equal(String(body), createHash('sha256').update(sent).digest('hex'));
  world.done(target);
}

// A client that takes 256 KiB and then rests.
async function slowClient(world, scope) {
  const asks = await someAsker(world, scope);
  const size = 2 * KIB * KIB;
  const target = `/big/${size}/1/${newId('slow-client')}`;
  let rested = 0;
  const { body } = await asks(target, { begun: (response) => {
    let count = 0;
    response.on('data', (d) => {
      count += d.length;
      if (count < (rested + 1) * 256 * KIB) return;
      rested++;
      response.pause();
      setTimeout(() => response.resume(), 300);
    });
  } });
  assert.deepEqual([body.length, firstWrong(body, 0, 1)], [size, -1]);
  world.done(target);
}

async function slowOrigin(world, scope) {
  const asks = await someAsker(world, scope);
  const id = newId('slow-origin');
  const { body } = await asks(`/slow/20/${id}`);
  assert.equal(String(body), Array.from({ length: 20 }, (_, n) => `${id} ${n}\n`).join(''));
  world.done(`/slow/20/${id}`);
}

// Half an answer is no answer.
async function brokenOrigin(world, scope) {
  for (const how of ['reset', 'cut']) {
    const asks = await someAsker(world, scope);
    await assert.rejects(asks(`/${how}/${newId('broken')}`), /ECONNRESET|aborted|socket hang up/);
  }
}

// --- streams ---------------------------------------------------------------------------------------------

async function events(world, scope) {
  const asks = await someAsker(world, scope);
  const id = newId('events');
  const { body } = await asks(`/events/30/${id}`);
  assert.equal(String(body), Array.from({ length: 30 }, (_, n) => `id: ${n}\ndata: ${id}\n\n`).join(''));
  world.done(`/events/30/${id}`);
}

async function webSocket(world, scope) {
  const socket = await secure(world, scope);
  const target = `/ws/${newId('ws')}`;
  const ws = new WebSocket(`ws://${HOST}:${world.secure}${target}`, { createConnection: () => socket });
  ws.on('error', () => {});
  scope.after(() => ws.terminate());
  await within(once(ws, 'open'), 'the WebSocket');
  for (let i = 0; i < 20; i++) {
    const said = randomBytes(someSize());
    ws.send(said);
    const [heard] = await within(once(ws, 'message'), 'an echo');
    assert.ok(heard.equals(said), 'an echo that differs');
    await pause(50);
  }
  if (randomInt(3) === 0) return; // gone without a word
  const closed = once(ws, 'close');
  ws.close(1000);
  await within(closed, 'the closing handshake');
  world.done(target);
}

// --- HTTP/2 ----------------------------------------------------------------------------------------------

// Many streams at once, of which some are given up.
async function streams(world, scope) {
  const socket = await secure(world, scope, { alpn: ['h2'] });
  const session = http2.connect(`https://${HOST}:${world.secure}`, { createConnection: () => socket });
  session.on('error', () => {});
  scope.after(() => session.destroy());
  const one = (target) => new Promise((resolve, reject) => {
    const stream = session.request({ ':path': target });
    const chunks = [];
    // An empty body has its 'end' also when the stream is reset.
    stream.on('data', (d) => chunks.push(d)).on('error', reject).on('close', () => {
      if (stream.readableEnded && stream.rstCode === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`${target}: the stream was closed, ${stream.rstCode}`));
    });
  });
  const given = async () => {
    const stream = session.request({ ':path': `/${['slow/100', 'events/100', 'reset'][randomInt(3)]}/${newId('given-up')}` });
    stream.on('error', () => {}).on('data', () => {});
    await pause(randomInt(200));
    stream.close(http2.constants.NGHTTP2_CANCEL);
  };
  const whole = async (i) => {
    const id = newId('h2');
    const size = i === 0 ? 512 * KIB : someSize();
    const target = i === 0 ? `/big/${size}/2/${id}` : `/text/${size}/${id}`;
    const body = await within(one(target), target);
    assert.ok(i === 0 ? body.length === size && firstWrong(body, 0, 2) === -1 : body.equals(Buffer.from(text(id, size))), `${target}: ${body.length} other bytes`);
    world.done(target);
  };
  for (let round = 0; round < 3; round++) {
    await Promise.all([...Array.from({ length: 25 }, (_, i) => whole(i)), ...Array.from({ length: 5 }, given)]);
    await pause(300);
  }
}

// A client that opens streams only to reset them, until weir has enough of it.
async function rapidReset(world, scope) {
  const socket = await secure(world, scope, { alpn: ['h2'] });
  const peer = new Peer(socket, { isRude: true });
  for (let n = 0; n < 20 && !peer.closed; n++) {
    peer.write(...Array.from({ length: 50 }, (_, i) => {
      const stream = 1 + 2 * (50 * n + i);
      return Buffer.concat([request(stream, `/slow/10/${newId('rapid')}`, { host: HOST }), rst(stream, 8)]);
    }));
    await pause(20);
  }
  peer.write(frame('PING', 0, 0, Buffer.alloc(8)));
  await within(Promise.race([peer.ended(), peer.until((f) => f.type === 'PING' && f.flags & FLAG.ACK)]), 'an end of the resets', STUCK_MS);
}

// --- hosts and tunnels -----------------------------------------------------------------------------------

let lastHost = 0;

async function newHost(world, scope) {
  const host = `h${++lastHost}.${HOST}`;
  const socket = await secure(world, scope, { host });
  const id = newId('host');
  const { body } = await ask({ agent: agentOn(socket), path: `/text/1000/${id}`, headers: { Host: `${host}:${world.secure}` } });
  assert.equal(String(body), text(id, 1000));
  world.done(`/text/1000/${id}`);
}

// Neither TLS nor HTTP.
async function opaque(world, scope) {
  const echo = await world.echo();
  const socket = await tunnel(world, scope, echo, '127.0.0.1');
  const said = Buffer.concat([Buffer.from([0]), randomBytes(20 * KIB)]);
  const heard = [];
  socket.on('data', (d) => heard.push(d));
  socket.resume();
  socket.write(said);
  await within((async () => { while (Buffer.concat(heard).length < said.length) await Promise.race([once(socket, 'data'), pause(1000)]); })(), 'a tunnel');
  assert.ok(Buffer.concat(heard).equals(said), 'a tunnel that changes bytes');
}

const kinds = [
  { name: 'browse', actors: 4, rest: 200, turn: browse },
  { name: 'post', actors: 2, rest: 200, turn: post },
  { name: 'pipeline', actors: 1, rest: 500, turn: pipeline },
  { name: 'flood', actors: 1, rest: 3000, turn: flood },
  { name: 'abort', actors: 4, rest: 200, turn: abort },
  { name: 'garbage', actors: 1, rest: 300, turn: garbage },
  { name: 'nobody', actors: 1, rest: 1000, turn: nobody },
  { name: 'big', actors: 1, rest: 2000, turn: big },
  { name: 'upload', actors: 1, rest: 3000, turn: upload },
  { name: 'slow client', actors: 3, rest: 500, turn: slowClient },
  { name: 'slow origin', actors: 5, rest: 200, turn: slowOrigin },
  { name: 'broken origin', actors: 2, rest: 500, turn: brokenOrigin },
  { name: 'events', actors: 4, rest: 200, turn: events },
  { name: 'WebSocket', actors: 3, rest: 300, turn: webSocket },
  { name: 'HTTP/2 streams', actors: 2, rest: 1000, turn: streams },
  { name: 'rapid reset', actors: 1, rest: 15000, turn: rapidReset },
  { name: 'new host', actors: 1, rest: 500, turn: newHost },
  { name: 'opaque tunnel', actors: 1, rest: 500, turn: opaque },
];

module.exports = { kinds, HOST, pause, hosts: () => lastHost };
