// sessions, list, show, cookies and export on a session that is there: for people on a terminal, and for programs.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { spawn } = require('node:child_process');
const { HarValidator, PostmanValidator } = require('@har-sdk/validator');
const { items } = require('./support/newman');
const { httpOrigin } = require('./support/origin');
const { Terminal } = require('./support/terminal');
const { WEIR, Weir, atEnd, run, scratch } = require('./support/weir');

const BINARY = crypto.randomBytes(100000);
const JSON_TEXT = '{"b":[1,2.50,{"a":"gr\\u00fcn"}],"b":1e400}'; // twice b, and numbers that a parser would spell anew
const GZIPPED = zlib.gzipSync(JSON_TEXT);

const ROUTES = {
  '/json': ['application/json', JSON_TEXT],
  '/gzip': ['application/json', GZIPPED, { 'Content-Encoding': 'gzip' }],
  '/binary': ['application/octet-stream', BINARY],
  '/v1/users/1': ['text/plain', 'one'],
  '/v1/users/2': ['text/plain', 'two'],
  '/v1/orders': ['text/plain', 'orders'],
  '/v1/orders/9': ['text/plain', 'nine'],
  '/set': ['text/plain', 'set', { 'Set-Cookie': ['sid=secret; HttpOnly; Path=/', 'theme=dark; Max-Age=1000; Path=/'] }],
};

