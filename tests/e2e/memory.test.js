// What weir needs of memory, whatever passes through. A build with sanitizers can't be measured.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const tls = require('node:tls');
const { MEASURED, startWeir, scratch } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { connect, until } = require('./support/client');
const { streamOrigin, download, Taker } = require('./support/stream');

const MIB = 1024 ** 2;
const SIZE = 100 * MIB;
const skip = MEASURED ? false : 'only a sanitized weir is here: name a release in WEIR_RELEASE';

const inMib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

// The download of a body inside TLS inside CONNECT.
async function secureDownload(t, weir, port, seed) {
  const wire = await connect(t, weir.port);
  wire.socket.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  await wire.has('\r\n\r\n');
  wire.socket.removeAllListeners('data');
  const socket = tls.connect({ socket: wire.socket, servername: 'localhost', ca: require('node:fs').readFileSync(weir.ca) });
  t.after(() => socket.destroy());
  const taker = new Taker(socket, { seed });
  socket.write(`GET /${SIZE}?${seed} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  return taker;
}

for (const kind of ['http', 'https']) {
  test(`four bodies of 100 MiB pass at once by ${kind} in under 128 MiB`, { skip }, async (t) => {
    const ca = makeCa(scratch(t));
    const cert = kind === 'https' ? ca.issue() : undefined;
    const origin = await streamOrigin(t, { cert });
    const begun = performance.now();
    const weir = await startWeir(t, ['--upstream-ca', ca.caFile], { program: MEASURED });
    t.diagnostic(`listening after ${(performance.now() - begun).toFixed(0)} ms`);
    const idle = weir.memory('VmRSS');
    const takers = await Promise.all([1, 2, 3, 4].map((seed) => (cert ? secureDownload(t, weir, origin.port, seed)
      : download(t, weir, origin, SIZE, { seed }))));
    await Promise.all(takers.map((taker) => taker.done));
    t.diagnostic(`passed after ${(performance.now() - begun).toFixed(0)} ms`);
    for (const taker of takers) assert.deepEqual([taker.count, taker.wrongAt], [SIZE, -1]);
    await until(async () => (await weir.query('SELECT sum(response_kept) AS kept FROM exchange WHERE state = 1'))[0].kept === 4 * SIZE,
      'all of it in the store');
    const peak = weir.memory('VmHWM');
    t.diagnostic(`idle ${inMib(idle)}, at most ${inMib(peak)}`);
    assert.ok(idle < 40 * MIB, inMib(idle));
    assert.ok(peak < 128 * MIB, inMib(peak));
  });
}
