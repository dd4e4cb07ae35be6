// What other tools wrote, and what weir itself did, comes back as a session: HAR of weir and of Chromium, jars of newman, and no
// document is too large for memory.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { CookieJar } = require('tough-cookie');
const { missing, startChromium } = require('./support/chromium');
const { newman } = require('./support/newman');
const { httpOrigin } = require('./support/origin');
const { MEASURED, startWeir, run, scratch } = require('./support/weir');

const BINARY = Buffer.from(Array.from({ length: 300 }, (_, i) => i & 255));

// Answers in every way that a HAR has to tell.
function answer(req, res, seen) {
  const { pathname } = new URL(seen.url, 'http://x');
  if (pathname === '/gzip') res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' }).end(zlib.gzipSync('zipped'));
  else if (pathname === '/br') res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'br' }).end(zlib.brotliCompressSync('pressed'));
  else if (pathname === '/binary') res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(BINARY);
  else if (pathname === '/cookies') res.writeHead(204, { 'Set-Cookie': ['a=1; Path=/; HttpOnly', 'b=2; Max-Age=1000'] }).end();
  else if (pathname === '/away') res.writeHead(302, { Location: '/' }).end();
  else res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'X-Twice': ['1', '2'] }).end('<p>gr\u00fcn "\\\n');
}

async function imported(weir, args, options) {
  const result = await weir.command(['import', ...args], options);
  assert.equal(result.code, 0, result.stderr);
  return result.stderr;
}

async function exported(weir, format, session, file, ...args) {
  const { code, stderr } = await weir.command(['export', format, session, '-o', file, ...args]);
  assert.equal(code, 0, stderr);
  return fs.readFileSync(file, 'utf8');
}

test('a captured session goes out as a HAR, comes in, and goes out the same', async (t) => {
  const dir = scratch(t);
  const origin = await httpOrigin(t, answer);
  const weir = await startWeir(t, ['--session', 'captured']);
  const at = (target) => `http://127.0.0.1:${origin.port}${target}`;
  const curl = (...args) => run('curl', ['-sS', '-o', '/dev/null', '-x', weir.url, ...args]);
  fs.writeFileSync(path.join(dir, 'body'), BINARY);

  for (const target of ['/', '/?a=b%20c&d', '/gzip', '/br', '/binary', '/cookies', '/away']) await curl(at(target));
  await curl('-d', 'name=value&other=%2B', at('/form'));
  await curl('--data-binary', `@${path.join(dir, 'body')}`, '-H', 'Content-Type: application/x-any', at('/upload'));
  await curl('-F', 'field=1', '-F', `file=@${path.join(dir, 'body')}`, at('/parts'));
  await curl('-X', 'DELETE', '-b', 'a=1; c=3', at('/gone'));
  await curl('-I', at('/'));
  await curl('http://127.0.0.1:1/refused');
  await weir.stop();

  const first = await exported(weir, 'har', 'captured', path.join(dir, 'first.har'), '--secrets', 'keep');
  await imported(weir, [path.join(dir, 'first.har'), '--session', 'imported']);
  const second = await exported(weir, 'har', 'imported', path.join(dir, 'second.har'), '--secrets', 'keep');
  const entries = (text) => JSON.parse(text).log.entries.map((entry) => {
    // The length of a body that was coded anew is another one.
    delete entry.response.bodySize;
    delete entry.response.content.compression;
    delete entry.connection; // of clients that were never there
    return entry;
  });
  assert.equal(entries(first).length, 13);
  assert.deepEqual(entries(second), entries(first));

  const rows = (session) => weir.query(`SELECT seq, method, host, path, query, status, request_type, response_type, state,
    request_version, response_version FROM exchange WHERE session = (SELECT id FROM session WHERE name = '${session}') ORDER BY seq`);
  assert.deepEqual(await rows('imported'), await rows('captured'));
  const values = (session) => weir.query(`SELECT hex(cookie.name) AS name, hex(value) AS value, hex(line) AS line, source
    FROM cookie WHERE session = (SELECT id FROM session WHERE name = '${session}') ORDER BY id`);
  assert.deepEqual(await values('imported'), await values('captured'));

  await t.test('and newman runs a collection of it', async () => {
    const file = path.join(dir, 'imported.json');
    const before = origin.requests.length;
    await exported(weir, 'collection', 'imported', file, '--secrets', 'keep');
    const { executions } = await newman(file);
    assert.ok(executions.filter((e) => e.code !== undefined).length >= 8, JSON.stringify(executions));
    const upload = origin.requests.slice(before).find((r) => r.url === '/upload');
    assert.equal(crypto.createHash('sha256').update(upload.body).digest('hex'),
      crypto.createHash('sha256').update(BINARY).digest('hex'));
  });
});

