// A store whose disk is full: the proxy goes on, says so, and records again when there is room.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Weir, scratch } = require('./support/weir');
const { talk, until } = require('./support/client');
const { httpOrigin } = require('./support/origin');
const { streamOrigin, download } = require('./support/stream');
const { insideNamespaces, smallDisk } = require('./support/netns');

const inside = insideNamespaces();
const skip = inside ? false : 'no namespaces: not root, or not allowed';

const MIB = 1024 ** 2;

// A weir whose store lies on a disk of 16 MiB: what is moved out of the WAL is there twice for a while.
async function cramped(t) {
  const weir = new Weir(scratch(t));
  t.after(() => weir.stop());
  weir.disk = smallDisk(t, '16m');
  weir.store = path.join(weir.disk, 'weir.db');
  await weir.start(['--session', 'cramped']);
  return weir;
}

// Distinct bodies of 1 MiB each, which the client gets whole whatever becomes of the store; the longest time that one took.
async function pass(t, weir, origin, seeds) {
  let slowest = 0;
  for (const seed of seeds) {
    const begun = performance.now();
    const taker = await download(t, weir, origin, MIB, { seed });
    await taker.done;
    assert.deepEqual([taker.count, taker.wrongAt], [MIB, -1]);
    slowest = Math.max(slowest, performance.now() - begun);
  }
  return slowest;
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const complaints = (weir) => weir.stderr.split('\n').filter((line) => /can't be recorded/.test(line));

test('a disk that stays full: everything passes, one complaint, exit status 1', { skip }, async (t) => {
  const origin = await streamOrigin(t);
  const weir = await cramped(t);
  const slowest = await pass(t, weir, origin, range(0, 24));
  t.diagnostic(`slowest: ${slowest.toFixed(0)} ms`);
  assert.ok(slowest < 6000, `${slowest} ms`);
  await until(() => complaints(weir).length > 0, 'the complaint');
  assert.match(complaints(weir)[0], /the proxy goes on without .*the disk is full/);
  await until(async () => (await pass(t, weir, origin, [99])) < 1000, 'dropping, not waiting');
  weir.child.kill('SIGINT');
  assert.deepEqual(await weir.exited, { code: 1, signal: null });
  assert.equal(complaints(weir).length, 1, weir.stderr);
  assert.match(weir.stderr, /\nweir: [^\n]*the disk is full[^\n]*\n$/);
  assert.match(weir.stdout, /\nincomplete: \d+ exchanges? from \d+-\d+-\d+ \d+:\d+:\d+ to /);
});

// How long the store is tried again before anything is dropped, and some more.
const DROPS_AFTER_MS = 2500;

for (const late of [false, true]) {
  test(late ? 'a disk on which room is made too late: the gap is marked, what comes then is recorded'
    : 'a disk on which room is made at once: nothing is missing', { skip }, async (t) => {
    const origin = await streamOrigin(t);
    const small = await httpOrigin(t, (req, res) => res.end('small'));
    const passSmall = async () => {
      const wire = await talk(t, weir.port,
        `GET http://127.0.0.1:${small.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${small.port}\r\nConnection: close\r\n\r\n`);
      assert.ok(wire.text.endsWith('small'));
    };
    const weir = await cramped(t);
    const ballast = path.join(weir.disk, 'ballast');
    await pass(t, weir, origin, [0]);
    await weir.waitFor('SELECT 1 FROM exchange WHERE state = 1');
    const room = fs.statfsSync(weir.disk);
    fs.writeFileSync(ballast, Buffer.alloc(room.bavail * room.bsize - 200 * 1024));
    await pass(t, weir, origin, range(1, 4));
    await until(() => complaints(weir).length > 0, 'the complaint');
    const complained = performance.now();
    if (late) await until(async () => await passSmall() || performance.now() - complained > DROPS_AFTER_MS, 'dropping');
    fs.rmSync(ballast);
    await until(async () => await passSmall() || /recording works again/.test(weir.stderr), 'recording again');
    await pass(t, weir, origin, [50]);
    await weir.waitFor(`SELECT 1 FROM exchange WHERE query = '50' AND state = 1 AND response_kept = ${MIB}`);
    assert.deepEqual(await weir.stop(), { code: 0, signal: null });
    assert.equal(complaints(weir).length, 1);
    const [session] = await weir.query('SELECT state, incomplete, exchanges, seen FROM session');
    t.diagnostic(`${session.exchanges} of ${session.seen} recorded, incomplete: ${session.incomplete}`);
    assert.equal(session.state, 'ended');
    assert.deepEqual(await weir.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
    assert.deepEqual(await weir.query('SELECT count(*) AS n, sum(state = 0) AS open FROM exchange'),
      [{ n: session.exchanges, open: 0 }]);
    if (late) {
      assert.ok(session.exchanges < session.seen);
      const [, from, to] = /^\d+ exchanges? from (\S+ \S+) to (\S+ \S+)$/.exec(session.incomplete).map(Date.parse);
      assert.ok(to - from >= 2000, 'since the store failed, not since dropping began');
    } else {
      assert.equal(session.exchanges, session.seen);
      assert.equal(session.incomplete, null);
    }
    const { stdout } = await weir.command(['show', 'cramped/1', '--body', 'response', '--raw'], { binary: true });
    assert.equal(stdout.length, MIB);
  });
}
