// A collection that lives in a git repository: exported once, edited by people, and brought up to date by later captures with
// --into. Real newman runs what comes out, and git says how much of it is another line.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { PostmanValidator } = require('@har-sdk/validator');
const { Collection } = require('postman-collection');
const { newman, items } = require('./support/newman');
const { startWeir, scratch, run } = require('./support/weir');

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const write = (file, value, indent) => fs.writeFileSync(file, JSON.stringify(value, null, indent) + (indent ? '\n' : ''));

// --- a shop ----------------------------------------------------------------------------------------------------------------

// Answers only who shows the token of today. Names of users change from day to day, orders never do.
async function startShop(t) {
  const shop = { token: '', names: 'one', seen: [] };
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const answer = (status, value) => res.writeHead(status, { 'Content-Type': 'application/json', 'X-Request-Id': `r${shop.seen.length}` })
      .end(JSON.stringify(value));
    shop.seen.push(`${req.method} ${req.url}`);
    if (req.url === '/v1/health') return answer(req.headers.authorization ? 400 : 200, { up: true });
    if (req.headers.authorization !== `Bearer ${shop.token}`) return answer(401, { error: 'no' });
    if (req.url === '/v1/users/48213') return answer(200, { id: 48213, name: shop.names });
    if (req.method === 'POST') return answer(201, { no: 7, sku: JSON.parse(Buffer.concat(chunks)).sku });
    return answer(200, { path: req.url });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return Object.assign(shop, { port: server.address().port });
}

function ask(weir, shop, method, target, { token = shop.token, body } = {}) {
  return new Promise((resolve, reject) => {
    const headers = { Host: `127.0.0.1:${shop.port}`, ...(token ? { Authorization: `Bearer ${token}` } : {}),
                      ...(body ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } : {}) };
    const req = http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://127.0.0.1:${shop.port}${target}`, agent: false, headers },
      (res) => res.resume().on('end', () => resolve(res.statusCode)));
    req.on('error', reject);
    req.end(body);
  });
}

async function walk(weir, shop) {
  assert.equal(await ask(weir, shop, 'GET', '/v1/users/48213'), 200);
  assert.equal(await ask(weir, shop, 'GET', '/v1/orders'), 200);
  assert.equal(await ask(weir, shop, 'GET', '/v1/orders/70001/lines'), 200);
  assert.equal(await ask(weir, shop, 'POST', '/v1/orders', { body: '{"sku":"a"}' }), 201);
  assert.equal(await ask(weir, shop, 'GET', '/v1/users/48213/photo'), 200);
  assert.equal(await ask(weir, shop, 'GET', '/v1/health', { token: null }), 200);
}

// A day's capture, as a session of that name.
async function capture(weir, shop, session, visit) {
  shop.token = `tok_${session}_9aC0ffee77Beef`;
  await weir.start(['--session', session]);
  await visit();
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
}

async function startDay(t) {
  const dir = scratch(t), shop = await startShop(t);
  const weir = await startWeir(t, ['--session', 'empty']);
  await weir.stop();
  const collection = path.join(dir, 'shop.postman_collection.json');
  const into = (...args) => weir.command(['export', 'collection', 'latest', '--into', collection, ...args]);
  const merge = async (...args) => {
    const result = await into(...args);
    assert.equal(result.code, 0, result.stderr);
    return result.stderr;
  };
  const runs = async () => {
    const result = await newman(collection, { args: ['-e', collection.replace('collection', 'environment')] });
    return result.executions.map((e) => `${e.code} ${e.name}`).sort();
  };
  return { dir, shop, weir, collection, environment: collection.replace('collection', 'environment'), into, merge, runs };
}

// --- tests -----------------------------------------------------------------------------------------------------------------

