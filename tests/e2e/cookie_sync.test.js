// Cookie files that follow a capture, each used by the tool that it is for, and an export that is kept fresh.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { once } = require('node:events');
const { request } = require('playwright-core');
const { CookieJar } = require('tough-cookie');
const { makeCa } = require('./support/certs');
const { until } = require('./support/client');
const { newman } = require('./support/newman');
const { httpOrigin } = require('./support/origin');
const { WEIR, Weir, startWeir, run, scratch, atEnd } = require('./support/weir');

// Of an origin that sets what it is asked to: /?set=a%3D1&set=…
function answer(req, res) {
  const set = new URL(req.url, 'http://x').searchParams.getAll('set');
  res.writeHead(200, set.length ? { 'Set-Cookie': set } : {}).end('ok');
}
const setting = (...lines) => `/?${new URLSearchParams(lines.map((line) => ['set', line]))}`;

// GET url through weir, once a request.
async function get(weir, url, headers = {}) {
  const { host } = new URL(url);
  const req = http.get({ host: '127.0.0.1', port: weir.port, path: url, agent: false, headers: { Host: host, ...headers } });
  const [res] = await once(req, 'response');
  res.resume();
  await once(res, 'end');
}

const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
const namesIn = (file) => read(file).split('\n').filter((line) => line.includes('\t')).map((line) => line.split('\t')[5]);

// Serves /me only to who is logged in; /login and /logout change that.
async function shop(t) {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const origin = await httpOrigin(t, (req, res) => {
    const sent = req.headers.cookie ?? '';
    if (req.url === '/login')
      res.writeHead(204, { 'Set-Cookie': ['sid=s3cret; Path=/; HttpOnly; Secure; SameSite=Lax', 'pref=dark; Path=/; Max-Age=86400'] }).end();
    else if (req.url === '/logout')
      res.writeHead(204, { 'Set-Cookie': 'sid=; Path=/; Max-Age=0; HttpOnly; Secure' }).end();
    else
      res.writeHead(/\bsid=s3cret\b/.test(sent) && /\bpref=dark\b/.test(sent) ? 200 : 401).end(sent);
  }, { cert: ca.issue() });
  return { dir, ca, base: `https://127.0.0.1:${origin.port}` };
}

// Python loads a session cookie and then takes it for one that expired in 1970. Programs in Python know that and mend it, as this does
// when it is not strict.
const PYTHON = `
import http.cookiejar, ssl, sys, urllib.request
jar = http.cookiejar.MozillaCookieJar()
is_strict = len(sys.argv) > 4
jar.load(sys.argv[1], ignore_discard=True, ignore_expires=not is_strict)
for cookie in jar:
    if cookie.expires == 0 and not is_strict:
        cookie.expires, cookie.discard = None, True
context = ssl.create_default_context(cafile=sys.argv[2])
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(jar),
                                     urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[3]).status)
`;

