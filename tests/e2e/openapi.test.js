// An API that was called through weir, as OpenAPI: what it says is what was seen, and the tools of others find nothing wrong with it.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { once } = require('node:events');
const SwaggerParser = require('@apidevtools/swagger-parser');
const { httpOrigin } = require('./support/origin');
const { startWeir, run, scratch } = require('./support/weir');

const API = 'api.weir.localhost';
const REDOCLY = path.join(__dirname, '../node_modules/.bin/redocly');
// What a capture can't know: a licence, and answers nobody got. That tests have servers on localhost is no fault either.
const UNKNOWABLE = ['info-license', 'operation-4xx-response', 'operation-2xx-response', 'no-server-example.com'];
const SECRETS = ['tok-8Fq2LxPz91KdWm', 'k3y-Zr7YpQ4vTn2MbX', 'pa55-Gh6JwEr8Uc', 'sess-9Vb3NmXk5RtLq'];
const [TOKEN, KEY, PASSWORD, SESSION] = SECRETS;
const STATES = ['open', 'paid', 'sent'];

function answer(req, res, seen) {
  const url = new URL(seen.url, 'http://x');
  const json = (status, value, fields = {}) => {
    res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...fields });
    res.end(JSON.stringify(value));
  };
  const user = /^\/v1\/users\/(\d+)$/.exec(url.pathname);
  if (user && seen.method === 'DELETE') return res.writeHead(204).end();
  if (user) {
    const id = Number(user[1]);
    if (!seen.headers.authorization) return json(401, { error: 'who are you?' }, { 'WWW-Authenticate': 'Bearer' });
    return json(200, { id, mail: `u${id}@shop.test`, nick: id % 2 ? null : 'ann', ...(id % 3 ? {} : { note: 'x' }), token: SESSION },
      { 'X-RateLimit-Remaining': String(100 - id), 'X-Powered-By': 'node' });
  }
  if (url.pathname === '/v1/orders' && seen.method === 'POST') return json(201, { id: 7 }, { Location: '/v1/orders/7' });
  if (url.pathname === '/v1/orders')
    return json(200, Array.from({ length: 12 }, (_, i) => ({ id: i, state: STATES[i % 3], total: i / 2 })));
  if (url.pathname === '/login') return res.writeHead(303, { Location: '/', 'Set-Cookie': `session=${SESSION}; HttpOnly` }).end();
  if (url.pathname === '/upload') return json(200, { size: seen.body.length });
  if (url.pathname === '/blob') return res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(Buffer.from([0, 255, 1]));
  if (url.pathname === '/page') return res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>a page');
  return json(404, { error: 'no such thing' });
}

async function capture(t) {
  const origin = await httpOrigin(t, answer);
  const weir = await startWeir(t, ['--quiet']);
  const call = async (method, target, { headers = {}, body, host = API } = {}) => {
    const request = http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://${host}:${origin.port}${target}`,
      headers: { Host: `${host}:${origin.port}`, ...headers }, agent: false });
    request.end(body);
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  const bearer = { Authorization: `Bearer ${TOKEN}`, 'X-Tenant': 'acme' };
  const json = { 'Content-Type': 'application/json' };

  for (let id = 1; id <= 6; id++) assert.equal(await call('GET', `/v1/users/${id}?expand=orders${id > 1 ? '&page=2' : ''}`, { headers: bearer }), 200);
  await call('GET', '/v1/users/5');
  await call('DELETE', '/v1/users/5', { headers: bearer });
  await call('GET', `/v1/orders?tag=a&tag=b%20c&api_key=${KEY}`);
  await call('GET', `/v1/orders?tag=a&api_key=${KEY}`);
  await call('POST', '/v1/orders', { headers: { ...json, Cookie: `session=${SESSION}` }, body: '{"item":1,"gift":true,"note":null}' });
  await call('POST', '/v1/orders', { headers: { ...json, Cookie: `session=${SESSION}` }, body: '{"item":2,"note":"quick"}' });
  await call('POST', '/login', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: `user=ann&password=${PASSWORD}&keep=true` });
  await call('POST', '/upload', { headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
    body: '--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nme\r\n--b\r\n'
      + 'Content-Disposition: form-data; name="face"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n' });
  await call('GET', '/blob');
  await call('GET', '/page');
  await call('GET', '/odd%7Bpath%7D/%C3%A9');
  await call('GET', '/v1/orders', { host: '127.0.0.1' });
  await call('GET', '/only/here', { host: '127.0.0.1' });
  await weir.stop();
  return { weir, port: origin.port };
}