test('a HAR that Chromium recorded comes in', { skip: missing }, async (t) => {
  const dir = scratch(t);
  const origin = await httpOrigin(t, answer);
  const weir = await startWeir(t);
  await weir.stop();
  const browser = await startChromium(t);
  for (const content of ['embed', 'omit']) {
    const file = path.join(dir, `${content}.har`);
    const context = await browser.newContext({ recordHar: { path: file, content } });
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${origin.port}/?page`);
    await page.evaluate(async () => {
      await (await fetch('/binary')).arrayBuffer();
      await (await fetch('/gzip')).text();
      await fetch('/form', { method: 'POST', body: new URLSearchParams({ a: 'b c' }) });
    });
    await context.close();
    const stderr = await imported(weir, [file, '--session', content]);
    assert.match(stderr, /imported \d+ exchanges/);
    const rows = await weir.query(`SELECT seq, method, path, status, response_bytes, response_kept, response_body, request_body
      FROM exchange WHERE session = (SELECT id FROM session WHERE name = '${content}') AND path <> '/favicon.ico' ORDER BY seq`);
    assert.deepEqual(rows.map((r) => [r.method, r.path, r.status]),
      [['GET', '/', 200], ['GET', '/binary', 200], ['GET', '/gzip', 200], ['POST', '/form', 200]]);
    if (content === 'omit') continue;
    const body = async (at) => (await weir.command(['show', `embed/${rows.find((r) => r.path === at).seq}`, '--body', 'response'],
      { binary: true })).stdout;
    assert.deepEqual(await body('/binary'), BINARY);
    assert.equal((await body('/gzip')).toString(), 'zipped');
    assert.equal((await weir.query(`SELECT hex(bytes) AS hex FROM body WHERE id = ${rows[3].request_body}`))[0].hex,
      Buffer.from('a=b+c').toString('hex').toUpperCase());
  }
});

test('jars go out, come in, and go out the same', async (t) => {
  const dir = scratch(t);
  const weir = await startWeir(t);
  await weir.stop();
  const jar = new CookieJar();
  jar.setCookieSync('sid=1; Path=/; Secure; HttpOnly; SameSite=None', 'https://api.shop.test/');
  jar.setCookieSync('pref=gr\u00fcn; Domain=shop.test; Path=/x; Max-Age=100000; Priority=High', 'https://api.shop.test/');
  const file = path.join(dir, 'newman.json');
  fs.writeFileSync(file, JSON.stringify(jar.toJSON()));
  for (const format of ['tough', 'netscape', 'playwright']) {
    const [first, second] = ['first', 'second'].map((n) => path.join(dir, `${format}-${n}`));
    await imported(weir, ['cookies', file, '--session', `${format} 1`]);
    await exported(weir, `cookies-${format}`, `${format} 1`, first);
    await imported(weir, [first, '--session', `${format} 2`]);
    assert.equal(await exported(weir, `cookies-${format}`, `${format} 2`, second), fs.readFileSync(first, 'utf8'), format);
  }
  const back = CookieJar.fromJSON(fs.readFileSync(path.join(dir, 'tough-second'), 'utf8'));
  assert.equal(back.getCookieStringSync('https://api.shop.test/x'), 'pref=gr\u00fcn; sid=1');
});

test('what is damaged is told, and the exit status says so', async (t) => {
  const dir = scratch(t);
  const weir = await startWeir(t);
  await weir.stop();
  const entry = JSON.stringify({ startedDateTime: '2026-11-21T20:14:00Z', request: { method: 'GET', url: 'http://a.test/' } });
  const file = path.join(dir, 'cut.har');
  fs.writeFileSync(file, `{"log":{"entries":[${entry},\n${entry.slice(0, -9)}`);
  const { code, stderr } = await weir.command(['import', file]);
  assert.equal(code, 1);
  assert.match(stderr, /cut\.har: damaged at byte \d+, line 2, in entry 2/);
  assert.match(stderr, /imported 1 exchange into/);
  for (const args of [[], [path.join(dir, 'none')], ['cookies', file, file], ['--format', 'x', file]])
    assert.notEqual((await weir.command(['import', ...args])).code, 0);
  const piped = await weir.command(['import', '-'], { input: `{"log":{"entries":[${entry}]}}` });
  assert.equal(piped.code, 0, piped.stderr);
});

test('a HAR of 300 MB needs no more memory than a small one', { skip: MEASURED ? false : 'no build to measure' }, async (t) => {
  const dir = scratch(t);
  const file = path.join(dir, 'large.har');
  const out = fs.openSync(file, 'w');
  const text = 'a line of text \\u00fc with an escape\\n'.repeat(2000);
  fs.writeSync(out, '{"log":{"version":"1.2","entries":[');
  for (let i = 0; i < 3000; i++) {
    fs.writeSync(out, `${i ? ',' : ''}{"startedDateTime":"2026-11-21T20:14:00.123Z","request":{"method":"GET",
      "url":"https://a.test/${i}"},"response":{"status":200,"content":{"text":"${i}${text}"}}}`);
  }
  fs.writeSync(out, ',{"startedDateTime":"2026-11-21T20:14:00Z","request":{"method":"GET","url":"https://a.test/"},' +
    '"response":{"status":200,"content":{"text":"');
  for (let i = 0; i < 80; i++) fs.writeSync(out, 'QUJD'.repeat(262144));
  fs.writeSync(out, '","encoding":"base64"}}}]}}');
  fs.closeSync(out);
  assert.ok(fs.statSync(file).size > 300e6);
  const { code, stdout, stderr } = await run('bash', ['-c', '/usr/bin/env time -f %M "$@" 3>&1 2>&1', 'bash', MEASURED, 'import', file,
    '--store', path.join(dir, 'weir.db')], { timeout: 300000 });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /imported 3001 exchanges/);
  const peak = Number(stdout.trim().split('\n').at(-1)) * 1024;
  assert.ok(peak < 64 << 20, `${peak >> 20} MiB`);
});