test('a collection that people edit is kept up to date', async (t) => {
  const { dir, shop, weir, collection, environment, merge, runs } = await startDay(t);
  const git = async (...args) => {
    const result = await run('git', ['-C', dir, '-c', 'user.name=a', '-c', 'user.email=a@b.test', ...args]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };

  await capture(weir, shop, 'monday', () => walk(weir, shop));
  await t.test('the first time it is made', async () => {
    const said = await merge();
    assert.match(said, /shop\.postman_collection\.json was not there: it is a new collection\n/);
    assert.equal(fs.statSync(collection).mode & 0o777, 0o600);
    assert.equal(items(read(collection)).length, 6);
  });

  const edited = read(collection);
  const byName = (name, of = edited) => items(of).find((i) => i.name === name);
  await t.test('people edit it', async () => {
    edited.info.name = 'The shop';
    edited.event = [{ listen: 'prerequest', script: { type: 'text/javascript', exec: ["pm.globals.set('began', 'yes');"] } }];
    const user = byName('GET v1/users/:userId');
    user.description = 'Who it is.';
    user.event = [{ listen: 'test', script: { type: 'text/javascript', exec: ["pm.test('by hand', () => pm.response.to.have.status(200));"] } }];
    user.name = 'Who is it?';
    byName('GET v1/health').request.auth = { type: 'apikey', apikey: [{ key: 'key', value: 'X-Mine' }, { key: 'value', value: 'by hand' }] };
    write(collection, edited, 2);
    await git('init', '-q');
    await git('add', '-A');
    await git('commit', '-qm', 'monday');
  });

  await capture(weir, shop, 'tuesday', async () => {
    shop.names = 'two';
    await walk(weir, shop);
    assert.equal(await ask(weir, shop, 'GET', '/v1/orders/70001/bill'), 200);
    assert.equal(await ask(weir, shop, 'GET', '/v1/carts'), 200);
    assert.equal(await ask(weir, shop, 'GET', '/v1/users/48213', { token: 'tok_of_nobody_0123456789' }), 401);
  });

  await t.test('what is new comes in, and the report says so', async () => {
    const report = path.join(dir, 'report.json');
    const said = await merge('--report', report);
    assert.match(said, /merged 9 exchanges into .*: added 2 items, updated examples of 1, kept 5 as they are; no known secret is in it\n/);
    const what = Object.fromEntries(read(report).filter((r) => /^item /.test(r.what)).map((r) => [r.what, r.why]));
    assert.equal(what['item GET v1/carts'], 'added');
    assert.equal(what['item GET v1/orders/:orderId/bill'], 'added');
    assert.equal(what['item Who is it?'], 'kept, with new examples');
    assert.equal(what['item GET v1/orders'], 'kept: its examples say the same');
    fs.unlinkSync(report);
  });

  await t.test('what people wrote is still there', () => {
    const merged = read(collection);
    assert.deepEqual(merged.info, edited.info);
    assert.deepEqual(merged.event, edited.event);
    for (const item of items(edited)) {
      const { response: before, ...mine } = item;
      const { response: after, ...theirs } = items(merged).find((i) => i.id === item.id);
      assert.deepEqual(theirs, mine);
      if (item.name !== 'Who is it?') assert.deepEqual(after, before);
    }
    const user = byName('Who is it?', merged);
    assert.deepEqual(user.response.map((r) => [r.code, JSON.parse(r.body).name]), [[200, 'two'], [401, undefined]]);
    const folders = (of) => of.item.filter((i) => i.item).map((i) => i.name);
    const host = merged.item[0];
    assert.deepEqual(folders(host), [...folders(edited.item[0]), 'carts']);
    assert.ok(items(host.item.find((i) => i.name === 'orders')).some((i) => i.name === 'GET v1/orders/:orderId/bill'));
  });

  await t.test('git shows what is new, and nothing else', async () => {
    const lines = (await git('diff', '--no-color', '-U0', '--', collection)).split('\n');
    const removed = lines.filter((l) => /^-(?!--)/.test(l)).map((l) => l.slice(1).trim());
    const isPart = (l) => /^"(body|responseTime)": |^[\]}],?$/.test(l);
    assert.deepEqual(removed.filter((l) => !isPart(l)), [], removed.join('\n'));
    assert.ok(removed.length <= 8, removed.join('\n'));
  });

  await t.test('it is valid, newman runs it with the token of today, and every example has a name of its own', async () => {
    assert.deepEqual(await new PostmanValidator().verify(read(collection)), []);
    assert.deepEqual(await runs(), ['200 GET v1/carts', '200 GET v1/health', '200 GET v1/orders', '200 GET v1/orders/:orderId/bill',
      '200 GET v1/orders/:orderId/lines', '200 GET v1/users/:userId/photo', '200 Who is it?', '201 POST v1/orders']);
    const names = items(read(collection)).flatMap((i) => i.response.map((r) => r.name));
    assert.equal(new Set(names).size, names.length, names.join('\n'));
  });

  await t.test('once more is the same, byte for byte', async () => {
    const before = [collection, environment].map((f) => fs.readFileSync(f));
    assert.match(await merge(), /added 0 items, updated examples of 0, kept 8 as they are/);
    assert.deepEqual([collection, environment].map((f) => fs.readFileSync(f)), before);
  });

  await t.test('the result can go elsewhere', async () => {
    const other = path.join(dir, 'other.json');
    assert.match(await merge('-o', other), /into .*shop\.postman_collection\.json, as .*other\.json: added 0 items/);
    assert.deepEqual(fs.readFileSync(other), fs.readFileSync(collection));
  });
});

