// kill -9: what a client has had for 250 ms is in the store.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Weir, MEASURED, scratch, startWeir } = require('./support/weir');
const { httpOrigin } = require('./support/origin');
const { until } = require('./support/client');
const { firstWrong, streamOrigin, download } = require('./support/stream');

// The promise; and what the answer may have waited in this process before its time was taken counts for weir.
const LOST_MS = 250;

const bodyOf = (url) => `${url} `.repeat(1 + url.length * 7 % 90);

function fetchBy(weir, agent, url) {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: weir.port, path: url, agent, headers: { Host: new URL(url).host } }, (res) => {
      let body = '';
      res.on('data', (d) => { body += d; });
      res.on('end', () => resolve({ at: performance.now(), body }));
      res.on('error', reject);
    }).on('error', reject);
  });
}

// Fetches one after another on a connection of its own until weir is gone; notes what has come, and when.
async function load(weir, base, name, received) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; ; i++) {
    const path = `/${name}/${i}`;
    try {
      const { at, body } = await fetchBy(weir, agent, base + path);
      received.set(path, { at, body });
    } catch {
      agent.destroy();
      return;
    }
  }
}

test('every answer that a client has had for 250 ms before a kill is in the store, whole', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end(bodyOf(req.url)));
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const all = new Map();
  for (let round = 1; round <= 4; round++) {
    const weir = await startWeir(t, ['--session', `round ${round}`], { dir });
    const received = new Map();
    const begun = performance.now();
    const loads = [];
    for (let i = 0; i < 6; i++) loads.push(load(weir, base, `${round}.${i}`, received));
    await until(() => performance.now() - begun > 400 + 300 * round && received.size > 100, 'some load');
    const killedAt = performance.now();
    await weir.kill();
    await Promise.all(loads);
    for (const [path, { at, body }] of received) if (at < killedAt - LOST_MS) all.set(path, body);
    t.diagnostic(`round ${round}: ${received.size} answers`);
  }

  const weir = await startWeir(t, ['--session', 'afterwards'], { dir });
  assert.deepEqual(await weir.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  assert.deepEqual(await weir.query('SELECT count(*) AS n FROM exchange WHERE state = 0'), [{ n: 0 }]);
  const { stdout } = await weir.command(['sessions', '--json']);
  const states = Object.fromEntries(JSON.parse(stdout).map(({ name, state }) => [name, state]));
  assert.deepEqual(states, { 'round 1': 'interrupted', 'round 2': 'interrupted', 'round 3': 'interrupted',
                             'round 4': 'interrupted', afterwards: 'recording' });
  const rows = await weir.query(`SELECT path, exchange.state, status, CAST(coalesce(body.bytes, (
      SELECT group_concat(CAST(piece.bytes AS TEXT), '') FROM body_piece JOIN body AS piece ON piece.id = body_piece.piece
      WHERE body_piece.body = body.id)) AS TEXT) AS body
    FROM exchange LEFT JOIN body ON body.id = response_body`);
  const stored = new Map(rows.map((row) => [row.path, row]));
  for (const [path, body] of all) {
    assert.equal(stored.get(path)?.body, body, path);
    assert.equal(stored.get(path).status, 200);
  }
  assert.ok(all.size > 200, `${all.size}`);
  t.diagnostic(`${all.size} answers compared`);
});

test('a kill in the middle of a large download leaves all but its last 250 ms, in constant memory', async (t) => {
  const origin = await streamOrigin(t);
  const dir = scratch(t);
  const weir = new Weir(dir);
  t.after(() => weir.stop());
  await weir.start([], MEASURED ? { program: MEASURED } : {});
  const taker = await download(t, weir, origin, 1024 ** 3, { pace: 40 * 1024 ** 2 });
  const memory = [];
  await until(() => taker.count > 1024 ** 2, 'the first MiB');
  const begun = performance.now();
  await until(() => {
    memory.push(weir.memory('VmRSS'));
    return performance.now() - begun > 2500 && taker.count > 32 * 1024 ** 2;
  }, 'a good part of it');
  const killedAt = performance.now();
  await weir.kill();
  await taker.done;
  assert.equal(taker.wrongAt, -1);

  const after = await startWeir(t, ['--session', 'afterwards'], { dir });
  const [row] = await after.query('SELECT * FROM exchange');
  assert.equal(row.state, 2);
  assert.deepEqual(await after.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  const { code, stdout } = await after.command(['show', '1/1', '--body', 'response', '--raw'], { binary: true });
  assert.equal(code, 0);
  t.diagnostic(`client ${taker.count}, 250 ms earlier ${taker.countAt(killedAt - LOST_MS)}, stored ${stdout.length}`);
  assert.ok(stdout.length >= taker.countAt(killedAt - LOST_MS));
  assert.equal(firstWrong(stdout), -1);
  assert.equal(row.response_kept, stdout.length);
  const growth = (Math.max(...memory) - memory[0]) / 1024 ** 2;
  t.diagnostic(`resident memory ${(memory[0] / 1024 ** 2).toFixed(1)} MiB, grew by ${growth.toFixed(1)} MiB`);
  if (MEASURED) assert.ok(growth < 64, `${growth} MiB`);
});
