// A runnable collection in real newman: with its environment it logs in and walks through a small shop, and no planted secret is in
// it. Faithful ones: replay.test.js.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { PostmanValidator } = require('@har-sdk/validator');
const { Collection } = require('postman-collection');
const { newman, items } = require('./support/newman');
const { startWeir, scratch } = require('./support/weir');

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));

// --- a shop ----------------------------------------------------------------------------------------------------------------

const PASSWORD = 'correct horse & battery';
const TOKEN = 'tok_4f9aC0ffee77Beef42Zq';
const SID = 's3ssion-0123456789abcdef';
const KEY = 'k3y-aaaabbbbccccdddd1111';
const PLANTED = [PASSWORD, encodeURIComponent(PASSWORD), TOKEN, SID, KEY, Buffer.from(`zoe:${PASSWORD}`).toString('base64')];

// Answers only who shows what the login gave.
async function startShop(t) {
  const seen = [];
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const body = Buffer.concat(chunks);
    const url = new URL(req.url, 'http://shop');
    const answer = (status, value, headers = {}) => {
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(value === undefined ? '' : JSON.stringify(value));
    };
    seen.push({ method: req.method, url: req.url, headers: req.headers, body });
    if (url.pathname === '/v1/login') {
      const { password } = JSON.parse(body);
      return password === PASSWORD ? answer(200, { access_token: TOKEN, expires_in: 60 }, { 'Set-Cookie': `sid=${SID}; Path=/; HttpOnly` }) : answer(403, {});
    }
    if (url.pathname === '/v1/form') return answer(new URLSearchParams(String(body)).get('password') === PASSWORD ? 200 : 403, { ok: true });
    if (url.pathname === '/basic') return answer(req.headers.authorization === `Basic ${Buffer.from(`zoe:${PASSWORD}`).toString('base64')}` ? 200 : 401, { ok: 1 });
    if (url.pathname === '/keyed') return answer(url.searchParams.get('api_key') === KEY ? 200 : 401, { ok: 1 });
    if (url.pathname === '/health') return answer(req.headers.authorization ? 400 : 200, { up: true });
    if (req.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, { error: 'no' });
    if (url.pathname === '/v1/cart' && !req.headers.cookie?.includes(`sid=${SID}`)) return answer(401, { error: 'no cookie' });
    if (url.pathname === '/v1/upload') return answer(body.includes('PNGPNG') ? 201 : 400, { size: body.length > 0 });
    if (url.pathname === '/graphql') return answer(200, { data: { echo: JSON.parse(body).variables ?? null } });
    const user = /^\/v1\/users\/(\d+)$/.exec(url.pathname);
    if (user) return answer(Number(user[1]) < 90000 ? 200 : 404, { id: Number(user[1]), name: 'x', token: TOKEN });
    return answer(200, { path: url.pathname });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { port: server.address().port, seen };
}

function ask(weir, port, method, target, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://127.0.0.1:${port}${target}`, agent: false,
                               headers: { Host: `127.0.0.1:${port}`, ...headers, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) } }, (res) => {
      res.resume().on('end', () => resolve(res.statusCode));
    });
    req.on('error', reject);
    req.end(body);
  });
}

async function walk(weir, port) {
  const json = { 'Content-Type': 'application/json' };
  const bearer = { Authorization: `Bearer ${TOKEN}` };
  const go = (...args) => ask(weir, port, ...args);
  assert.equal(await go('POST', '/v1/login', { headers: json, body: JSON.stringify({ user: 'zoe', password: PASSWORD }) }), 200);
  assert.equal(await go('POST', '/v1/form', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
                                              body: `user=zoe&password=${encodeURIComponent(PASSWORD)}` }), 200);
  for (const id of [48213, 48214, 48215, 99999]) await go('GET', `/v1/users/${id}?expand=orders`, { headers: bearer });
  assert.equal(await go('GET', '/v1/cart', { headers: { ...bearer, Cookie: `sid=${SID}` } }), 200);
  for (const name of ['One', 'Two']) {
    assert.equal(await go('POST', '/graphql', { headers: { ...bearer, ...json },
                                                body: JSON.stringify({ query: `query ${name}($id: ID!) { product(id: $id) { name } }`, variables: { id: 'p1' } }) }), 200);
  }
  assert.equal(await go('POST', '/v1/upload', { headers: { ...bearer, 'Content-Type': 'multipart/form-data; boundary=b' },
                                                body: '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + PASSWORD
    + '\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nPNGPNG\r\n--b--\r\n' }), 201);
  assert.equal(await go('GET', '/basic', { headers: { Authorization: `Basic ${Buffer.from(`zoe:${PASSWORD}`).toString('base64')}` } }), 200);
  assert.equal(await go('GET', `/keyed?a=1&api_key=${KEY}`), 200);
  assert.equal(await go('GET', '/health'), 200);
}