async function lint(file, dir) {
  await SwaggerParser.validate(file);
  const { code, stdout, stderr } = await run(REDOCLY, ['lint', file, '--extends=recommended', '--format=json', ...UNKNOWABLE.flatMap((r) => ['--skip-rule', r])],
    { cwd: dir, env: { ...process.env, HOME: dir, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' } });
  const { problems } = JSON.parse(stdout.slice(stdout.indexOf('{')));
  assert.deepEqual(problems.map((p) => `${p.ruleId}: ${p.message} ${p.location[0]?.pointer}`), []);
  assert.equal(code, 0, stderr);
}

test('a captured API is described as it was seen', async (t) => {
  const { weir, port } = await capture(t);
  const dir = scratch(t);
  const write = async (name, ...args) => {
    const file = path.join(dir, name);
    const { code, stderr } = await weir.command(['export', 'openapi', '-o', file, ...args]);
    assert.equal(code, 0, stderr);
    return { file, text: fs.readFileSync(file, 'utf8'), api: JSON.parse(fs.readFileSync(file, 'utf8')) };
  };
  const one = await write('one.openapi.json', '--host', `${API}:${port}`, '--name', 'Shop');
  const { api } = one;

  await t.test('validators find nothing wrong', () => lint(one.file, dir));
  await t.test('it is the same again', async () => assert.equal((await write('again.json', '--host', API, '--name', 'Shop')).text, one.text));
  await t.test('no secret is in it', () => {
    for (const secret of SECRETS) assert.equal(one.text.includes(secret), false, secret);
    assert.match(one.text, /REDACTED_/);
  });
  await t.test('one host, and a path for each resource', () => {
    assert.equal(api.info.title, 'Shop');
    assert.match(api.info.description, /1 left out: pages/);
    assert.deepEqual(api.servers, [{ url: `http://${API}:${port}` }]);
    assert.deepEqual(Object.keys(api.paths), ['/v1/users/{userId}', '/v1/orders', '/login', '/upload', '/blob', '/odd%7Bpath%7D/%C3%A9']);
    assert.deepEqual(api.tags.map((tag) => tag.name).slice(0, 2), ['users', 'orders']);
  });
  await t.test('parameters', () => {
    const item = api.paths['/v1/users/{userId}'];
    assert.deepEqual(item.parameters, [{ name: 'userId', in: 'path', required: true, schema: { type: 'integer' }, example: 1 }]);
    assert.equal(item.get.operationId, 'getUsersByUserId');
    assert.equal(item.get.summary, 'Get users by user id');
    assert.deepEqual(item.get.parameters, [
      { name: 'expand', in: 'query', schema: { type: 'string' }, example: 'orders' },
      { name: 'page', in: 'query', schema: { type: 'integer' }, example: 2 },
      { name: 'X-Tenant', in: 'header', schema: { type: 'string' }, example: 'acme' }]);
    assert.deepEqual(api.paths['/v1/orders'].get.parameters,
      [{ name: 'tag', in: 'query', required: true, schema: { type: 'array', items: { type: 'string' } }, example: ['a'] }]);
  });
  await t.test('schemas say what the evidence says', () => {
    const { responses } = api.paths['/v1/users/{userId}'].get;
    const { schema, example } = responses[200].content['application/json'];
    assert.deepEqual(Object.keys(responses), ['200', '401']);
    assert.deepEqual(schema.required, ['id', 'mail', 'nick', 'token']);
    assert.deepEqual(schema.properties.nick.type, ['string', 'null']);
    assert.equal(schema.properties.mail.format, 'email');
    assert.match(example.token, /^REDACTED_/);
    assert.deepEqual(Object.keys(responses[200].headers), ['X-RateLimit-Remaining']);
    assert.equal(responses[200].headers['X-RateLimit-Remaining'].schema.type, 'integer');
    const { items } = api.paths['/v1/orders'].get.responses[200].content['application/json'].schema;
    assert.deepEqual(items.properties.state.enum, STATES);
    assert.equal(items.properties.total.type, 'number');
    const order = api.paths['/v1/orders'].post.requestBody;
    assert.equal(order.required, true);
    assert.deepEqual(order.content['application/json'].schema.required, ['item', 'note']);
    assert.deepEqual(api.paths['/login'].post.requestBody.content['application/x-www-form-urlencoded'].schema.properties,
      { user: { type: 'string' }, password: { type: 'string' }, keep: { type: 'boolean' } });
    assert.deepEqual(api.paths['/upload'].post.requestBody.content['multipart/form-data'].schema.properties,
      { title: { type: 'string' }, face: { type: 'string', contentMediaType: 'image/png' } });
    assert.deepEqual(api.paths['/blob'].get.responses[200].content['application/octet-stream'].schema,
      { type: 'string', contentMediaType: 'application/octet-stream' });
  });
  await t.test('how callers log in', () => {
    assert.deepEqual(api.components.securitySchemes, {
      bearerAuth: { type: 'http', scheme: 'bearer' },
      apiKeyQuery: { type: 'apiKey', in: 'query', name: 'api_key' },
      sessionCookie: { type: 'apiKey', in: 'cookie', name: 'session' } });
    assert.deepEqual(api.paths['/v1/users/{userId}'].get.security, [{ bearerAuth: [] }]);
    assert.deepEqual(api.paths['/v1/orders'].get.security, [{ apiKeyQuery: [] }]);
    assert.deepEqual(api.paths['/v1/orders'].post.security, [{ sessionCookie: [] }]);
    assert.deepEqual(api.paths['/blob'].get.security, []);
  });
  await t.test('without --host, each path says which servers have it', async () => {
    const all = await write('all.openapi.json');
    await lint(all.file, dir);
    assert.deepEqual(all.api.servers.map((s) => s.url), [`http://${API}:${port}`, `http://127.0.0.1:${port}`]);
    assert.equal(all.api.paths['/v1/orders'].servers, undefined);
    assert.deepEqual(all.api.paths['/only/here'].servers, [{ url: `http://127.0.0.1:${port}` }]);
    assert.deepEqual(all.api.paths['/blob'].servers, [{ url: `http://${API}:${port}` }]);
  });
  await t.test('--host is refused where it means nothing', async () => {
    assert.equal((await weir.command(['export', 'har', '--host', API])).code, 2);
    assert.equal((await weir.command(['export', 'openapi', '--host', 'a b'])).code, 2);
  });
});
