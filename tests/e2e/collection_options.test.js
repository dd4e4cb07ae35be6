// What a person may choose about a collection, in real newman.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { newman, items } = require('./support/newman');
const { startWeir, scratch } = require('./support/weir');

// Answers everything, as answer says, and keeps what came.
async function startOrigin(t, answer) {
  const seen = [];
  const server = http.createServer((req, res) => {
    const one = { method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders, body: '' };
    seen.push(one);
    req.setEncoding('latin1').on('data', (d) => { one.body += d; }).on('end', () => answer(req, res));
  });
  await new Promise((r) => server.listen(0, '0.0.0.0', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { port: server.address().port, seen };
}

function ask(weir, port, target, headers = {}, { host = '127.0.0.1', method = 'GET', body } = {}) {
  return new Promise((resolve, reject) => {
    http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://${host}:${port}${target}`, agent: false,
                   headers: { Host: `${host}:${port}`, ...headers, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) } },
    (res) => res.resume().on('end', resolve)).on('error', reject).end(body);
  });
}

test('--cookies', async (t) => {
  const dir = scratch(t);
  // A jar that learns would send this, doubled or not.
  const origin = await startOrigin(t, (req, res) => res.writeHead(200, { 'Set-Cookie': 'sid=from-an-answer-0123456789; Path=/' }).end('{}'));
  const weir = await startWeir(t, ['--session', 'c']);
  const environment = path.join(dir, 'c.postman_environment.json');
  const file = path.join(dir, 'c.postman_collection.json');
  const cookiesOf = (seen) => Object.fromEntries(seen.map((r) => [r.url, r.raw.filter((_, i) => i % 2 && /^cookie$/i.test(r.raw[i - 1]))]));
  const replayed = async (...args) => {
    const { code, stderr } = await weir.command(['export', 'collection', 'c', '-o', file, ...args]);
    assert.equal(code, 0, stderr);
    origin.seen.splice(0);
    const run = await newman(file, { args: fs.existsSync(environment) ? ['-e', environment] : [] });
    assert.equal(run.code, 0, run.stdout);
    return cookiesOf(origin.seen);
  };

  await ask(weir, origin.port, '/first');
  await ask(weir, origin.port, '/cart', { Cookie: 'sid=as-captured-0123456789; theme=dark' });
  await ask(weir, origin.port, '/terms');
  await weir.stop();

  await t.test('jar: what answers gave is sent', async () => {
    assert.deepEqual(await replayed(), { '/first': [], '/cart': ['sid=from-an-answer-0123456789'], '/terms': ['sid=from-an-answer-0123456789'] });
  });
  await t.test('header: what was captured is sent, once, and no more', async () => {
    assert.deepEqual(await replayed('--cookies', 'header'), { '/first': [], '/cart': ['sid=as-captured-0123456789; theme=dark'], '/terms': [] });
    assert.ok(!fs.readFileSync(file, 'utf8').includes('as-captured'));
  });
  await t.test('none: nothing is sent', async () => {
    assert.deepEqual(await replayed('--cookies', 'none'), { '/first': [], '/cart': [], '/terms': [] });
  });
  await t.test('the line of a folder does without the jar', async () => {
    await weir.command(['export', 'collection', 'c', '-o', `${dir}/b/`, '--cookies', 'header']);
    assert.doesNotMatch(fs.readFileSync(path.join(dir, 'b/README.md'), 'utf8'), /--cookie-jar/);
  });
  await t.test('a faithful collection has its own way', async () => {
    const { code, stderr } = await weir.command(['export', 'collection', 'c', '--profile', 'faithful', '--cookies', 'none']);
    assert.equal(code, 2);
    assert.match(stderr, /--cookies is for the other profile/);
  });
});

