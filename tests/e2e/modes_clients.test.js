// Clients that say nothing, garbage, or who they are only when they are asked; and who may use a listener.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const tls = require('node:tls');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const { world } = require('./support/world');
const { WEIR, run, scratch } = require('./support/weir');
const { rawOrigin, answerEach } = require('./support/origin');
const { connect, talk, Wire, until } = require('./support/client');
const { ports, curl } = require('./support/modes');

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const RIGHT = 'Proxy-Authorization: Basic am9lOnMzY3JldA==\r\n';

test('garbage and silence on every kind of listener end by themselves', async (t) => {
  const origin = await rawOrigin(t, (socket) => socket.on('data', () => socket.destroy()));
  const w = await world(t, ['127.0.0.1:0', 'https@127.0.0.1:0', 'socks5@127.0.0.1:0', 'transparent@127.0.0.1:0',
    `reverse:http://127.0.0.1:${origin.port}@127.0.0.1:0`, `reverse:https://127.0.0.1:${origin.port}@127.0.0.1:0`]
    .flatMap((listen) => ['--listen', listen]));
  const all = await ports(w.weir, 6);
  const garbage = [Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9]), Buffer.from('\x05'), Buffer.from('\x05\x01\x02\x01\xff', 'latin1'),
    Buffer.from('\x04\x01\x00'), Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxx'), Buffer.from('\r\n\r\n\r\n'),
    Buffer.alloc(300, 0), Buffer.concat([Buffer.from('\xff', 'latin1'), crypto.randomBytes(70000)])];
  // What may still become something is waited for, until its time is over, or its connection.
  const unfinished = [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 9, 9]), Buffer.from('PRI * HT'), Buffer.from('GET / HTT')];
  for (const port of all) {
    for (const bytes of [Buffer.alloc(0), ...garbage]) {
      const wire = await connect(t, port);
      wire.socket.end(bytes);
      await wire.over();
      wire.socket.destroy();
    }
    for (const bytes of unfinished) {
      const wire = await connect(t, port);
      await new Promise((resolve) => { wire.socket.write(bytes, resolve); });
      wire.socket.resetAndDestroy();
    }
  }
  assert.equal((await curl(origin, ['--proxy', `http://127.0.0.1:${all[0]}`, 'http://weir.test/'])).code, 0, 'weir is up');
});

test('a client that comes to a transparent listener by itself gets weir\'s own page', async (t) => {
  const w = await world(t, ['--listen', 'transparent@127.0.0.1:0']);
  const [port] = await ports(w.weir, 1);
  for (const args of [[`http://127.0.0.1:${port}/`], ['--cacert', w.weir.ca, `https://127.0.0.1:${port}/`, '--connect-to', `127.0.0.1:${port}:127.0.0.1:${port}`, '-k']]) {
    const { code, text } = await curl({ connections: [] }, ['--noproxy', '*', ...args]);
    assert.equal(code, 0);
    assert.match(text, /200[^]*<h1>weir<\/h1>/);
  }
});

test('whoever is asked who it is may say so on the same connection', async (t) => {
  const w = await world(t, ['--proxy-auth', 'joe:s3cret']);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const host = `127.0.0.1:${origin.port}`;
  const wire = await connect(t, w.weir.port);
  const asked = (count) => until(() => wire.text.split('HTTP/1.1 407 ').length === count + 1, `${count} times 407: ${wire.text}`);

  wire.socket.write(`POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100000)}`);
  await asked(1);
  wire.socket.write(`GET http://weir.test/ HTTP/1.1\r\nHost: weir.test\r\n\r\n`);
  await asked(2);
  wire.socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await asked(3);
  assert.equal(origin.connections.length, 0);
  wire.socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n${RIGHT}\r\n`);
  await wire.has('HTTP/1.1 200 Connection established\r\n\r\n');
  wire.socket.write(`GET /in HTTP/1.1\r\nHost: ${host}\r\nProxy-Authorization: Basic origins\r\n\r\n`);
  await wire.has('hello');
  assert.match(origin.connections[0].bytes.toString('latin1'), /^GET \/in HTTP\/1\.1\r\nHost: .*\r\nProxy-Authorization: Basic origins\r\n\r\n$/);
});

test('TLS that a client refuses of its proxy teaches nothing of origins', async (t) => {
  const w = await world(t, ['--listen', '127.0.0.1:0']);
  const origin = await rawOrigin(t, answerEach(ANSWER), { cert: w.cert });
  const by = ['--proxy', `https://localhost:${w.weir.port}`, '-4', `https://localhost:${origin.port}/`];
  const trusting = ['--proxy-cacert', w.weir.ca, '--cacert', w.weir.ca];
  assert.equal((await curl(origin, [...trusting, ...by])).code, 0);
  for (let i = 0; i < 3; i++) assert.equal((await curl(origin, ['--cacert', w.weir.ca, ...by])).code, 60);
  assert.equal((await curl(origin, [...trusting, ...by])).code, 0, 'nothing is sealed');
  assert.deepEqual(await w.weir.query('select seq from exchange where scheme = \'tls\''), []);
});

test('inside TLS with the proxy, one write may hold what is for both layers', async (t) => {
  const w = await world(t, ['--listen', 'https@127.0.0.1:0']);
  const [port] = await ports(w.weir, 1);
  const origin = await rawOrigin(t, answerEach(ANSWER));
  const socket = tls.connect({ port, host: '127.0.0.1', ca: fs.readFileSync(w.weir.ca), ALPNProtocols: ['h2', 'http/1.1'] });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, 'http/1.1');
  const wire = new Wire(socket);
  socket.write(`CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nHost: x\r\n\r\nGET /ahead HTTP/1.1\r\nHost: x\r\n\r\n`);
  await wire.has('hello');
  assert.match(wire.text, /^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 OK/);
});

test('whose clients cannot be asked who they are must be told by their addresses', async (t) => {
  const dir = scratch(t);
  const start = (listen) => run(WEIR, ['capture', '--store', path.join(dir, 'weir.db'), '--ca-dir', dir, '--proxy-auth', 'joe:s3cret', '--listen', listen]);
  for (const listen of ['reverse:http://a@0.0.0.0:0', 'transparent@0.0.0.0:0']) {
    const { code, stderr } = await start(listen);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /can be reached from other machines: say who may use it, for example --allow 192\.168\.0\.0\/16 \(its clients/);
  }
});

test('a listener for everybody asks everybody', async (t) => {
  const w = await world(t, ['--proxy-auth', 'joe:s3cret', '--listen', '0.0.0.0:0']);
  const wire = await talk(t, w.weir.port, 'GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  assert.match(wire.text, /^HTTP\/1\.1 407 /);
});
