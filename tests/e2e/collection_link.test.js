// Collections with links, in real newman: a login, a form, created resources and a refresh are captured at an origin that gives
// other tokens and ids each time; then it forgets all of them, and a run of the collection gets its own.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { PostmanValidator } = require('@har-sdk/validator');
const { newman, items } = require('./support/newman');
const { startWeir, scratch } = require('./support/weir');

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const PASSWORD = 'correct horse & battery';

// --- an origin whose tokens end ------------------------------------------------------------------------------------------------

// Base64 with all that forms and URLs have to encode.
function csrf() {
  for (;;) {
    const token = crypto.randomBytes(22).toString('base64');
    if (token.includes('+') && token.includes('/')) return token;
  }
}

async function startOrigin(t) {
  const issued = []; // every value that it ever gave
  const give = (value) => { issued.push(String(value)); return value; };
  let known, number = 48213;
  const forget = () => { known = { forms: new Map(), tokens: new Map(), refreshes: new Set(), orders: new Set(), files: new Set(), xsrf: new Set() }; };
  const grant = (answer, headers = {}) => {
    const access_token = give(`tok-${crypto.randomBytes(18).toString('hex')}`), refresh_token = give(`rt-${crypto.randomBytes(18).toString('hex')}`);
    const header = give(crypto.randomUUID());
    known.tokens.clear(); // one session, of which the last token is good
    known.tokens.set(access_token, header);
    known.refreshes.add(refresh_token);
    answer(200, { data: { access_token, refresh_token, expires_in: 60 } }, { 'X-CSRF-Token': header, ...headers });
  };
  forget();
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const body = Buffer.concat(chunks).toString();
    const { pathname } = new URL(req.url, 'http://shop');
    const answer = (status, value, headers = {}) => {
      res.writeHead(status, { 'Content-Type': typeof value === 'string' ? 'text/html; charset=utf-8' : 'application/json', ...headers });
      res.end(typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value));
    };
    const cookies = Object.fromEntries((req.headers.cookie ?? '').split('; ').map((c) => c.split('=')));
    const json = () => JSON.parse(body);
    const target = `${req.method} ${pathname}`;

    if (target === 'GET /v1/orders') return answer(200, { orders: [] });
    if (target === 'GET /login') {
      const sid = crypto.randomBytes(12).toString('hex');
      known.forms.set(sid, give(csrf()));
      return answer(200, `<html><form><input name="csrf" type="hidden" value="${crypto.randomUUID()}"></form><form method=post>`
        + `<input type="hidden" name='csrf' value="${known.forms.get(sid).replaceAll('+', '&#43;')}"><input name=user></form></html>`,
      { 'Set-Cookie': `sid=${sid}; Path=/; HttpOnly` });
    }
    if (target === 'POST /login') {
      const form = new URLSearchParams(body);
      if (form.get('csrf') !== known.forms.get(cookies.sid) || !cookies.sid) return answer(403, { error: 'form' });
      return form.get('password') === PASSWORD ? grant(answer) : answer(401, { error: 'password' });
    }
    if (target === 'GET /app') {
      const token = give(csrf());
      known.xsrf.add(token);
      return answer(200, '<p>app</p>', { 'Set-Cookie': `XSRF-TOKEN=${encodeURIComponent(token)}; Path=/` });
    }
    if (target === 'POST /app/visit') return answer(known.xsrf.has(req.headers['x-xsrf-token']) ? 200 : 419, { ok: 1 });
    if (target === 'POST /v1/refresh') return known.refreshes.delete(json().refresh_token) ? grant(answer) : answer(401, { error: 'refresh' });

    const token = (req.headers.authorization ?? '').replace(/^Bearer /, '');
    if (!known.tokens.has(token)) return answer(401, { error: 'token' });
    if (target === 'GET /v1/me') return answer(200, { name: 'zoe', role: 'customer-of-2026' });
    if (req.method !== 'GET' && req.headers['x-csrf-token'] !== known.tokens.get(token)) return answer(403, { error: 'csrf' });
    if (target === 'POST /v1/orders') {
      known.orders.add(String(++number));
      give(number);
      return answer(201, { id: number, state: 'new' });
    }
    if (target === 'POST /v1/files') {
      const id = give(crypto.randomUUID());
      known.files.add(id);
      return answer(201, undefined, { Location: `/v1/files/${id}?new=1` });
    }
    const [, kind, id, rest] = /^\/v1\/(orders|files)\/([^/]+)(\/items)?$/.exec(pathname) ?? [];
    if (!known[kind]?.has(id)) return answer(404, { error: 'nothing there' });
    if (rest) return answer(String(json().order_id) === id && json().count === 2 ? 200 : 400, { ok: 1 });
    if (req.method === 'DELETE') known[kind].delete(id);
    return answer(200, { id: kind === 'orders' ? Number(id) : id, kind });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { port: server.address().port, issued, forget };
}

