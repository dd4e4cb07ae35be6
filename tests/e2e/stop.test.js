// How a capture ends, pauses and goes on: signals.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { startWeir, scratch } = require('./support/weir');
const { rawOrigin, httpOrigin } = require('./support/origin');
const { connect, talk, until } = require('./support/client');
const { streamOrigin, download } = require('./support/stream');

const get = (port, path = '/') =>
  `GET http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;

// Answers with a head and the first bytes, and the rest when told to.
function hangingOrigin(t, head) {
  return rawOrigin(t, (socket) => socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\nbegun`)));
}

async function refused(port) {
  return connect({ after: () => {} }, port).then((wire) => {
    wire.socket.destroy();
    return false;
  }, (error) => error.code === 'ECONNREFUSED');
}

test('the first SIGINT lets exchanges end for 2 s, and aborts the others', async (t) => {
  const soon = await hangingOrigin(t, 'Content-Length: 9\r\n');
  const never = await hangingOrigin(t, 'Content-Length: 9\r\n');
  const until_close = await hangingOrigin(t, '');
  const weir = await startWeir(t);
  const idle = await connect(t, weir.port);
  const ends = await connect(t, weir.port);
  const hangs = await connect(t, weir.port);
  const closes = await connect(t, weir.port);
  ends.socket.write(get(soon.port));
  hangs.socket.write(get(never.port));
  closes.socket.write(get(until_close.port));
  for (const wire of [ends, hangs, closes]) await wire.has('begun');

  const begun = performance.now();
  weir.child.kill('SIGINT');
  await until(() => refused(weir.port), 'no more accepting');
  await idle.over();
  assert.equal(hangs.ended || hangs.closed, false);
  soon.connections[0].socket.write('over');
  await ends.over();
  assert.ok(ends.text.endsWith('\r\n\r\nbegunover'));
  assert.equal(ends.reset, false);
  await weir.exited;
  const ms = performance.now() - begun;
  t.diagnostic(`${ms.toFixed(0)} ms`);
  assert.deepEqual(weir.exit, { code: 0, signal: null });
  assert.ok(ms >= 1950 && ms < 4500, `${ms} ms`);
  await hangs.over();
  await closes.over();
  assert.ok(hangs.text.endsWith('begun'), hangs.text);
  assert.equal(closes.reset, true, 'a body until the close must not end as if it were whole');
  const rows = await weir.query('SELECT port, state, response_kept, error FROM exchange');
  const by = Object.fromEntries(rows.map(({ port, ...row }) => [port, row]));
  assert.deepEqual(by[soon.port], { state: 1, response_kept: 9, error: null });
  for (const { port } of [never, until_close])
    assert.deepEqual(by[port], { state: 2, response_kept: 5, error: 'weir was stopped' });
  assert.match(weir.stdout, /: 3 exchanges, 1 host, .*, 2 errors\n/);
});

test('a second signal ends at once, with everything committed', async (t) => {
  const never = await hangingOrigin(t, 'Content-Length: 9\r\n');
  const quick = await httpOrigin(t, (req, res) => res.end('quick'));
  const weir = await startWeir(t);
  const hangs = await connect(t, weir.port);
  hangs.socket.write(get(never.port));
  await hangs.has('begun');
  const wires = await Promise.all(Array.from({ length: 50 }, (_, i) => talk(t, weir.port, get(quick.port, `/${i}`))));
  for (const wire of wires) assert.ok(wire.text.endsWith('quick'));
  const begun = performance.now();
  weir.child.kill('SIGINT');
  await until(() => refused(weir.port), 'no more accepting');
  weir.child.kill('SIGTERM');
  await weir.exited;
  const ms = performance.now() - begun;
  t.diagnostic(`${ms.toFixed(0)} ms`);
  assert.ok(ms < 1900, `${ms} ms`);
  assert.deepEqual(weir.exit, { code: 0, signal: null });
  assert.deepEqual(await weir.query('SELECT state, count(*) AS n FROM exchange GROUP BY state ORDER BY state'),
    [{ state: 1, n: 50 }, { state: 2, n: 1 }]);
  assert.deepEqual(await weir.query('SELECT state FROM session'), [{ state: 'ended' }]);
});

test('what clients have not read yet still reaches them', async (t) => {
  const origin = await streamOrigin(t);
  const weir = await startWeir(t);
  // Of these sizes some fit into what lies between origin and client, and the largest of them not without weir's own buffer.
  const sizes = Array.from({ length: 36 }, (_, i) => (1 + i / 4) * 1024 ** 2);
  const takers = await Promise.all(sizes.map((size, i) => download(t, weir, origin, size, { seed: i })));
  for (const { socket } of takers) socket.pause();
  const done = async () => (await weir.query('SELECT query FROM exchange WHERE state = 1')).map((row) => Number(row.query));
  let [before, since] = [0, 0];
  await until(async () => { // several commits without a new one
    const now = (await done()).length;
    if (now !== before) [before, since] = [now, performance.now()];
    return now > 0 && performance.now() - since > 600;
  }, 'all that fits');
  const fits = new Set(await done());
  takers.forEach((taker, i) => fits.has(i) || taker.socket.destroy());
  await weir.waitFor('SELECT * FROM (SELECT count(*) AS n, sum(state = 0) AS open FROM exchange) WHERE n = 36 AND open = 0');
  weir.child.kill('SIGINT');
  await until(() => refused(weir.port), 'no more accepting');
  const held = [...fits].map((i) => takers[i]);
  for (const { socket } of held) socket.resume();
  await Promise.all(held.map((taker) => taker.done));
  for (const i of fits) assert.deepEqual([i, takers[i].count, takers[i].wrongAt], [i, sizes[i], -1]);
  t.diagnostic(`${fits.size} of 36 fitted`);
  assert.deepEqual(await weir.exited, { code: 0, signal: null });
});

