// A user's whole way: Chromium walks through a shop, and what weir has of it runs in newman, and logs in curl, Chromium and Python.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { HarValidator, PostmanValidator } = require('@har-sdk/validator');
const { makeCa } = require('./support/certs');
const { missing, startChromium } = require('./support/chromium');
const { newman, items } = require('./support/newman');
const { startShop, walk, HOST } = require('./support/shop');
const { startWeir, run, scratch } = require('./support/weir');

// The origin's view of a request, without what newman makes anew: a multipart boundary.
function asked(request) {
  const [, boundary] = /boundary=(\S+)/.exec(request.headers['content-type'] ?? '') ?? [];
  const body = boundary ? request.body.toString('latin1').replaceAll(boundary, 'BOUNDARY') : request.body.toString('latin1');
  const type = (request.headers['content-type'] ?? '').replace(boundary, 'BOUNDARY');
  return [request.scheme, request.method, request.url, type, request.headers.authorization ?? '', request.headers['x-shop'] ?? '',
    body].join(' ');
}

test('what a browser did in a shop', { skip: missing }, async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const shop = await startShop(t, ca.issue([HOST]));
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--session', 'walk']);
  const browser = await startChromium(t, weir);
  const page = await browser.newPage();
  const upload = crypto.randomBytes(5000);
  const file = (name) => path.join(dir, name);
  const exported = async (format, ...args) => {
    const { code, stderr } = await weir.command(['export', format, 'walk', '-o', file(format), ...args]);
    assert.equal(code, 0, stderr);
    assert.equal(fs.statSync(file(format)).mode & 0o777, 0o600);
    return file(format);
  };
  const json = (name) => JSON.parse(fs.readFileSync(name, 'utf8'));

  const got = await walk(page, shop, upload);
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/big' AND state = 2"); // 2: aborted
  const captured = shop.requests.splice(0);
  await browser.close();
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });

  await t.test('the page noticed nothing', () => {
    assert.deepEqual(got.me, { user: 'zoë', literal: '{{$guid}}' });
    assert.equal(got.order.got.items[2], '{{$guid}}');
    assert.equal(got.missing, 404);
    assert.deepEqual(got.events, ['one', 'two']);
    assert.equal(got.downloaded, 65536);
    assert.ok(captured.find((r) => r.url === '/upload').body.includes(upload), 'the file came whole');
  });

  await t.test('every request is recorded, with its state and bytes', async () => {
    const rows = await weir.query('SELECT seq, method, scheme, host, path, query, status, state FROM exchange ORDER BY seq');
    assert.deepEqual(rows.map((r) => `${r.scheme} ${r.method} ${r.path}${r.query ? `?${r.query}` : ''}`).sort(),
      captured.map((r) => `${r.scheme} ${r.method} ${r.url}`).sort());
    assert.deepEqual([...new Set(rows.map((r) => r.host))], [HOST]);
    for (const r of rows) assert.equal(r.state, r.path === '/big' ? 2 : 1, r.path);
    const seq = (p) => rows.find((r) => r.path === p).seq;
    assert.deepEqual(await weir.body(seq('/upload'), 'request'), captured.find((r) => r.url === '/upload').body);
    assert.match(String(await weir.body(seq('/big'))), /^d{65536,98304}$/);
    assert.match((await weir.query("SELECT error FROM exchange WHERE path = '/big'"))[0].error, /^the client/);
    assert.equal(String(await weir.body(seq('/events'))), 'data: one\n\nevent: bye\ndata: two\n\n');
  });

  await t.test('newman replays the runnable collection with the jar, and is logged in all the way', async () => {
    const collection = json(await exported('collection'));
    const jar = await exported('cookies-tough');
    assert.deepEqual(await new PostmanValidator().verify(collection), []);
    shop.isReplaying = true;
    const { code, stdout, failures } = await newman(file('collection'), { jar, caFile: ca.caFile, args: ['-e', file('collection.postman_environment.json')] });
    const replayed = shop.requests.splice(0);
    assert.equal(code, 0, stdout);
    assert.deepEqual(failures, []);
    const paths = (requests) => [...new Set(requests.filter((r) => r.scheme === 'https').map((r) => `${r.method} ${r.url}`))].sort();
    assert.deepEqual(paths(replayed), paths(captured));
    // Logged in from the first request on: by the jar, not by the replayed login.
    for (const r of replayed.filter((s) => s.scheme === 'https')) {
      assert.equal(r.user, 'zoë', r.url);
      assert.equal(r.cookies.theme, 'dark');
      assert.equal(r.cookies['__Host-csrf'], 'c1');
      assert.equal(r.cookies.gone, undefined);
    }
  });

  await t.test('newman replays the faithful collection, and the shop is asked and answers the same', async () => {
    const collection = json(await exported('collection', '--profile', 'faithful'));
    assert.deepEqual(await new PostmanValidator().verify(collection), []);
    const { code, stdout, executions, failures } = await newman(file('collection'),
      { caFile: ca.caFile, args: ['-e', file('collection.postman_environment.json')] });
    const replayed = shop.requests.splice(0);
    assert.equal(code, 0, stdout);
    assert.deepEqual(failures, []);
    assert.deepEqual(replayed.map(asked).sort(), captured.map(asked).sort());
    assert.deepEqual(replayed.map((r) => r.headers.cookie).sort(), captured.map((r) => r.headers.cookie).sort());
    const examples = new Map(items(collection).map((i) => [i.id, i.response[0]?.code]));
    for (const e of executions) assert.equal(e.code, /GET big$/.test(e.name) ? 200 : examples.get(e.id), e.name); // aborted: no example
    assert.equal(executions.length, captured.length);
  });

  await t.test('curl is logged in with the Netscape jar', async () => {
    const jar = await exported('cookies-netscape');
    const { stdout, stderr, code } = await run('curl', ['-sS', '--compressed', '--cacert', ca.caFile, '-b', jar, `${shop.url}/api/me`]);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).user, 'zoë');
  });

  await t.test('Python reads the Netscape jar', async () => {
    const { stdout, stderr, code } = await run('python3', ['-c', 'import http.cookiejar, sys\n'
      + 'jar = http.cookiejar.MozillaCookieJar(sys.argv[1])\njar.load(ignore_discard=True, ignore_expires=True)\n'
      + 'print(sorted((c.name, c.domain, c.secure, c.has_nonstandard_attr("HttpOnly") or c.has_nonstandard_attr("HTTPOnly")) for c in jar))',
    file('cookies-netscape')]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\('sid', 'shop\.weir\.localhost', True/);
    assert.match(stdout, /\('theme', '\.weir\.localhost', True/);
  });

  await t.test('a new Chromium is logged in with the Playwright state', async (sub) => {
    const straight = await startChromium(sub);
    const context = await straight.newContext({ storageState: await exported('cookies-playwright'), ignoreHTTPSErrors: true });
    const answer = await (await context.newPage()).goto(`${shop.url}/api/me`);
    assert.equal((await answer.json()).user, 'zoë');
  });

  await t.test('HAR and environment are valid and say the same', async () => {
    const har = json(await exported('har'));
    assert.deepEqual(await new HarValidator().verify(har), []);
    assert.equal(har.log.entries.length, captured.length);
    const me = har.log.entries.find((e) => e.request.url.includes('/api/me'));
    assert.equal(JSON.parse(me.response.content.text).user, 'zoë');
    const environment = json(await exported('environment'));
    assert.ok(environment.values.some((v) => v.value === shop.url), JSON.stringify(environment.values));
  });
});