// A store with the sessions 'one', of many exchanges, and 'two', of one.
async function setUp(t) {
  const origin = await httpOrigin(t, (req, res) => {
    const [type, body, headers] = ROUTES[req.url.split('?')[0]] ?? ['text/plain', 'no such page', {}];
    res.writeHead(ROUTES[req.url.split('?')[0]] ? 200 : 404, { 'Content-Type': type, ...headers }).end(body);
  });
  const weir = new Weir(scratch(t));
  const get = (at, ...args) => run('curl', ['-sS', '-o', '/dev/null', '-x', weir.url, '--noproxy', '', `http://app.localhost:${origin.port}${at}`, ...args]);
  atEnd(t, () => weir.stop());
  await weir.start(['--session', 'one']);
  for (const at of Object.keys(ROUTES)) await get(at);
  await get('/form?q=1', '-d', 'a=1&b=2');
  await get('/nowhere');
  await weir.stop();
  await weir.start(['--session', 'two words']);
  await get('/json');
  await weir.stop();
  const ok = async (...args) => {
    const { code, stdout, stderr } = await weir.command(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const terminal = (...args) => new Terminal(t, WEIR, [...args, '--store', weir.store, '--ca-dir', weir.caDir]);
  return { weir, origin, get, ok, terminal, file: (name) => path.join(weir.dir, name) };
}

test('looking at sessions', async (t) => {
  const it = await setUp(t);
  const { weir, ok } = it;
  const lines = (text) => text.trim().split('\n').map((l) => JSON.parse(l));
  const seqOf = async (at) => lines(await ok('list', 'one', '--json')).find((e) => e.url.endsWith(at)).exchange;

  await t.test('sessions: a table for people, JSON for programs', async () => {
    const table = await ok('sessions');
    assert.match(table, /one .*ended/);
    assert.match(table, /two words .*ended/);
    assert.doesNotMatch(table, /\x1b/);
    const all = JSON.parse(await ok('sessions', '--json'));
    assert.deepEqual(all.map((s) => [s.name, s.state, s.exchanges]).sort(), [['one', 'ended', 10], ['two words', 'ended', 1]]);
  });

  await t.test('a session is its id, its name, or the latest', async () => {
    const all = JSON.parse(await ok('sessions', 'list', '--json'));
    const id = all.find((s) => s.name === 'one').id;
    assert.equal(await ok('list', String(id)), await ok('list', 'one'));
    assert.equal(await ok('list'), await ok('list', 'two words'));
    assert.equal(await ok('list', 'latest'), await ok('list'));
    assert.equal((await ok('show', 'one/1', '--json')).length > 0, true);
  });

  await t.test('list: every exchange a line, and what a filter says', async () => {
    const rows = lines(await ok('list', 'one', '--json'));
    assert.deepEqual(rows.map((r) => r.exchange), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(lines(await ok('list', 'one', '--json', '--filter', 'status:4xx method:POST')).map((r) => r.method), ['POST']);
    assert.match(await ok('list', 'one', '--filter', 'path:/v1/users/*'), /users\/1\n.*users\/2\n$/);
    assert.equal((await ok('list', 'one')).trim().split('\n').length, 11);
    assert.deepEqual(await ok('list', 'one', '--json', '--filter', '-host:app.localhost'), '');
  });

  await t.test('show: all of one, or the exact bytes of a body', async () => {
    const whole = await ok('show', `one/${await seqOf('/gzip')}`);
    assert.match(whole, /^GET \/gzip HTTP\/1\.1\r?\n/m);
    assert.ok(whole.includes(JSON_TEXT), 'decoded, and as it was');
    const raw = async (at, side, ...args) => (await weir.command(['show', `one/${await seqOf(at)}`, '--body', side, ...args], { binary: true })).stdout;
    assert.deepEqual(await raw('/gzip', 'response', '--raw'), GZIPPED);
    assert.equal(String(await raw('/gzip', 'response')), JSON_TEXT);
    assert.deepEqual(await raw('/binary', 'response', '--raw'), BINARY);
    assert.deepEqual(await raw('/binary', 'response'), BINARY);
    assert.equal(String(await raw('/form?q=1', 'request')), 'a=1&b=2');
    assert.equal(JSON.parse(await ok('show', `one/${await seqOf('/form?q=1')}`, '--json')).method, 'POST');
  });

  await t.test('show on a terminal: JSON is indented, and not otherwise touched; binary is refused', async () => {
    const json = it.terminal('show', `one/${await seqOf('/json')}`, '--body', 'response');
    assert.equal(await json.ended, 0);
    const indented = json.text.replaceAll('\r', '');
    assert.match(indented, /^\{\n +"b": \[/);
    assert.equal(indented.replace(/\s/g, ''), JSON_TEXT);
    const binary = it.terminal('show', `one/${await seqOf('/binary')}`, '--body', 'response');
    assert.equal(await binary.ended, 1);
    assert.match(binary.text, /^weir: .*binary.*>/s);
    const raw = it.terminal('show', `one/${await seqOf('/binary')}`, '--body', 'response', '--raw');
    assert.equal(await raw.ended, 1);
  });

  await t.test('cookies: the jar as a table and as JSON', async () => {
    assert.match(await ok('cookies', 'one'), /app\.localhost +\/ +sid +session +HttpOnly +secret/);
    const jar = JSON.parse(await ok('cookies', 'one', '--json'));
    assert.deepEqual(jar.map((c) => [c.name, c.value, c.domain]), [['sid', 'secret', 'app.localhost'], ['theme', 'dark', 'app.localhost']]);
    assert.deepEqual(JSON.parse(await ok('cookies', 'one', '--json', '--domain', 'other.example')), []);
  });

  await t.test('an export is the owner\'s alone, whole or not there, and the same each time', async () => {
    for (const format of ['collection', 'environment', 'har', 'cookies-netscape', 'cookies-tough', 'cookies-playwright']) {
      const file = it.file(`${format}.out`);
      fs.writeFileSync(file, 'old', { mode: 0o644 });
      const { code, stdout, stderr } = await weir.command(['export', format, 'one', '-o', file]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, ['collection', 'har'].includes(format) ? /wrote \d+ .*no known secret is in it\n/ : /wrote \d+ .*keep it secret\n$/);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600, format);
      const text = fs.readFileSync(file, 'utf8');
      await ok('export', format, 'one', '-o', file);
      assert.ok(fs.readFileSync(file, 'utf8') === text, `${format} again`);
      assert.ok(await ok('export', format, 'one') === await ok('export', format, 'one', '-o', '-'), `${format} to stdout`);
    }
    assert.deepEqual(fs.readdirSync(weir.dir).filter((f) => /tmp|XXXX|\.out./.test(f)), ['collection.out.postman_environment.json']);
    const failed = await weir.command(['export', 'collection', 'one', '-o', it.file('no/such/folder/x.json')]);
    assert.equal(failed.code, 1);
    const kept = it.file('collection.out');
    const before = fs.readFileSync(kept);
    assert.equal((await weir.command(['export', 'collection', 'no such session', '-o', kept])).code, 1);
    assert.deepEqual(fs.readFileSync(kept), before);
  });

  await t.test('what fits nothing is an error that says what there is, and no file comes of it', async () => {
    const file = it.file('nothing.out');
    for (const [why, ...args] of [
      [/no exchange that fits --filter 'host:nosuch'; hosts of those it has: app\.localhost:\d+\n/, 'har', 'one', '--filter', 'host:nosuch'],
      [/no exchange that fits --host 'nosuch'; hosts of those it has: app\.localhost:\d+\n/, 'openapi', 'one', '--host', 'nosuch'],
      [/no exchange that fits --host '127\.0\.0\.1:9'; /, 'openapi', 'one', '--host', '127.0.0.1:9'],
      [/no exchange that fits --host 'nosuch'; hosts of those that fit the filter: app\.localhost:\d+\n/, 'openapi', 'one', '--filter', 'path:/json', '--host', 'nosuch'],
    ]) {
      fs.writeFileSync(file, 'old');
      const { code, stderr } = await weir.command(['export', ...args, '-o', file]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, why);
      assert.equal(fs.readFileSync(file, 'utf8'), 'old');
    }
    const empty = await weir.command(['export', 'cookies-tough', 'one', '--domain', 'x.test', '-o', file]);
    assert.deepEqual([empty.code, empty.stderr], [0, `weir: there are no cookies: wrote an empty export to ${file}\n`]);
    const refused = await weir.command(['export', 'cookies-tough', 'one', '--filter', 'host:app.localhost']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--filter is about exchanges; .* --domain/);
  });

  await t.test('every grouping is valid and has every exchange once', async () => {
    const trees = {};
    for (const group of ['both', 'domain', 'endpoint', 'chronological']) {
      const text = await ok('export', 'collection', 'one', '--no-dedup', '--group-by', group);
      const collection = JSON.parse(text);
      assert.deepEqual(await new PostmanValidator().verify(collection), [], group);
      assert.equal(items(collection).length, 10, group);
      assert.equal(new Set(items(collection).map((i) => i.id)).size, 10, group);
      assert.equal(await ok('export', 'collection', 'one', '--no-dedup', '--group-by', group), text);
      trees[group] = collection.item.map((i) => i.name);
    }
    assert.equal(trees.domain.length, 1);
    assert.match(trees.domain[0], /^app\.localhost:\d+$/);
    assert.match(trees.both[0], /^app\.localhost:\d+$/);
    assert.ok(trees.endpoint.includes('users') && trees.endpoint.includes('orders'), JSON.stringify(trees.endpoint));
    assert.match(trees.chronological[0], /^0*1 GET /);
  });

  await t.test('an export of a part is that part', async () => {
    const part = JSON.parse(await ok('export', 'collection', 'one', '--no-dedup', '--filter', 'path:/v1/users/*', '--name', 'users only'));
    assert.equal(part.info.name, 'users only');
    assert.equal(items(part).length, 2);
    const har = JSON.parse(await ok('export', 'har', 'one', '--filter', 'status:404'));
    assert.deepEqual(await new HarValidator().verify(har), []);
    assert.equal(har.log.entries.length, 2);
    assert.doesNotMatch(await ok('export', 'cookies-netscape', 'one', '--domain', 'other.example'), /\tsecret/);
  });

  await t.test('wrong words are usage errors, what is not there is a failure, both in one line', async () => {
    const fails = async (status, pattern, ...args) => {
      const { code, stdout, stderr } = await weir.command(args);
      assert.equal(code, status, `${args}: ${stderr}`);
      assert.equal(stdout, '', String(args));
      assert.match(stderr, pattern);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
    };
    await fails(2, /colection.*collection/, 'export', 'colection');
    await fails(2, /wombat/, 'list', '--filter', 'wombat:1');
    await fails(2, /seven/, 'show', 'seven');
    await fails(2, /sideways/, 'show', '1', '--body', 'sideways');
    await fails(2, /--wrong/, 'list', '--wrong');
    await fails(2, /lst/, 'lst');
    await fails(1, /nobody/, 'list', 'nobody');
    await fails(1, /99/, 'show', 'one/99');
    const none = await run(WEIR, ['list', '--store', it.file('none.db')]);
    assert.notEqual(none.code, 0);
    assert.equal(none.stderr.trim().split('\n').length, 1);
    const foreign = it.file('foreign.db');
    fs.writeFileSync(foreign, 'no database at all, but long enough to look like something');
    const refused = await run(WEIR, ['list', '--store', foreign]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^weir: .*foreign\.db.*\n$/);
    assert.equal(fs.readFileSync(foreign, 'latin1').slice(0, 11), 'no database');
  });

  await t.test('the way to a pager or head that leaves early is no failure to shout about', async () => {
    const { stdout, stderr } = await run('sh', ['-c', '"$0" list one --store "$1" | head -n 1', WEIR, weir.store]);
    assert.equal(stdout.split('\n').length, 2);
    assert.doesNotMatch(stderr, /Sanitizer/);
  });

  await t.test('list --follow shows what comes, and ends with the session', async () => {
      weir.stdout = '';
    await weir.start(['--session', 'three']);
    const follower = spawn(WEIR, ['list', 'three', '--follow', '--json', '--store', weir.store], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    let saw = () => {};
    follower.stdout.on('data', (d) => { text += d; saw(); });
    const ended = new Promise((resolve) => { follower.on('close', resolve); });
    await it.get('/json');
    while (!text.includes('/json')) await new Promise((r) => { saw = r; });
    await it.get('/v1/orders');
    while (!text.includes('/v1/orders')) await new Promise((r) => { saw = r; });
    await weir.stop();
    assert.equal(await ended, 0);
    assert.deepEqual(lines(text).map((r) => [r.exchange, r.status]), [[1, 200], [2, 200]]);
  });

  await t.test('rename and delete', async () => {
    await ok('sessions', 'rename', 'three', 'drei');
    assert.equal((await weir.command(['list', 'three'])).code, 1);
    assert.match(await ok('list', 'drei'), /orders/);
    for (const bad of ['one', 'a/b', '123', '']) {
      const { code, stderr } = await weir.command(['sessions', 'rename', 'drei', bad]);
      assert.notEqual(code, 0, bad);
      assert.equal(stderr.trim().split('\n').length, 1);
    }
    await ok('sessions', 'delete', 'drei', 'two words');
    assert.deepEqual(JSON.parse(await ok('sessions', '--json')).map((s) => s.name), ['one']);
    assert.equal((await weir.command(['sessions', 'delete', 'drei'])).code, 1);
    assert.match(await ok('list'), /v1\/orders/);
  });
});