test('--template', async (t) => {
  const origin = await startOrigin(t, (req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'));
  const weir = await startWeir(t, ['--session', 'p']);
  const host = `127.0.0.1:${origin.port}`;
  const file = path.join(scratch(t), 'p.json');
  const named = async (...args) => {
    const { code, stdout, stderr } = await weir.command(['export', 'collection', 'p', '--group-by', 'domain', ...args]);
    assert.equal(code, 0, stderr);
    return { names: items(JSON.parse(stdout)).map((i) => i.name), stderr };
  };
  for (const p of ['/people/ann/files/a/b.txt', '/people/bob/files/c/d.txt', '/orders/48213', '/export/48213']) await ask(weir, origin.port, p);
  await weir.stop();

  await t.test('a person knows what is a variable, and what it is called', async () => {
    assert.deepEqual((await named()).names,
                     ['GET people/ann/files/a/b.txt', 'GET people/bob/files/c/d.txt', 'GET orders/:orderId', 'GET export/:exportId']);
    const { names, stderr } = await named('--template', '/people/:login/files/:folder/:file', '--template', `${host}/export/48213`);
    assert.deepEqual(names, ['GET people/:login/files/:folder/:file', 'GET orders/:orderId', 'GET export/48213']);
    assert.doesNotMatch(stderr, /pattern/);
    assert.deepEqual((await named('--no-template', '--template', '/people/:login/**')).names,
                     ['GET people/:login/files/a/b.txt', 'GET people/:login/files/c/d.txt', 'GET orders/48213', 'GET export/48213']);
  });
  await t.test('newman sends the values', async () => {
    await weir.command(['export', 'collection', 'p', '-o', file, '--template', '/people/:login/files/:folder/:file']);
    origin.seen.splice(0);
    const { code, stdout } = await newman(file);
    assert.equal(code, 0, stdout);
    assert.deepEqual(origin.seen.map((r) => r.url).sort(), ['/export/48213', '/orders/48213', '/people/bob/files/c/d.txt']);
  });
  await t.test('OpenAPI has the same', async () => {
    const { stdout } = await weir.command(['export', 'openapi', 'p', '--template', '/people/:login/files/:folder/:file']);
    assert.ok(Object.keys(JSON.parse(stdout).paths).includes('/people/{login}/files/{folder}/{file}'), stdout.slice(0, 2000));
  });
  await t.test('one that fits nothing is said', async () => {
    assert.match((await named('--template', 'people/:login/**')).stderr, /1 of no use: path patterns that no captured path fits \(first: people\/:login\/\*\*\)/);
  });
  await t.test('one that is wrong is refused with what is meant', async () => {
    const refused = async (why, ...args) => {
      const { code, stderr } = await weir.command(['export', ...args]);
      assert.equal(code, 2);
      assert.match(stderr, why);
    };
    await refused(/path pattern '\/users\/\{id\}': a variable is written ':id'/, 'collection', 'p', '--template', '/users/{id}');
    await refused(/a host is written without 'https:\/\/'/, 'openapi', 'p', '--template', 'https://shop.test/users/:id');
    await refused(/it has no '\/'/, 'collection', 'p', '--template', 'users');
    await refused(/for the other profile/, 'collection', 'p', '--profile', 'faithful', '--template', '/a');
    await refused(/--template goes with 'collection' and 'openapi'/, 'har', 'p', '--template', '/a');
  });
});

test('--group-by', async (t) => {
  const origin = await startOrigin(t, (req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'));
  const weir = await startWeir(t, ['--session', 'g']);
  const dir = scratch(t);
  const own = `127.0.0.1:${origin.port}`, foreign = `127.0.0.2:${origin.port}`;
  for (const p of ['/terms', '/v1/users/48213/orders', '/v1/users', '/v1/users/48213/orders/17', '/v1/users/48213', '/v1/users/48213/cards', '/v1/carts']) {
    await ask(weir, origin.port, p, { 'Sec-Fetch-Site': 'same-origin' });
  }
  await ask(weir, origin.port, '/lib/all', { 'Sec-Fetch-Site': 'cross-site', Referer: `http://${own}/` }, { host: '127.0.0.2' });
  await weir.stop();

  // Names of items, and of folders with what is in them.
  const tree = (list) => list.map((i) => (i.item ? { [i.name]: tree(i.item) } : i.name.slice(4)));
  const grouped = async (by) => {
    const file = path.join(dir, `${by}.json`);
    const { code, stderr } = await weir.command(['export', 'collection', 'g', '-o', file, '--group-by', by]);
    assert.equal(code, 0, stderr);
    origin.seen.splice(0);
    const run = await newman(file);
    assert.equal(run.code, 0, run.stdout);
    assert.equal(origin.seen.length, 8);
    return tree(JSON.parse(fs.readFileSync(file, 'utf8')).item);
  };
  const users = { users: ['v1/users', 'v1/users/:userId',
    { 'users/:userId/orders': ['v1/users/:userId/orders', 'v1/users/:userId/orders/:orderId'] }, { 'users/:userId/cards': ['v1/users/:userId/cards'] }] };

  await t.test('endpoint: folders of what paths are about, one in the other', async () => {
    assert.deepEqual(await grouped('endpoint'), [{ terms: ['terms'] }, users, { carts: ['v1/carts'] }, { '_third-party': ['lib/all'] }]);
  });
  await t.test('both: in folders of hosts', async () => {
    assert.deepEqual(await grouped('both'),
                     [{ [own]: [{ terms: ['terms'] }, users, { carts: ['v1/carts'] }] }, { '_third-party': [{ [foreign]: ['lib/all'] }] }]);
  });
  await t.test('domain: folders of hosts alone', async () => {
    assert.deepEqual(Object.values((await grouped('domain'))[0])[0].length, 7);
  });
});

test('a file of values is written when there is one to write or to fill in', async (t) => {
  const origin = await startOrigin(t, (req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'));
  const weir = await startWeir(t, ['--session', 'e']);
  const dir = scratch(t);
  await ask(weir, origin.port, '/open');
  await ask(weir, origin.port, '/secret', { Authorization: 'Bearer tok_4f9aC0ffee77Beef42Zq' });
  await ask(weir, origin.port, '/cookie', { Cookie: 'sid=8f1eC0ffee77Beef42Zq' });
  await weir.stop();
  const exported = async (what, name, ...args) => {
    const { code, stderr } = await weir.command(['export', what, 'e', '-o', path.join(dir, name), ...args]);
    assert.equal(code, 0, stderr);
    return stderr;
  };

  await t.test('no secret, no file, and nobody speaks of one', async () => {
    assert.match(await exported('collection', 'o.json', '--filter', 'path:/open'), /it has no secrets, so that no file of values goes with it/);
    assert.match(await exported('curl', 'o.sh', '--filter', 'path:/open'), /no file of values/);
    await exported('collection', 'o/', '--filter', 'path:/open');
    assert.deepEqual(fs.readdirSync(dir).sort(), ['o', 'o.json', 'o.sh']);
    assert.ok(!fs.readdirSync(path.join(dir, 'o')).some((f) => f.includes('environment')));
    assert.doesNotMatch(fs.readFileSync(path.join(dir, 'o/README.md'), 'utf8'), / -e |environment/);
    assert.doesNotMatch(JSON.parse(fs.readFileSync(path.join(dir, 'o.json'), 'utf8')).info.description.content, / -e |ENVIRONMENT/);
    assert.doesNotMatch(fs.readFileSync(path.join(dir, 'o.sh'), 'utf8'), /\.env/);
    assert.equal((await newman(path.join(dir, 'o.json'))).code, 0);
  });
  await t.test('a secret has its value there, or is to be filled in', async () => {
    assert.match(await exported('collection', 's.json'), /values of secrets go to .*s\.postman_environment\.json/);
    assert.match(await exported('collection', 'd.json', '--secrets', 'drop'), /variables to fill in are in .*d\.postman_environment\.json/);
    await exported('collection', 's/');
    assert.match(fs.readFileSync(path.join(dir, 's/README.md'), 'utf8'), / -e e\.postman_environment\.json/);
  });
  await t.test('a secret that no item shows needs none: what newman is told to read is there', async () => {
    assert.match(await exported('collection', 'u.json', '--filter', 'path:/cookie'), /no file of values goes with it/);
    assert.ok(!fs.existsSync(path.join(dir, 'u.postman_environment.json')));
    const text = JSON.parse(fs.readFileSync(path.join(dir, 'u.json'), 'utf8')).info.description.content;
    assert.equal(/^ {4}newman run .*$/m.exec(text)[0], '    newman run THIS.json --cookie-jar JAR.json');
  });
  await t.test('everything kept needs none', async () => {
    assert.doesNotMatch(await exported('collection', 'k.json', '--secrets', 'keep'), /file of values/);
    assert.ok(!fs.existsSync(path.join(dir, 'k.postman_environment.json')));
  });
});

test('--tests hold for what answered as they say, redirects too', async (t) => {
  const origin = await startOrigin(t, (req, res) => res.writeHead(req.url === '/old' ? 302 : 200, {
    'Content-Type': 'application/json', ...(req.url === '/old' ? { Location: '/new' } : {}) }).end('{"a":1}'));
  const weir = await startWeir(t, ['--session', 'r']);
  const file = path.join(scratch(t), 'r.json');
  await ask(weir, origin.port, '/new');
  await ask(weir, origin.port, '/old');
  await weir.stop();
  for (const args of [['--tests', 'status'], ['--tests', 'shape', '--group-by', 'chronological'], ['--tests', 'shape', '--profile', 'faithful']]) {
    const { code, stderr } = await weir.command(['export', 'collection', 'r', '-o', file, ...args]);
    assert.equal(code, 0, stderr);
    const run = await newman(file);
    assert.equal(run.code, 0, run.stdout);
    assert.deepEqual(run.executions.map((e) => e.code), [200, 302]);
  }
});

test('a token that stands in the traffic is no secret of the same name', async (t) => {
  const origin = await startOrigin(t, (req, res) => res.writeHead(200).end());
  const weir = await startWeir(t, ['--session', 'first']);
  const dir = scratch(t);
  const bearer = { Authorization: 'Bearer tok_4f9aC0ffee77Beef42Zq' };
  const variables = async (session) => {
    const { code, stderr } = await weir.command(['export', 'collection', session, '-o', path.join(dir, `${session}.json`)]);
    assert.equal(code, 0, stderr);
    return JSON.parse(fs.readFileSync(path.join(dir, `${session}.postman_environment.json`), 'utf8')).values.map((v) => v.key);
  };
  await ask(weir, origin.port, '/me', bearer);
  await weir.stop();
  const [name] = await variables('first');

  await weir.start(['--session', 'second']);
  const body = `Hello {{${name}}}!`;
  await ask(weir, origin.port, '/mail', { ...bearer, 'Content-Type': 'text/plain' }, { method: 'POST', body });
  await weir.stop();
  assert.deepEqual(await variables('second'), [`${name}_2`]);
  origin.seen.splice(0);
  const { code, stdout } = await newman(path.join(dir, 'second.json'), { args: ['-e', path.join(dir, 'second.postman_environment.json')] });
  assert.equal(code, 0, stdout);
  assert.deepEqual(origin.seen.map((r) => [r.body, r.headers.authorization]), [[body, bearer.Authorization]]);
});