test('a login through weir logs in curl, newman, Playwright, tough-cookie and Python, until the logout', async (t) => {
  const { dir, ca, base } = await shop(t);
  const file = (format) => path.join(dir, format);
  const formats = ['netscape', 'tough', 'playwright', 'json', 'header'];
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--cookies-only',
    ...formats.flatMap((format) => ['--sync-cookies', `https://127.0.0.1=${format}:${file(format)}`])]);
  const curl = async (...args) => {
    const { code, stdout, stderr } = await run('curl', ['-sS', '-o', path.join(dir, 'out'), '-w', '%{http_code}', ...args]);
    assert.equal(code, 0, stderr);
    return Number(stdout);
  };
  const through = ['-x', weir.url, '--cacert', weir.ca];
  const straight = ['--cacert', ca.caFile];

  assert.ok(formats.every((format) => !fs.existsSync(file(format))), 'nothing has changed yet');
  assert.equal(await curl(...through, `${base}/login`), 204);
  await until(() => formats.every((format) => read(file(format)).includes('s3cret')), 'the login in each file');
  for (const format of formats) assert.equal(fs.statSync(file(format)).mode & 0o777, 0o600);

  await t.test('curl -b FILE', async () => {
    assert.equal(await curl(...straight, '-b', file('netscape'), `${base}/me`), 200);
    assert.equal(await curl(...straight, `${base}/me`), 401);
  });
  await t.test('curl -H @FILE', async () => assert.equal(await curl(...straight, '-H', `@${file('header')}`, `${base}/me`), 200));
  await t.test('newman --cookie-jar FILE', async () => {
    const collection = path.join(dir, 'me.json');
    const schema = 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json';
    fs.writeFileSync(collection, JSON.stringify({ info: { name: 'me', schema }, item: [{ name: 'me', request: `${base}/me` }] }));
    const { executions, stdout } = await newman(collection, { jar: file('tough'), caFile: ca.caFile });
    assert.deepEqual(executions.map(({ code }) => code), [200], stdout);
  });
  await t.test('tough-cookie', async () => {
    const jar = await CookieJar.deserialize(read(file('tough')));
    assert.equal(await curl(...straight, '-H', `Cookie: ${await jar.getCookieString(`${base}/me`)}`, `${base}/me`), 200);
  });
  await t.test('Playwright storageState', async () => {
    const client = await request.newContext({ storageState: file('playwright'), ignoreHTTPSErrors: true });
    assert.equal((await client.get(`${base}/me`)).status(), 200);
    await client.dispose();
  });
  await t.test("Python's MozillaCookieJar and http.cookiejar", async () => {
    const { code, stdout, stderr } = await run('python3', ['-c', PYTHON, file('netscape'), ca.caFile, `${base}/me`]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '200\n');
  });
  await t.test('Chrome\'s JSON', () => {
    const [sid, pref] = JSON.parse(read(file('json')));
    assert.deepEqual([sid.name, sid.value, sid.session, sid.httpOnly, sid.sameSite, pref.session], ['sid', 's3cret', true, true, 'lax', false]);
  });

  assert.equal(await curl(...through, `${base}/logout`), 204);
  await until(() => formats.every((format) => !read(file(format)).includes('s3cret')), 'the logout in each file');
  assert.deepEqual(namesIn(file('netscape')), ['pref']);
  assert.equal(await curl(...straight, '-b', file('netscape'), `${base}/me`), 401);

  // And nothing else was recorded.
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  const [counts] = await weir.query(`SELECT (SELECT count(*) FROM exchange) AS exchanges, (SELECT count(*) FROM body) AS bodies,
    (SELECT count(*) FROM message) AS messages, seen, filtered FROM session`);
  assert.deepEqual(counts, { exchanges: 0, bodies: 0, messages: 0, seen: 2, filtered: 0 });
  const { stdout } = await weir.command(['cookies', '--history', '--json']);
  assert.deepEqual(JSON.parse(stdout).map(({ what, name, value }) => [what, name, value]),
    [['set', 'sid', 's3cret'], ['set', 'pref', 'dark'], ['deleted', 'sid', '']]);
});

test('the dialects of readers that drop session cookies, or lines that begin with #', async (t) => {
  const { dir, ca, base } = await shop(t);
  const file = path.join(dir, 'jar.txt');
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--session-expiry', '2', '--no-httponly-prefix',
    '--sync-cookies', `*=netscape:${file}`]);
  await run('curl', ['-sS', '-x', weir.url, '--cacert', weir.ca, `${base}/login`]);
  await until(() => namesIn(file).includes('sid'), 'the login');
  assert.doesNotMatch(read(file), /HttpOnly/);
  const expires = Number(read(file).split('\n').find((line) => line.includes('\tsid\t')).split('\t')[4]);
  assert.ok(expires > Date.now() / 1000 + 2 * 86400 && expires <= Date.now() / 1000 + 3 * 86400, `${expires}`);
  const strict = await run('python3', ['-c', PYTHON, file, ca.caFile, `${base}/me`, 'strict']);
  assert.equal(strict.stdout, '200\n', strict.stderr);
});

