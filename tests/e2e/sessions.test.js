// What a capture records and into which session: names, pauses, filters, and how much of a body.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { httpOrigin } = require('./support/origin');
const { Weir, atEnd, startWeir, run, scratch } = require('./support/weir');

const BODY = 'b'.repeat(5000);

async function setUp(t, args = []) {
  const origin = await httpOrigin(t, (req, res, seen) => res.writeHead(seen.url === '/404' ? 404 : 200, {
    'Content-Type': seen.url === '/image' ? 'image/png' : 'text/plain', 'Set-Cookie': `c${seen.url.slice(1)}=1; Path=/` }).end(BODY));
  const weir = await startWeir(t, args);
  const get = async (at, ...more) => {
    const { stdout, code } = await run('curl', ['-sS', '--noproxy', '', '-x', weir.url, `http://app.localhost:${origin.port}${at}`, ...more]);
    assert.equal(code, 0);
    assert.equal(stdout, BODY, 'the client notices nothing');
  };
  const paths = async () => (await weir.query('SELECT path FROM exchange ORDER BY session, seq')).map((r) => r.path);
  const sessions = async () => JSON.parse((await weir.command(['sessions', '--json'])).stdout);
  return { origin, weir, get, paths, sessions };
}

test('SIGUSR1 pauses a capture, SIGUSR2 resumes it; what passes meanwhile passes', async (t) => {
  const { weir, get, paths } = await setUp(t);
  const said = async (what) => {
    while (!what.test(weir.stdout)) await new Promise((r) => weir.child.stdout.once('data', r));
  };
  await get('/before');
  weir.child.kill('SIGUSR1');
  await said(/paused/);
  await get('/paused');
  weir.child.kill('SIGUSR2');
  await said(/resumed|recording again/);
  await get('/after');
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.deepEqual(await paths(), ['/before', '/after']);
});

test('the name of an ended session continues it, that of a running one is refused', async (t) => {
  const { weir, get, paths, sessions } = await setUp(t, ['--session', 'evening']);
  await get('/one');
  const second = new Weir(weir.dir);
  await assert.rejects(second.start(['--session', 'evening']), /evening/);
  await weir.stop();
  await weir.start(['--session', 'evening']);
  await get('/two');
  await weir.stop();
  assert.deepEqual((await sessions()).map((s) => [s.name, s.exchanges, s.state]), [['evening', 2, 'ended']]);
  assert.deepEqual(await paths(), ['/one', '/two']);
  for (const bad of ['12', 'a/b', '']) {
    const { code, stderr } = await weir.command(['capture', '--listen', '127.0.0.1:0', '--session', bad]);
    assert.ok(code === 1 || code === 2, `'${bad}': ${code}`);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
  assert.equal((await sessions()).length, 1, 'what was refused left nothing behind');
});

test('two weirs in one store, each in a session of its own', async (t) => {
  const first = await setUp(t);
  const other = new Weir(first.weir.dir);
  atEnd(t, () => other.stop());
  await other.start([]);
  await first.get('/one');
  await run('curl', ['-sS', '-o', '/dev/null', '--noproxy', '', '-x', other.url, `http://app.localhost:${first.origin.port}/two`]);
  await other.stop();
  await first.weir.stop();
  const names = (await first.sessions()).map((s) => [s.exchanges, s.state]);
  assert.deepEqual(names, [[1, 'ended'], [1, 'ended']]);
});

test('a filter keeps the rest out of the session, but not out of its numbers and its jar', async (t) => {
  const { weir, get, paths, sessions } = await setUp(t, ['--filter', 'status:404 -method:POST']);
  await get('/404');
  await get('/other');
  await get('/404', '-d', 'x');
  await weir.stop();
  assert.deepEqual(await paths(), ['/404']);
  const [session] = await sessions();
  assert.deepEqual([session.exchanges, session.filtered, session.seen], [1, 2, 3]);
  const jar = JSON.parse((await weir.command(['cookies', '--json'])).stdout);
  assert.deepEqual(jar.map((c) => c.name).sort(), ['c404', 'cother']);
  assert.match(weir.stdout, /1 exchange, .*2 filtered out/);
});

for (const [option, at, kept] of [[['--no-bodies'], '/text', 0], [['--max-body', '1k'], '/text', 1024], [['--skip-media'], '/image', 0],
  [['--skip-media'], '/text', 5000]]) {
  test(`${option.join(' ')}, ${at}: ${kept} of 5000 bytes are kept, and the size is known`, async (t) => {
    const { weir, get } = await setUp(t, option);
    await get(at);
    await weir.stop();
    const [row] = await weir.query('SELECT seq, response_bytes, response_kept, response_headers FROM exchange');
    assert.deepEqual([row.response_bytes, row.response_kept], [5000, kept]);
    assert.match(row.response_headers, /Set-Cookie/);
    if (kept === 0) await assert.rejects(weir.body(row.seq), /no bytes of the response's body were kept/);
    else assert.equal(String(await weir.body(row.seq)), BODY.slice(0, kept));
  });
}
