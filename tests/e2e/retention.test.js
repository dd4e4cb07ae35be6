// A session that keeps only what is new, while it is recorded and afterwards.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const { httpOrigin } = require('./support/origin');
const { IS_SANITIZED, run, startWeir } = require('./support/weir');

const BODY_BYTES = 20000;

// Bodies that no two answers share.
async function setUp(t, args) {
  const origin = await httpOrigin(t, (req, res, seen) => res.writeHead(200, { 'Content-Type': 'text/plain', 'Set-Cookie': `sid=${seen.url.slice(1)}; Path=/` })
    .end(seen.url.padEnd(BODY_BYTES, seen.url)));
  const weir = await startWeir(t, args);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  const get = (path) => new Promise((resolve, reject) => {
    http.get({ agent, host: '127.0.0.1', port: new URL(weir.url).port, path: `http://app.localhost:${origin.port}${path}`, headers: { Host: `app.localhost:${origin.port}` } },
      (res) => { res.resume().on('end', resolve).on('error', reject); }).on('error', reject);
  });
  const pass = (from, count) => Promise.all(Array.from({ length: count }, (_, i) => get(`/${from + i}`)));
  const sessions = async () => JSON.parse((await weir.command(['sessions', '--json'])).stdout);
  return { weir, pass, sessions };
}

test('--keep-last keeps the newest while exchanges pass, and says what went', async (t) => {
  const { weir, pass, sessions } = await setUp(t, ['--session', 'long', '--keep-last', '50']);
  const sizes = [];
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 5; i++) await pass(round * 500 + i * 100, 100);
    while ((await weir.query('SELECT exchanges, seen FROM session')).some((s) => s.exchanges > 50 || s.seen < (round + 1) * 500)) await new Promise(setImmediate);
    sizes.push(fs.statSync(weir.store).size);
  }
  assert.ok(sizes[3] < 16 * 1024 * 1024, `40 MB passed: ${sizes}`);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.match(weir.stdout + weir.stderr, /50 exchanges \(1950 older pruned\)/);
  const [session] = await sessions();
  assert.deepEqual([session.exchanges, session.pruned, session.seen], [50, 1950, 2000]);
  assert.match((await weir.command(['sessions'])).stdout, /ended, 1950 pruned/);
  assert.equal((await weir.query('SELECT min(seq) AS first, max(seq) AS last, count(*) AS n FROM exchange')).map((r) => `${r.first} ${r.last} ${r.n}`)[0], '1951 2000 50');
  assert.deepEqual(await weir.query("SELECT count(*) AS n FROM event WHERE kind = 'pruned'"), [{ n: 1 }]);
  assert.ok(fs.statSync(weir.store).size < 4 * 1024 * 1024, 'room is given back');
  const { stdout, code } = await weir.command(['export', 'har', 'long', '-o', '-', '--secrets', 'keep']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).log.entries.length, 50);
});

test('a session is pruned by count, by size and by age; one that becomes empty is deleted', async (t) => {
  const { weir, pass, sessions } = await setUp(t, ['--session', 'day']);
  await pass(0, 40);
  await weir.stop();
  const before = fs.statSync(weir.store).size;
  const prune = async (...args) => JSON.parse((await weir.command(['sessions', 'prune', ...args, '--json'])).stdout);

  let told = await prune('day', '--keep-last', '30');
  assert.deepEqual([told.name, told.pruned, told.exchanges, told.deleted], ['day', 10, 30, false]);
  assert.ok(told.freed_bytes >= 10 * BODY_BYTES * 0.8, `${told.freed_bytes}`);
  assert.ok(fs.statSync(weir.store).size < before);
  told = await prune('day', '--keep-last', '200k');
  assert.ok(told.exchanges >= 8 && told.exchanges <= 10, `${told.exchanges} of 20 KB each`);
  told = await prune('--keep-last', '1d');
  assert.equal(told.pruned, 0);
  await run('sqlite3', [weir.store, 'UPDATE exchange SET started_us = started_us - 2 * 86400000000']);
  const { stdout } = await weir.command(['sessions', 'prune', '--keep-last', '1d']);
  assert.match(stdout, /session 1 'day': took \d+ exchanges out and deleted it, for it was empty then; the store is .* smaller/);
  assert.deepEqual(await sessions(), []);
});