test('changes, deletions too, are in the file within 250 ms, and a reader never sees half of it', async (t) => {
  const origin = await httpOrigin(t, answer);
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const file = path.join(dir, 'jar.json');
  const weir = await startWeir(t, ['--sync-cookies', `127.0.0.1=tough:${file}`]);
  for (let i = 0; i < 300; i += 30) // a file of several pages
    await get(weir, base + setting(...Array.from({ length: 30 }, (_, k) => `fill${i + k}=${'x'.repeat(100)}; Path=/`)));
  await until(() => read(file).includes('fill299'), 'all of them');

  const look = () => JSON.parse(fs.readFileSync(file, 'utf8')).cookies.find(({ key }) => key === 'n')?.value;
  let looks = 0;
  const inodes = new Set();
  const latencies = [];
  const afterCommit = [];
  for (let i = 1; i <= 200; i++) {
    const isDeletion = i % 5 === 0;
    await get(weir, base + setting(isDeletion ? 'n=; Max-Age=0; Path=/' : `n=${i}; Path=/`));
    const wanted = isDeletion ? undefined : String(i);
    if (i % 10 >= 5 && i % 10 !== 5) continue; // those come close together
    await until(() => {
      looks++;
      return look() === wanted;
    }, `change ${i}`);
    const { mtimeMs, ino } = fs.statSync(file);
    inodes.add(ino);
    const [row] = await weir.query(`SELECT (SELECT time_us FROM cookie ORDER BY id DESC LIMIT 1) / 1000.0 AS seen, ended_us / 1000.0 AS committed
      FROM session`);
    latencies.push(mtimeMs - row.seen);
    afterCommit.push(mtimeMs - row.committed);
  }
  const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  t.diagnostic(`${looks} looks; seen to written: median ${median(latencies).toFixed(0)} ms, most ${Math.max(...latencies).toFixed(0)} ms; ` +
    `after the commit: median ${median(afterCommit).toFixed(0)} ms, most ${Math.max(...afterCommit).toFixed(0)} ms`);
  assert.ok(median(latencies) <= 250, `${median(latencies)} ms`);
  assert.ok(median(afterCommit) <= 75, `${median(afterCommit)} ms`);
  assert.ok(looks > 200, `${looks}`);
  assert.deepEqual(fs.readdirSync(dir), ['jar.json'], 'nothing temporary is left');
});

test('a file is left alone while nothing in it changes, and loses what expires', async (t) => {
  const origin = await httpOrigin(t, answer);
  const base = `http://127.0.0.1:${origin.port}`;
  const other = `http://localhost:${origin.port}`;
  const dir = scratch(t);
  const [mine, all] = [path.join(dir, 'mine.txt'), path.join(dir, 'all.txt')];
  const weir = await startWeir(t, ['--sync-cookies', `127.0.0.1=netscape:${mine}`, '--sync-cookies', `*=netscape:${all}`]);
  await get(weir, base + setting('a=1', 'short=1; Max-Age=3'));
  await until(() => namesIn(mine).includes('a') && namesIn(all).includes('a'), 'both');
  const { ino } = fs.statSync(mine);
  // Files are written in order: once the second has it, the first has been looked at.
  await get(weir, base + setting('a=1'));
  for (const name of ['b', 'c', 'd']) {
    await get(weir, other + setting(`${name}=1`));
    await until(() => namesIn(all).includes(name), name);
  }
  assert.deepEqual(namesIn(mine), ['a', 'short']);
  assert.equal(fs.statSync(mine).ino, ino);
  await until(() => !namesIn(mine).includes('short'), 'the expiry');
  assert.deepEqual(namesIn(mine), ['a']);
});

test('kill -9 leaves the last whole file, and the session that goes on writes it at once', async (t) => {
  const origin = await httpOrigin(t, answer);
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const file = path.join(dir, 'state.json');
  const args = ['--session', 's', '--sync-cookies', `*=playwright:${file}`];
  const weir = new Weir(dir);
  atEnd(t, () => weir.stop());
  await weir.start(args);
  let i = 0;
  const load = (async () => {
    for (;;) await get(weir, base + setting(`n=${++i}`));
  })().catch(() => {});
  await until(() => /"name": "n"/.test(read(file)) && i > 100, 'some load');
  await weir.kill();
  await load;
  const { cookies } = JSON.parse(read(file));
  assert.deepEqual(cookies.map(({ name }) => name), ['n']);

  fs.rmSync(file);
  await weir.start(args);
  await until(() => /"name": "n"/.test(read(file)), 'what was there');
  await weir.stop();
});