test('a collection that went through another tool is known again', async (t) => {
  const { shop, weir, collection, merge, runs } = await startDay(t);

  await capture(weir, shop, 'monday', () => walk(weir, shop));
  await merge();
  // The SDK writes what Postman does; ids are those of another workspace.
  const sdk = new Collection(read(collection)).toJSON();
  const rename = (list) => list.forEach((i) => {
    i.id = i._postman_id = crypto.randomUUID();
    (i.response || []).forEach((r) => { r.id = crypto.randomUUID(); });
    rename(i.item || []);
  });
  rename(sdk.item);
  sdk.info = { ...read(collection).info, name: 'Imported' };
  write(collection, sdk, '\t');
  await capture(weir, shop, 'tuesday', async () => {
    await walk(weir, shop);
    assert.equal(await ask(weir, shop, 'GET', '/v1/carts'), 200);
  });

  assert.match(await merge(), /added 1 item, updated examples of 0, kept 6 as they are/);
  const merged = fs.readFileSync(collection);
  assert.match(await merge(), /added 0 items, updated examples of 0, kept 7 as they are/);
  assert.deepEqual(fs.readFileSync(collection), merged);
  assert.deepEqual((await runs()).map((r) => r.slice(0, 3)), ['200', '200', '200', '200', '200', '200', '201']);
});

test('a file that nothing can be merged into stays as it is', async (t) => {
  const { dir, shop, weir, collection, environment, into } = await startDay(t);
  const refused = async (code, says, ...args) => {
    const before = fs.existsSync(collection) ? fs.readFileSync(collection) : null;
    const result = await into(...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.deepEqual(fs.existsSync(collection) ? fs.readFileSync(collection) : null, before);
    assert.deepEqual(fs.readdirSync(dir).filter((f) => /tmp/.test(f)), []);
  };

  await capture(weir, shop, 'monday', () => walk(weir, shop));
  fs.writeFileSync(collection, '{"info": {\n  "name": }');
  await refused(1, /shop\.postman_collection\.json' can't be merged into: no JSON at line 2, column/);
  fs.writeFileSync(collection, '{"log": {}}');
  await refused(2, /is no Postman collection/);
  assert.ok(!fs.existsSync(environment));
  fs.unlinkSync(collection);
  assert.equal((await into()).code, 0);
  fs.writeFileSync(collection, fs.readFileSync(collection, 'utf8').replace('"name": "GET v1/health"',
    `"name": "GET v1/health",\n"description": "as in ${shop.token}"`));
  await refused(3, /holds the secret \w+ already, on line \d+, in item 'GET v1\/health': take it out there first/);
  await refused(2, /--into merges endpoints/, '--profile', 'faithful');
  await refused(2, /--into merges endpoints/, '--group-by', 'chronological');
  await refused(2, /--into merges endpoints/, '--no-dedup');
  await refused(2, /stdin and stdout are none/, '-o', '-');
  await refused(2, /not into a folder/, '-o', `${dir}/bundle/`);
  await refused(2, /'\/dev\/null' is none/, '-o', '/dev/null');
  const har = await weir.command(['export', 'har', '--into', collection]);
  assert.equal(har.code, 2);
  assert.match(har.stderr, /only a 'collection' can be merged --into a file, 'har' can't/);
});