test('a session that is being recorded is refused, or left out when none is named', async (t) => {
  const { weir, pass } = await setUp(t, ['--session', 'now']);
  await pass(0, 10);
  const named = await weir.command(['sessions', 'prune', 'now', '--keep-last', '1']);
  assert.equal(named.code, 1);
  assert.match(named.stderr, /being recorded/);
  const all = await weir.command(['sessions', 'prune', '--keep-last', '1']);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, /'now': left out, it is being recorded/);
  await weir.stop();
  assert.equal((await weir.query('SELECT count(*) AS n FROM exchange'))[0].n, 10);
});

test('what is no limit is refused before anything is recorded', async (t) => {
  const { weir, sessions } = await setUp(t, ['--session', 'first']);
  await weir.stop();
  for (const bad of ['5m', '0', 'some', '']) {
    const { code, stderr } = await weir.command(['capture', '--listen', '127.0.0.1:0', '--keep-last', bad]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--keep-last/);
  }
  assert.equal((await weir.command(['sessions', 'prune'])).code, 2);
  assert.equal((await weir.command(['sessions', 'list', '--keep-last', '5'])).code, 2);
  assert.equal((await sessions()).length, 1);
});

// Answers pass without a pause until stop() is called.
function load(pass) {
  let goes = true, next = 0;
  const running = (async () => { while (goes) { await pass(next, 50); next += 50; } })();
  return { stop: async () => { goes = false; await running; } };
}

// Those with the last numbers may be under way.
function wholeEntries(text) {
  const { entries } = JSON.parse(text).log;
  const newest = Math.max(...entries.map((entry) => entry._exchange));
  for (const entry of entries.filter((e) => e._exchange <= newest - 50)) {
    const path = new URL(entry.request.url).pathname;
    assert.ok(entry.response.content.text === path.padEnd(BODY_BYTES, path), `${path} is whole: ${entry.response.content.size} bytes`);
  }
  return entries;
}

const READERS = {
  list: { args: ['list', '--json'], check: (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line)) },
  jsonl: { args: ['export', 'jsonl', '-o', '-', '--secrets', 'keep'], check: (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line)) },
  har: { args: ['export', 'har', '-o', '-', '--secrets', 'keep'], check: wholeEntries },
  collection: { args: ['export', 'collection', '-o', '-', '--profile', 'faithful', '--secrets', 'keep'], check: (text) => {
    const flat = (items) => items.flatMap((item) => (item.item ? flat(item.item) : [item]));
    return flat(JSON.parse(text).item);
  } },
  grouped: { args: ['export', 'collection', '-o', '-', '--secrets', 'keep'], check: (text) => JSON.parse(text).item },
  openapi: { args: ['export', 'openapi', '-o', '-'], check: (text) => (JSON.parse(text).openapi ? [1] : []) },
  curl: { args: ['export', 'curl', '-o', '-', '--secrets', 'keep'], check: (text) => text.split('\n').filter((line) => line.startsWith('curl')) },
  cookies: { args: ['export', 'cookies-tough', '-o', '-', '--secrets', 'keep'], check: (text) => JSON.parse(text).cookies },
};

// Many more than pass while one export reads: else all that it was to write may be gone before it comes to it.
const KEPT = 1000;

for (const [name, reader] of Object.entries(READERS)) {
  test(`${name}, while what it reads is taken out, reads whole exchanges only`, async (t) => {
    const { weir, pass } = await setUp(t, ['--session', 'moving', '--keep-last', String(KEPT)]);
    await pass(0, KEPT);
    await weir.waitFor(`SELECT 1 FROM session WHERE seen >= ${KEPT}`);
    const { stop } = load(pass);
    for (let i = 0; i < (IS_SANITIZED ? 3 : 15); i++) {
      const { code, stdout, stderr } = await weir.command(reader.args);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /damaged|can't/);
      assert.ok(reader.check(stdout).length >= 1);
    }
    await stop();
    assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  });
}

test('a session is pruned while it is exported: the export has some of it, all of them whole', async (t) => {
  const { weir, pass } = await setUp(t, ['--session', 'over']);
  await pass(0, 600);
  await weir.stop();
  const exports = Array.from({ length: 3 }, () => weir.command(READERS.har.args));
  const prunes = [];
  for (const keep of ['500', '400', '300', '200', '100']) prunes.push(await weir.command(['sessions', 'prune', 'over', '--keep-last', keep]));
  assert.deepEqual(prunes.map((prune) => prune.code), [0, 0, 0, 0, 0]);
  for (const { code, stdout, stderr } of await Promise.all(exports)) {
    assert.equal(code, 0, stderr);
    assert.ok(wholeEntries(stdout).length >= 100);
  }
});