// --- a client ------------------------------------------------------------------------------------------------------------------

function ask(weir, port, method, target, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://127.0.0.1:${port}${target}`, agent: false,
                               headers: { Host: `127.0.0.1:${port}`, ...headers, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) } }, (res) => {
      let text = '';
      res.on('data', (d) => { text += d; }).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

async function walk(weir, port) {
  const go = async (...args) => {
    const answer = await ask(weir, port, ...args);
    assert.ok(answer.status < 300, `${args[0]} ${args[1]}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const json = { 'Content-Type': 'application/json' };
  const cookie = (answer) => answer.headers['set-cookie'][0].split(';')[0];
  const granted = (answer) => {
    const { access_token, refresh_token } = JSON.parse(answer.text).data;
    return { refresh_token, auth: { Authorization: `Bearer ${access_token}` }, all: { Authorization: `Bearer ${access_token}`, 'X-CSRF-Token': answer.headers['x-csrf-token'], ...json } };
  };

  await go('GET', '/v1/orders'); // its folder is seen before what logs in
  const form = await go('GET', '/login');
  const [, field] = /type="hidden" name='csrf' value="([^"]*)"/.exec(form.text);
  let login = granted(await go('POST', '/login', { headers: { 'Content-Type': 'application/x-www-form-urlencoded', Cookie: cookie(form) },
    body: `user=zoe&password=${encodeURIComponent(PASSWORD)}&csrf=${encodeURIComponent(field.replaceAll('&#43;', '+'))}` }));
  await go('GET', '/v1/me', { headers: login.auth });
  const { id } = JSON.parse((await go('POST', '/v1/orders', { headers: login.all, body: '{"item":"a lamp"}' })).text);
  await go('POST', `/v1/orders/${id}/items`, { headers: login.all, body: JSON.stringify({ order_id: id, count: 2 }) });
  const app = await go('GET', '/app');
  await go('POST', '/app/visit', { headers: { ...json, 'X-XSRF-TOKEN': decodeURIComponent(cookie(app).split('=')[1]) }, body: '{}' });
  login = granted(await go('POST', '/v1/refresh', { headers: json, body: JSON.stringify({ refresh_token: login.refresh_token }) }));
  await go('GET', `/v1/orders/${id}`, { headers: login.auth });
  const file = await go('POST', '/v1/files', { headers: login.all, body: '{"name":"a.txt"}' });
  await go('GET', file.headers.location.split('?')[0], { headers: login.auth });
  login = granted(await go('POST', '/v1/refresh', { headers: json, body: JSON.stringify({ refresh_token: login.refresh_token }) }));
  await go('DELETE', `/v1/orders/${id}`, { headers: login.all });
}

test('links', async (t) => {
  const dir = scratch(t);
  const origin = await startOrigin(t);
  const weir = await startWeir(t, ['--session', 'shop']);
  const file = (name) => path.join(dir, name);
  const environmentOf = (collection) => collection.replace('collection', 'environment');
  const exported = async (name, ...args) => {
    const collection = file(`${name}.postman_collection.json`);
    const result = await weir.command(['export', 'collection', 'shop', '-o', collection, ...args]);
    assert.equal(result.code, 0, result.stderr);
    return { ...result, collection, environment: environmentOf(collection) };
  };
  const replay = async ({ collection, environment }) => {
    origin.forget();
    const result = await newman(collection, { args: fs.existsSync(environment) ? ['-e', environment] : [] });
    return { ...result, codes: result.executions.map((e) => e.code), told: result.executions.map((e) => `${e.name}: ${e.code}`).join('\n') };
  };
  const scripts = (collection) => items(read(collection)).flatMap((i) => (i.event ?? []).flatMap((e) => e.script.exec)).join('\n');

  await walk(weir, origin.port);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });

  await t.test('in order of time a run has tokens and ids of its own', async () => {
    const made = await exported('time', '--group-by', 'chronological', '--report', file('report.json'));
    assert.deepEqual(await new PostmanValidator().verify(read(made.collection)), []);
    const { codes, told, stdout } = await replay(made);
    assert.ok(codes.length === 14 && codes.every((c) => c < 300), `${told}\n${stdout}`);
    const lines = read(file('report.json')).filter((l) => l.link).map((l) => l.link);
    assert.ok(lines.some((l) => /^exchange 3 issues \{\{\w+\}\} \(JSON \/data\/access_token\), carried by exchange 4, 5, 6$/.test(l)), lines.join('\n'));
  });

  await t.test('without links it has none', async () => {
    const { codes } = await replay(await exported('time-unlinked', '--group-by', 'chronological', '--no-link'));
    assert.deepEqual(codes.map((c) => (c < 300 ? 'ok' : c)), ['ok', 'ok', 403, 401, 401, 401, 'ok', 419, 401, 401, 401, 401, 401, 401]);
  });

  await t.test('so has one of folders, where it is asked for', async () => {
    const made = await exported('folders', '--link');
    const { codes, told, stdout } = await replay(made);
    assert.ok(codes.every((c) => c < 300), `${told}\n${stdout}`);
    assert.deepEqual(read(made.collection).item[0].item.map((i) => i.name), ['login', 'orders', 'me', 'app', 'refresh', 'files']);
    assert.deepEqual(read((await exported('unlinked')).collection).item[0].item.map((i) => i.name), ['orders', 'login', 'me', 'app', 'refresh', 'files']);
    assert.doesNotMatch(made.stderr, /before they are set/);
    assert.doesNotMatch(scripts((await exported('unlinked')).collection), /issued/);
    const { codes: unlinked } = await replay(await exported('unlinked'));
    assert.ok(unlinked.includes(401), `${unlinked}`);
  });

  await t.test('a token and those that replace it are one variable', async () => {
    const { collection, environment } = await exported('time', '--group-by', 'chronological');
    const names = new Set([...scripts(collection).matchAll(/set\("(\w+)"/g)].map((m) => m[1]));
    assert.equal([...names].filter((n) => /access/i.test(n)).length, 1, [...names].join());
    assert.equal([...names].filter((n) => /refresh/i.test(n)).length, 1, [...names].join());
    const orders = items(read(collection)).filter((i) => i.name.includes('orders/:'));
    for (const item of orders) assert.deepEqual(item.request.url.variable.map((v) => v.value), ['{{orderId}}'], item.name);
    assert.ok(read(environment).values.every((v) => v.key !== 'orderId'));
    assert.ok(read(collection).variable.some((v) => v.key === 'orderId' && v.value === '48214'));
    assert.match(items(read(collection)).find((i) => i.name.includes('/items')).request.body.raw, /\{"order_id":\{\{orderId\}\},"count":2\}/);
  });

  await t.test('without any value of a secret it takes the password alone', async () => {
    const made = await exported('dropped', '--link', '--group-by', 'chronological', '--secrets', 'drop');
    const environment = read(made.environment);
    assert.ok(environment.values.every((v) => v.value === ''));
    for (const v of environment.values) if (/Password$/.test(v.key)) v.value = PASSWORD;
    fs.writeFileSync(made.environment, JSON.stringify(environment));
    const { codes, told, stdout } = await replay(made);
    assert.ok(codes.every((c) => c < 300), `${told}\n${stdout}`);
  });

  await t.test('with everything kept it takes nothing', async () => {
    const made = await exported('kept', '--link', '--secrets', 'keep');
    assert.ok(!fs.existsSync(made.environment));
    const { codes, told, stdout } = await replay(made);
    assert.ok(codes.every((c) => c < 300), `${told}\n${stdout}`);
  });

  await t.test('no value that was issued is in a script, and no secret anywhere', async () => {
    for (const [name, ...args] of [['time', '--group-by', 'chronological'], ['folders', '--link'], ['kept', '--link', '--secrets', 'keep']]) {
      const { collection } = await exported(name, ...args);
      for (const value of origin.issued) assert.ok(!scripts(collection).includes(value), `${value} in ${name}`);
      if (name === 'kept') continue;
      const text = fs.readFileSync(collection, 'utf8');
      for (const value of [PASSWORD, ...origin.issued.filter((v) => /^(tok|rt)-|\+/.test(v))]) assert.ok(!text.includes(value), `${value} in ${name}`);
    }
  });

  await t.test('the same session and options give the same bytes', async () => {
    const files = [file('time.postman_collection.json'), file('time.postman_environment.json'), file('report.json')];
    const again = async () => {
      await exported('time', '--group-by', 'chronological', '--report', file('report.json'));
      return files.map((f) => fs.readFileSync(f, 'utf8'));
    };
    assert.deepEqual(await again(), await again());
  });

  await t.test('a failed call changes no variable', async () => {
    const made = await exported('time', '--group-by', 'chronological');
    const collection = read(made.collection);
    const login = collection.item.findIndex((i) => i.name.endsWith('POST login'));
    collection.item.splice(login + 1, 0, { ...collection.item[login], name: 'a wrong login', request: { ...collection.item[login].request, body: undefined } });
    fs.writeFileSync(made.collection, JSON.stringify(collection));
    const { codes, told } = await replay(made);
    assert.equal(codes.splice(login + 1, 1)[0], 403);
    assert.ok(codes.every((c) => c < 300), told);
  });

  await t.test('it is for the profile that changes requests', async () => {
    for (const option of ['--link', '--no-link']) {
      const { code, stderr } = await weir.command(['export', 'collection', 'shop', '--profile', 'faithful', option]);
      assert.equal(code, 2);
      assert.match(stderr, /a faithful collection sends what was sent/);
    }
    assert.equal((await weir.command(['export', 'collection', 'shop', '--link', '--no-link'])).code, 2);
  });

  await t.test('merged into a file without scripts they are not spoken of as if they were there', async () => {
    const { collection } = await exported('merged');
    const into = () => weir.command(['export', 'collection', 'shop', '--link', '--into', collection, '--report', file('merged-report.json')]);
    assert.match((await into()).stderr, /^weir: \d+ not linked: items that the file has without the script .*; take them out and merge again$/m);
    const unset = read(file('merged-report.json')).filter((e) => /^kept without the script/.test(e.why)).map((e) => e.what.slice('item '.length));
    assert.ok(unset.length > 2, unset.join());
    const without = (list) => list.filter((i) => !unset.includes(i.name)).map((i) => (i.item ? { ...i, item: without(i.item) } : i));
    const document = read(collection);
    fs.writeFileSync(collection, JSON.stringify({ ...document, item: without(document.item) }));
    const { code, stderr } = await into();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /not linked: items/);
  });
});