test('SIGUSR1 pauses recording and SIGUSR2 resumes it; what passes is counted all the same', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('same'));
  const weir = await startWeir(t);
  const state = (wanted) => weir.waitFor(`SELECT 1 FROM session WHERE state = '${wanted}'`);
  const pass = async (path) => assert.ok((await talk(t, weir.port, get(origin.port, path))).text.endsWith('same'));
  await pass('/before');
  weir.child.kill('SIGUSR1');
  await state('paused');
  await pass('/paused');
  weir.child.kill('SIGUSR2');
  await state('recording');
  await pass('/after');
  await weir.stop();
  assert.deepEqual((await weir.query('SELECT path FROM exchange ORDER BY seq')).map((row) => row.path), ['/before', '/after']);
  assert.deepEqual(await weir.query('SELECT state, exchanges, seen FROM session'), [{ state: 'ended', exchanges: 2, seen: 3 }]);
});

test('the name of an ended session continues it; that of one being recorded is refused', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('x'));
  const dir = scratch(t);
  const first = await startWeir(t, ['--session', 'shop'], { dir });
  await talk(t, first.port, get(origin.port, '/1'));
  await assert.rejects(startWeir(t, ['--session', 'shop'], { dir }), /"code":1.*\nweir: [^\n]*shop[^\n]*\n$/);
  await first.stop();
  const second = await startWeir(t, ['--session', 'shop'], { dir });
  await talk(t, second.port, get(origin.port, '/2'));
  await second.stop();
  assert.deepEqual(await second.query('SELECT seq, path FROM exchange ORDER BY seq'), [{ seq: 1, path: '/1' }, { seq: 2, path: '/2' }]);
  assert.deepEqual(await second.query('SELECT name, state, exchanges FROM session'), [{ name: 'shop', state: 'ended', exchanges: 2 }]);
});

test('two weirs record into one store at once, and sessions are renamed and deleted meanwhile', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end(req.url.repeat(100)));
  const dir = scratch(t);
  const old = await startWeir(t, ['--session', 'old'], { dir });
  for (let i = 0; i < 20; i++) await talk(t, old.port, get(origin.port, `/old/${i}`));
  await old.stop();
  const one = await startWeir(t, ['--session', 'one'], { dir });
  const two = await startWeir(t, ['--session', 'two'], { dir });
  const load = async (weir, name) => {
    for (let i = 0; i < 60; i++) {
      const wire = await talk(t, weir.port, get(origin.port, `/${name}/${i}`));
      assert.ok(wire.text.endsWith(`/${name}/${i}`.repeat(100)));
    }
  };
  const command = async (...args) => {
    const { code, stderr } = await one.command(['sessions', ...args]);
    return { code, stderr };
  };
  const [, , renamed, deleted, kept] = await Promise.all([load(one, 'one'), load(two, 'two'), command('rename', 'two', 'deux'),
    command('delete', 'old'), command('delete', 'one')]);
  assert.deepEqual(renamed, { code: 0, stderr: '' });
  assert.equal(deleted.code, 0, deleted.stderr);
  assert.ok(kept.code !== 0 && /^weir: [^\n]+\n$/.test(kept.stderr), JSON.stringify(kept));
  assert.deepEqual(await one.stop(), { code: 0, signal: null });
  assert.deepEqual(await two.stop(), { code: 0, signal: null });
  assert.equal(one.stderr + two.stderr, '');
  assert.deepEqual(await one.query(`SELECT name, session.state, count(DISTINCT path) AS paths, exchanges FROM session
      JOIN exchange ON session.id = session AND path LIKE '%/' || CASE name WHEN 'deux' THEN 'two' ELSE name END || '/%'
      GROUP BY 1 ORDER BY 1`),
    [{ name: 'deux', state: 'ended', paths: 60, exchanges: 60 }, { name: 'one', state: 'ended', paths: 60, exchanges: 60 }]);
  assert.deepEqual(await one.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  assert.deepEqual(await one.query("SELECT count(*) AS n FROM exchange WHERE path LIKE '/old/%'"), [{ n: 0 }]);
});

test('a body that came a hundred times is stored once', async (t) => {
  const size = 1024 ** 2;
  const origin = await streamOrigin(t);
  const weir = await startWeir(t);
  const fetchSome = async (n) => {
    for (let i = 0; i < n; i++) {
      const taker = await download(t, weir, origin, size);
      await taker.done;
      assert.deepEqual([taker.count, taker.wrongAt], [size, -1]);
    }
  };
  await fetchSome(100);
  await weir.stop();
  assert.deepEqual(await weir.query('SELECT count(*) AS n, sum(response_kept) AS kept FROM exchange WHERE state = 1'),
    [{ n: 100, kept: 100 * size }]);
  const [{ bytes }] = await weir.query('SELECT sum(length(bytes)) AS bytes FROM body');
  const [{ file }] = await weir.query('SELECT page_count * page_size AS file FROM pragma_page_count, pragma_page_size');
  t.diagnostic(`bodies ${bytes}, store ${file}`);
  assert.ok(bytes < 2 * size, `${bytes} bytes of bodies`);
  assert.ok(file < 3 * size, `${file} bytes of store`);
});