test('a file that cannot be written is refused at the start, and told once and tried again later', async (t) => {
  const origin = await httpOrigin(t, answer);
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const folder = path.join(dir, 'folder');
  const file = path.join(folder, 'jar.txt');
  const weir = new Weir(dir);
  atEnd(t, () => weir.stop());
  await assert.rejects(weir.start(['--sync-cookies', `*=netscape:${file}`]), /--sync-cookies: can't write '.*jar\.txt'/);
  fs.mkdirSync(folder);
  await weir.start(['--sync-cookies', `*=netscape:${file}`]);
  await get(weir, base + setting('a=1'));
  await until(() => namesIn(file).includes('a'), 'the first');
  fs.rmSync(folder, { recursive: true });
  await get(weir, base + setting('b=1'));
  await until(() => /cookies are not up to date/.test(weir.stderr), 'the failure');
  await get(weir, base + setting('c=1'));
  await weir.waitFor("SELECT 1 FROM cookie WHERE name = CAST('c' AS BLOB)");
  fs.mkdirSync(folder);
  await until(() => namesIn(file).includes('c'), 'the next try');
  assert.deepEqual(namesIn(file), ['a', 'b', 'c']);
  await weir.stop();
  assert.equal(weir.stderr.match(/not up to date/g).length, 1, weir.stderr);
  assert.equal(weir.stderr.match(/up to date again/g).length, 1, weir.stderr);
});

test('--export is whole whenever it is looked at, and complete at the end', async (t) => {
  const origin = await httpOrigin(t, answer);
  const base = `http://127.0.0.1:${origin.port}`;
  const dir = scratch(t);
  const [har, lines, jar] = ['x.har', 'x.jsonl', 'x.txt'].map((name) => path.join(dir, name));
  const weir = await startWeir(t, ['--export', `har:${har}`, '--export', `jsonl:${lines}`, '--export', `cookies-netscape:${jar}`]);
  const entries = () => JSON.parse(fs.readFileSync(har, 'utf8')).log.entries.length;
  let sent = 0;
  let looks = 0;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) {
      await get(weir, `${base}/${++sent}${setting(`n=${sent}`).slice(1)}`);
      if (fs.existsSync(har)) looks += entries() > 0;
    }
    await until(() => fs.existsSync(har) && ++looks && entries() === sent, `round ${round}`);
  }
  assert.ok(looks > 50, `${looks}`);
  assert.equal(fs.statSync(har).mode & 0o777, 0o600);
  await get(weir, `${base}/last`);
  sent++;
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.equal(entries(), sent);
  assert.match(JSON.parse(fs.readFileSync(har, 'utf8')).log.entries.at(-1).request.url, /\/last$/);
  assert.equal(read(lines).trim().split('\n').map((line) => JSON.parse(line)).length, sent);
  assert.deepEqual(namesIn(jar), ['n']);
  const { stdout } = await weir.command(['export', 'har'], { maxBuffer: 1 << 28 });
  assert.equal(stdout, read(har), 'as weir export writes it');
});

test('at its end --export says what is in it, what is not, and where the secrets are', async (t) => {
  const origin = await httpOrigin(t, answer);
  const file = path.join(scratch(t), 'x.json');
  const weir = await startWeir(t, ['--export', `collection:${file}`]);
  const visit = () => Promise.all(['/a?token=tok_4f9aC0ffee77Beef42Zq', '/b'].map((p) => get(weir, `http://127.0.0.1:${origin.port}${p}`)));
  await visit();
  await get(weir, 'http://127.0.0.1:1/refused');
  await weir.stop();
  assert.match(weir.stderr, /^weir: 1 left out: exchanges that weir itself answered.*$/m);
  assert.match(weir.stderr, /^weir: wrote 2 of 3 exchanges to .*x\.json; no known secret is in it$/m);
  assert.match(weir.stderr, /^weir: values of secrets go to .*x\.postman_environment\.json, readable by its owner alone$/m);
  await weir.start(['--quiet', '--export', `collection:${file}`]);
  await visit();
  await weir.stop();
  assert.equal(weir.stderr, '');
});

test('with COMMAND the files are complete when it has ended, and its status is weir\'s', async (t) => {
  const origin = await httpOrigin(t, answer);
  const dir = scratch(t);
  const [har, jar] = [path.join(dir, 'x.har'), path.join(dir, 'x.txt')];
  const { code, stderr } = await run(WEIR, ['capture', '--store', path.join(dir, 'weir.db'), '--ca-dir', path.join(dir, 'ca'),
    '--export', `har:${har}`, '--sync-cookies', `*=netscape:${jar}`, '--', 'sh', '-c',
    `curl -sS --noproxy '' "http://127.0.0.1:${origin.port}${setting('a=1')}" && exit 7`]);
  assert.equal(code, 7, stderr);
  assert.equal(JSON.parse(read(har)).log.entries.length, 1);
  assert.deepEqual(namesIn(jar), ['a']);
});
