// kill -9: what a client has had for 250 ms is in the store.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { Weir, MEASURED, atEnd, scratch, startWeir } = require('./support/weir');
const { httpOrigin } = require('./support/origin');
const { until } = require('./support/client');
const { firstWrong, streamOrigin, download } = require('./support/stream');

// More by hand: each takes about 2 s.
const ROUNDS = Number(process.env.KILL_ROUNDS || 4);

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

// A weir on what the last one left: how long it took to listen, and that the session of the one before is known as interrupted.
async function restart(t, dir, round) {
  const weir = new Weir(dir);
  const begun = performance.now();
  await weir.start(['--session', `round ${round}`]);
  const startMs = performance.now() - begun;
  atEnd(t, () => weir.stop());
  assert.deepEqual(await weir.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  assert.deepEqual(await weir.query('SELECT count(*) AS n FROM exchange WHERE state = 0'), [{ n: 0 }]);
  const [{ states }] = await weir.query(`SELECT group_concat(state, ' ') AS states FROM (SELECT state FROM session ORDER BY id)`);
  assert.equal(states, [...Array(round - 1).fill('interrupted'), 'recording'].join(' '));
  return { weir, startMs };
}

// Of the answers to targets that begin with prefix, how many are not in the store as they came.
async function missing(weir, prefix, wanted) {
  const rows = await weir.query(`SELECT path, exchange.state, status, CAST(coalesce(body.bytes, (
      SELECT group_concat(CAST(piece.bytes AS TEXT), '') FROM body_piece JOIN body AS piece ON piece.id = body_piece.piece
      WHERE body_piece.body = body.id)) AS TEXT) AS body
    FROM exchange LEFT JOIN body ON body.id = response_body WHERE path LIKE '${prefix}%'`);
  const stored = new Map(rows.map((row) => [row.path, row]));
  return [...wanted].filter(([path, body]) => stored.get(path)?.body !== body || stored.get(path).status !== 200).map(([path]) => path);
}

test(`every answer that a client has had for 250 ms before a kill is in the store, whole: ${ROUNDS} kills`, { timeout: 600000 + ROUNDS * 60000 }, async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end(bodyOf(req.url)));
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const table = { answers: [], compared: [], lost: [], startMs: [] };
  let { weir } = await restart(t, dir, 1);
  for (let round = 1; round <= ROUNDS; round++) {
    const received = new Map();
    const begun = performance.now();
    const wait = 400 + Math.random() * 1200;
    const loads = [];
    for (let i = 0; i < 6; i++) loads.push(load(weir, base, `${round}.${i}`, received));
    await until(() => performance.now() - begun > wait && received.size > 100, 'some load');
    const killedAt = performance.now();
    await weir.kill();
    await Promise.all(loads);
    const due = new Map([...received].filter(([, { at }]) => at < killedAt - LOST_MS).map(([path, { body }]) => [path, body]));
    const next = await restart(t, dir, round + 1);
    weir = next.weir;
    const lost = await missing(weir, `/${round}.`, due);
    table.answers.push(received.size);
    table.compared.push(due.size);
    table.lost.push(lost.length);
    table.startMs.push(next.startMs);
    if (lost.length) t.diagnostic(`round ${round}: ${lost.length} of ${due.size} lost`);
    origin.requests.length = 0;
  }
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const sorted = table.startMs.sort((a, b) => a - b);
  assert.ok(sum(table.compared) > 30 * ROUNDS, `${sum(table.compared)}`);
  t.diagnostic(`${ROUNDS} kills: ${sum(table.answers)} answers, ${sum(table.compared)} older than ${LOST_MS} ms compared, ${sum(table.lost)} lost; integrity_check ok each time`);
  t.diagnostic(`restart: ${sorted[0].toFixed(0)} ms at least, ${sorted[ROUNDS >> 1].toFixed(0)} ms in the middle, ${sorted.at(-1).toFixed(0)} ms at most`);
  assert.equal(sum(table.lost), 0);
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
