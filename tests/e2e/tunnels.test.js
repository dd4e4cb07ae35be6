// What is inside CONNECT and no HTTP is passed on as it is: the client speaks first or the origin does, plain or in TLS.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { once } = require('node:events');
const { world } = require('./support/world');
const { rawOrigin } = require('./support/origin');
const { connect, secure, tunnel, Wire } = require('./support/wire');

const BANNER = '220 mail.example ESMTP\r\n';

test('what is no HTTP is relayed', async (t) => {
  const w = await world(t);
  const ca = () => fs.readFileSync(w.weir.ca);

  await t.test('the origin speaks first', () => w.compare(t, {
    on: ['inner', 'intercepted'],
    script: (socket) => {
      socket.write(BANNER);
      socket.on('data', (d) => socket.write(String(d) === 'QUIT\r\n' ? '221 bye\r\n' : '250 ok\r\n'));
      socket.on('end', () => socket.end());
    },
    scenario: async (c) => {
      await c.until(BANNER);
      await c.write('EHLO x\r\n').until('250 ok\r\n');
      await c.write('QUIT\r\n').until('221 bye\r\n');
      c.finish();
      return { end: await c.end };
    },
    check: async ([row], way) => {
      assert.equal(row.method, 'CONNECT');
      const { stdout } = await w.weir.command(['show', String(row.seq)]);
      assert.match(stdout, new RegExp(`^CONNECT 127\\.0\\.0\\.1:${row.port} HTTP/1\\.1$`, 'm'));
      assert.equal(row.scheme, way === 'inner' ? 'tcp' : 'tls');
      assert.equal(row.state, 1);
      assert.equal(row.tunnel_received_bytes, BANNER.length + 8 + 9);
      assert.equal(row.tunnel_sent_bytes, 8 + 6);
    },
  }));

  await t.test('the client speaks first', () => w.compare(t, {
    on: ['inner', 'intercepted'],
    script: (socket) => {
      socket.on('data', (d) => socket.write(d));
      socket.on('end', () => socket.end('\x00end'));
    },
    scenario: async (c) => {
      await c.write('\x00\x01\xfe\xff binary\r\n\r\n').until('binary\r\n\r\n');
      await c.write('more').until('more');
      c.finish();
      return { end: await c.end };
    },
    check: ([row]) => {
      assert.equal(row.state, 1);
      assert.equal(row.tunnel_sent_bytes, 19);
    },
  }));

  await t.test('an ALPN that is not HTTP is offered to the origin, and its bytes are relayed', async () => {
    const origin = await rawOrigin(t, (socket) => socket.write('* OK IMAP\r\n'), { cert: w.cert, ALPNProtocols: ['imap'] });
    const c = await secure(await tunnel(t, w.weir, origin.port), { ca: ca(), ALPNProtocols: ['pop3', 'imap'] });
    assert.equal(c.socket.alpnProtocol, 'imap');
    await c.until('* OK IMAP\r\n');
    c.raw.destroy();
  });

  await t.test('what both sides say in the same moment, after a silence, gets to both', async () => {
    let accepted;
    const connected = new Promise((resolve) => { accepted = resolve; });
    const origin = await rawOrigin(t, accepted);
    const raw = await tunnel(t, w.weir, origin.port);
    const c = new Wire(raw, raw, null);
    const socket = await connected; // weir asks whether the origin speaks first
    const heard = once(socket, 'data');
    process.kill(w.weir.pid, 'SIGSTOP'); // so that it finds the bytes of both at once
    try {
      await new Promise((resolve) => raw.write('\x00\x01', resolve));
      await new Promise((resolve) => socket.write(BANNER, resolve));
    } finally {
      process.kill(w.weir.pid, 'SIGCONT');
    }
    await c.until(BANNER);
    assert.equal(String((await heard)[0]), '\x00\x01');
    c.raw.destroy();
  });

  await t.test('a client that is slow before TLS, and after it, is waited for', async () => {
    let connected, secured;
    const accepted = new Promise((resolve) => { connected = resolve; });
    const handshaken = new Promise((resolve) => { secured = resolve; });
    const origin = await rawOrigin(t, (socket) => {
      secured();
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    }, { cert: w.cert });
    origin.server.on('connection', connected);
    const raw = await tunnel(t, w.weir, origin.port);
    await accepted; // weir asks whether the origin speaks first
    const c = await secure(raw, { ca: ca() });
    await handshaken; // and again, inside TLS
    await c.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n').until('\r\n\r\nok');
    assert.equal(origin.connections.length, 1);
  });

  await t.test('bytes sent together with CONNECT are kept', async () => {
    const origin = await rawOrigin(t, (socket) => socket.on('data', (d) => socket.write(`got ${d.length}`)));
    const c = await connect(t, w.weir.port);
    c.write(`CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nHost: x\r\n\r\n\x01\x02\x03`);
    await c.until('got 3');
    assert.equal(origin.connections[0].bytes.toString('latin1'), '\x01\x02\x03');
  });

  await t.test('an origin that is not there resets the tunnel, and the record says why', async () => {
    const origin = await rawOrigin(t, () => {});
    await new Promise((resolve) => origin.server.close(resolve));
    const raw = await tunnel(t, w.weir, origin.port);
    const c = new Wire(raw, raw, null);
    c.write('\x00\x01\x02\x03');
    assert.equal(await c.end, 'reset');
    const [row] = await w.recorded(origin.port);
    assert.equal(row.state, 2);
    assert.match(row.error, /refused/i);
  });
});