test('a runnable collection', async (t) => {
  const dir = scratch(t);
  const shop = await startShop(t);
  const weir = await startWeir(t, ['--session', 'shop']);
  const file = (name) => path.join(dir, name);
  const collection = file('shop.postman_collection.json'), environment = file('shop.postman_environment.json');
  const exported = async (...args) => {
    const result = await weir.command(['export', ...args]);
    assert.equal(result.code, 0, result.stderr);
    return result;
  };

  await walk(weir, shop.port);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  const { stderr } = await exported('collection', 'shop', '-o', collection, '--report', file('report.json'), '--tests', 'shape');
  shop.seen.splice(0);

  await t.test('it says where the values are, and only their owner can read them', () => {
    assert.match(stderr, /wrote 10 items of 13 exchanges, and 1 further example to .*; no known secret is in it\n/);
    assert.match(stderr, /values of secrets go to .*shop\.postman_environment\.json/);
    for (const f of [collection, environment]) assert.equal(fs.statSync(f).mode & 0o777, 0o600);
  });

  await t.test('it is valid, and postman-collection reads it', async () => {
    assert.deepEqual(await new PostmanValidator().verify(read(collection)), []);
    const sdk = new Collection(read(collection));
    let count = 0;
    sdk.forEachItem(() => count++);
    assert.equal(count, 10);
  });

  await t.test('its items are endpoints', () => {
    const names = items(read(collection)).map((i) => i.name);
    assert.ok(names.includes('GET v1/users/:userId'), names.join('\n'));
    assert.ok(names.includes('POST graphql · query One') && names.includes('POST graphql · query Two'));
    const users = items(read(collection)).find((i) => i.name.includes(':userId'));
    assert.deepEqual(users.response.map((r) => r.code), [200, 404]);
    assert.deepEqual(users.request.url.variable.map((v) => [v.key, v.value]), [['userId', '48215']]);
    const examples = items(read(collection)).flatMap((i) => i.response.map((r) => r.name));
    assert.equal(new Set(examples).size, examples.length);
  });

  await t.test('credentials are helpers, and who showed none shows none', () => {
    const all = Object.fromEntries(items(read(collection)).map((i) => [i.name, i]));
    const sdk = new Collection(read(collection)); // knows what is inherited
    const of = (name) => {
      let found;
      sdk.forEachItem((i) => { if (i.name === name) found = i.getAuth()?.type ?? 'none'; });
      return found;
    };
    assert.equal(of('GET v1/users/:userId'), 'bearer');
    assert.equal(of('GET basic'), 'basic');
    assert.equal(of('GET keyed'), 'apikey');
    for (const name of ['GET health', 'POST v1/login']) assert.ok(['none', 'noauth'].includes(of(name)), name);
    assert.deepEqual(all['GET keyed'].request.url.query.map((q) => q.key), ['a']);
    assert.doesNotMatch(JSON.stringify(items(read(collection)).map((i) => i.request)), /"Authorization"/);
  });

  await t.test('no planted secret is in it, and all are in the environment', () => {
    const text_ = fs.readFileSync(collection, 'utf8') + fs.readFileSync(file('report.json'), 'utf8');
    for (const secret of PLANTED) {
      assert.ok(!text_.includes(secret), secret);
      assert.ok(!text_.includes(Buffer.from(secret).toString('base64').slice(2, -4)), `${secret} in base64`);
    }
    const values = read(environment).values.map((v) => v.value);
    for (const secret of [PASSWORD, TOKEN, SID, KEY]) assert.ok(values.includes(secret), `${secret} of ${values}`);
  });

  await t.test('newman runs it green with the environment', async () => {
    const { code, stdout, executions } = await newman(collection, { args: ['-e', environment] });
    assert.equal(code, 0, stdout);
    for (const e of executions) assert.ok(e.code < 300, `${e.name}: ${e.code}`);
    assert.deepEqual([...new Set(shop.seen.map((r) => r.headers.authorization?.split(' ')[0]))].sort(), ['Basic', 'Bearer', undefined]);
    assert.ok(shop.seen.some((r) => r.url === '/v1/users/48215?expand=orders'));
    assert.equal(shop.seen.find((r) => r.url === '/v1/form').body.toString(), `user=zoe&password=${encodeURIComponent(PASSWORD)}`);
    assert.ok(shop.seen.find((r) => r.url === '/v1/upload').body.includes(PASSWORD));
    assert.deepEqual(JSON.parse(shop.seen.find((r) => r.url === '/graphql').body).variables, { id: 'p1' });
  });

  await t.test('every exchange is in the report', () => {
    const lines = read(file('report.json'));
    const seqs = new Set(lines.filter((l) => /^exchange \d+$/.test(l.what)).map((l) => l.what));
    assert.equal(seqs.size, 13);
    assert.ok(lines.some((l) => /\/v1\/users\/48213 -> .*:userId/.test(l.path)), JSON.stringify(lines, null, 1));
  });

  await t.test('the same session and options give the same bytes', async () => {
    const before = [collection, environment].map((f) => fs.readFileSync(f, 'utf8'));
    await exported('collection', 'shop', '-o', collection, '--tests', 'shape');
    assert.deepEqual([collection, environment].map((f) => fs.readFileSync(f, 'utf8')), before);
  });

  await t.test('dropped secrets are empty variables, kept ones are there', async () => {
    await exported('collection', 'shop', '-o', collection, '--secrets', 'drop');
    assert.ok(!fs.readFileSync(environment, 'utf8').includes(TOKEN));
    assert.ok(read(environment).values.every((v) => v.value === ''));
    const { stdout } = await exported('collection', 'shop', '--secrets', 'keep');
    assert.ok(stdout.includes(TOKEN));
  });

  await t.test('a folder gets all that it takes, and a line to run it with', async () => {
    const folder = `${file('bundle')}/`;
    await exported('collection', 'shop', '-o', folder);
    assert.deepEqual(fs.readdirSync(folder).sort(), ['README.md', 'shop.cookies.json', 'shop.cookies.txt', 'shop.postman_collection.json',
      'shop.postman_environment.json', 'shop.report.json', 'shop.storage-state.json']);
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    const line = /^ {4}newman run (.*)$/m.exec(fs.readFileSync(path.join(folder, 'README.md'), 'utf8'))[1].split(' ');
    const { code, stdout } = await newman(path.join(folder, line[0]), { args: line.slice(1).map((a) => (a.startsWith('shop') ? path.join(folder, a) : a)) });
    assert.equal(code, 0, stdout);
    assert.equal((await weir.command(['export', 'har', 'shop', '-o', folder])).code, 2);
  });

  await t.test('--no-dedup, --no-template and --explain', async () => {
    const all = await exported('collection', 'shop', '--no-dedup', '--explain');
    assert.equal(items(JSON.parse(all.stdout)).length, 13);
    assert.match(all.stderr, /^weir: .*\/v1\/users\/48213 -> \/v1\/users\/:userId: /m);
    const plain = await exported('collection', 'shop', '--no-template', '--max-examples', '1');
    assert.ok(items(JSON.parse(plain.stdout)).some((i) => i.name === 'GET v1/users/48214'));
    assert.equal((await weir.command(['export', 'collection', 'shop', '--max-examples', '0'])).code, 2);
  });
});
