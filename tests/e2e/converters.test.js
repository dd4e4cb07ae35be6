// What converters of others make of weir's exports is what was captured: collections, OpenAPI, HAR and curl commands on their way to
// Postman, Bruno, Insomnia, OpenAPI and a shell. Where one loses something, a document that weir did not write loses it, too.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const SwaggerParser = require('@apidevtools/swagger-parser');
const curlToPostman = require('curl-to-postmanv2');
const harToOpenapi = require('har-to-openapi');
const harValidator = require('har-validator');
const { HTTPSnippet } = require('httpsnippet');
const insomnia = require('insomnia-importers');
const openapiToPostman = require('openapi-to-postmanv2');
const { CALLS, TOKEN, PNG, call } = require('./support/calls');
const { newman, items } = require('./support/newman');
const { startWeir, run, scratch } = require('./support/weir');

const isJson = (request) => /json/.test(request.headers?.['Content-Type']);
const callOf = (target) => CALLS.find((c) => c.target.split('?')[0] === target);
const FILES = ['/upload', '/blob']; // whose bodies are, or hold, bytes that are no text
const text = (body) => (body === undefined ? '' : String(body));

// [method, path, decoded pairs of the query, sorted]
function pieces(method, url) {
  const { pathname, searchParams } = new URL(url);
  return [method, pathname, [...searchParams].map((p) => p.join('=')).sort()];
}

async function captured(t) {
  const dir = scratch(t);
  const weir = await startWeir(t, ['--quiet', '--session', 'api']);
  const api = await call(t, weir);
  const base = `http://127.0.0.1:${api.port}`;
  await weir.stop();
  assert.equal(api.requests.length, CALLS.length);
  const write = async (format, name, ...args) => {
    const file = path.join(dir, name);
    const { code, stderr } = await weir.command(['export', format, 'api', '-o', file, ...args]);
    assert.equal(code, 0, stderr);
    return { file, text: fs.readFileSync(file, 'utf8'), json: name.endsWith('.json') && JSON.parse(fs.readFileSync(file, 'utf8')) };
  };
  const all = CALLS.map((c) => pieces(c.method, base + c.target));
  return { dir, weir, api, base, write, all };
}

function toPostman(description) {
  return new Promise((resolve, reject) => {
    openapiToPostman.convertV2({ type: 'string', data: JSON.stringify(description) }, { parametersResolution: 'Example', folderStrategy: 'Paths' },
      (error, answer) => (error || !answer.result ? reject(error ?? new Error(answer.reason)) : resolve(answer.output[0].data)));
  });
}

const templated = (url) => `/${url.path.join('/')}`;
const enabled = (pairs = []) => pairs.filter((p) => !p.disabled);

test('openapi-to-postmanv2 makes a collection of the description', async (t) => {
  const { dir, api, write } = await captured(t);
  const description = (await write('openapi', 'api.openapi.json')).json;
  const own = items((await write('collection', 'api.postman_collection.json')).json);
  const made = await toPostman(description);
  const operations = items(made);

  await t.test('of the endpoints that weir\'s own has, but pages, and with redirects', () => {
    const names = (list) => [...new Set(list.map((i) => `${i.request.method} ${templated(i.request.url)}`))].sort();
    assert.deepEqual(names(operations), [...names(own).filter((n) => n !== 'GET /'), 'GET /old'].sort());
  });

  await t.test('with the parameters and bodies of weir\'s own', () => {
    const losses = [];
    for (const made_ of operations.filter((i) => templated(i.request.url) !== '/old')) {
      const same = own.filter((i) => i.request.method === made_.request.method && templated(i.request.url) === templated(made_.request.url));
      const names = (list) => [...new Set(list.flatMap((i) => enabled(i.request.url.query).map((q) => q.key)))].sort();
      assert.deepEqual(names([made_]), names(same), made_.name);
      assert.deepEqual(made_.request.url.variable.map((v) => v.key), (same[0].request.url.variable ?? []).map((v) => v.key), made_.name);
      for (const { key, value } of made_.request.url.query) {
        const seen = same.flatMap((i) => i.request.url.query).filter((q) => q.key === key).map((q) => decodeURIComponent(q.value ?? ''));
        assert.ok(seen.includes(value), `${key}=${value}`);
      }
      const at = templated(made_.request.url);
      const { body = {} } = made_.request, want = same[0].request.body ?? {};
      if (want.mode === 'graphql') assert.deepEqual(JSON.parse(body.raw), { ...want.graphql, variables: JSON.parse(want.graphql.variables) });
      else if (body.options?.raw?.language === 'json') assert.deepEqual(JSON.parse(body.raw), JSON.parse(want.raw));
      else if (['/search', '/upload'].includes(at)) {
        const fields = (b) => (b.urlencoded ?? b.formdata).map((f) => f.key);
        assert.deepEqual([body.mode, fields(body)], [want.mode, fields(want)]);
        losses.push(at);
      } else if (body.raw !== want.raw) losses.push(at);
    }
    assert.deepEqual(losses.sort(), ['/blob', '/search', '/soap', '/upload']);
  });

  await t.test('what it loses, it loses of any description', async () => {
    const paths = Object.entries({
      '/form': { 'application/x-www-form-urlencoded': { schema: { type: 'object', properties: { q: { type: 'string' } } }, example: { q: 'a b' } } },
      '/xml': { 'text/xml': { schema: { type: 'string' }, example: '<a/>' } },
      '/bytes': { 'application/octet-stream': { schema: { type: 'string', contentMediaType: 'application/octet-stream' } } },
    }).map(([at, content]) => [at, { post: { requestBody: { content }, responses: { 200: { description: 'OK' } } } }]);
    const other = items(await toPostman({ openapi: '3.1.0', info: { title: 't', version: '1' }, paths: Object.fromEntries(paths) }));
    const body = (at) => other.find((i) => templated(i.request.url) === at).request.body;
    assert.equal(body('/form').urlencoded[0].value, 'string'); // it looks for examples in schemas alone
    assert.match(body('/xml').raw, /<element>/);
    assert.equal(body('/bytes').raw, 'string');
  });

  await t.test('newman runs it, and the API gets what it got', async () => {
    const file = path.join(dir, 'made.json');
    fs.writeFileSync(file, JSON.stringify(made));
    api.requests.splice(0);
    const { executions, stdout } = await newman(file, { args: ['--env-var', `bearerToken=${TOKEN}`, '--ignore-redirects'] });
    assert.ok(executions.every((e) => e.code < 400), stdout);
    assert.equal(api.requests.length, operations.length);
    for (const { method, url, headers, body } of api.requests) {
      const at = url.split('?')[0];
      const want = CALLS.find((c) => c.method === method && c.target.split('?')[0] === at) ?? CALLS.find((c) => c.method === method && /^\/v1\/users/.test(at));
      assert.ok(want, `${method} ${url}`);
      assert.equal(headers.authorization, want.headers?.Authorization, url);
      assert.equal(headers['x-tenant'], want.headers?.['X-Tenant'], url);
      if (isJson(want)) assert.deepEqual(JSON.parse(body), JSON.parse(want.body), url);
      else if (!want.body || at === '/note') assert.equal(String(body), text(want.body), url);
    }
  });
});

// Requests of a Bruno collection, folders opened.
const brunos = (list) => list.flatMap((i) => (i.items ? brunos(i.items) : [i]));

test('@usebruno/converters makes Bruno\'s of collections, environments and descriptions', async (t) => {
  const bruno = await import('@usebruno/converters');
  const { base, write, all } = await captured(t);
  const faithful = await write('collection', 'faithful.json', '--profile', 'faithful');
  const runnable = await write('collection', 'api.postman_collection.json');
  const environment = JSON.parse(fs.readFileSync(faithful.file.replace('.json', '.postman_environment.json'), 'utf8'));
  const convert = async (json) => {
    const { collection, issues } = await bruno.postmanToBruno(json);
    assert.deepEqual(issues, []);
    return collection;
  };

  await t.test('every request of a faithful one', async () => {
    const made = await convert(faithful.json);
    const vars = Object.fromEntries(made.root.request.vars.req.map((v) => [v.name, v.value]));
    assert.equal(vars.baseUrl, base);
    const requests = brunos(made.items);
    assert.deepEqual(requests.map((i) => pieces(i.request.method, i.request.url.replace('{{baseUrl}}', base))), all);
    for (const [i, { request, examples }] of requests.entries()) {
      const { target, headers = {}, body } = CALLS[i];
      const pairs = request.params.filter((p) => p.type === 'query').map((p) => (p.value ? `${p.name}=${p.value}` : p.name));
      assert.equal(pairs.join('&'), (target.split('?')[1] ?? '').replace('flag=', 'flag'), target);
      const { mode } = request.body;
      const have = Object.fromEntries(request.headers.filter((h) => h.enabled).map((h) => [h.name, h.value]));
      for (const [name, value] of Object.entries(headers).filter(([n]) => n !== 'Authorization' && !(n === 'Content-Type' && mode === 'multipartForm')))
        assert.equal(have[name], value, target);
      assert.equal(examples.length, 1);
      if (['json', 'text', 'xml'].includes(mode)) assert.equal(request.body[mode], body, target);
      else if (mode === 'formUrlEncoded') assert.equal(request.body[mode].map((p) => `${p.name}=${encodeURIComponent(p.value)}`).join('&'), body);
      else assert.ok(mode === 'none' ? !body : FILES.includes(target), target);
    }
    const upload = requests.find((i) => i.request.url.endsWith('/upload')).request.body.multipartForm;
    assert.deepEqual(upload.map((p) => [p.name, p.type, p.contentType ?? '']), [['title', 'text', ''], ['face', 'file', 'image/png']]);
    assert.equal(upload[0].value, 'a picture, "quoted"');
  });

  await t.test('a runnable one: folders with their credentials, path variables, GraphQL', async () => {
    const made = await convert(runnable.json);
    const requests = brunos(made.items);
    assert.deepEqual(requests.map((i) => i.name), items(runnable.json).map((i) => i.name));
    const users = made.items[0].items.find((i) => i.name === 'users');
    assert.deepEqual(users.root.request.auth.bearer, { token: `{{${environment.values[0].key}}}` });
    const one = requests.find((i) => i.name === 'PUT v1/users/:userId').request;
    assert.deepEqual(one.params.map((p) => [p.type, p.name, p.value]), [['path', 'userId', '48213']]);
    const graphql = requests.find((i) => i.type === 'graphql-request').request.body.graphql;
    const { query, variables } = JSON.parse(callOf('/graphql').body);
    assert.deepEqual([graphql.query, JSON.parse(graphql.variables)], [query, variables]);
  });

  await t.test('the environment', async () => {
    const made = await bruno.postmanToBrunoEnvironment(environment);
    assert.deepEqual(made.variables.map((v) => [v.name, v.value, v.secret]), environment.values.map((v) => [v.key, v.value, true]));
  });

  await t.test('files by path alone, of anybody\'s collection', async () => {
    const { request } = brunos((await convert({ info: faithful.json.info, item: [{ name: 'x', request: { method: 'POST', url: 'http://a.test/',
      body: { mode: 'formdata', formdata: [{ key: 'f', type: 'file', src: 'a.png', value: PNG.toString('base64') }, { key: 'g', type: 'file', value: 'AAEC' }] } } }] })).items)[0];
    assert.deepEqual(request.body.multipartForm.map((p) => p.value), [['a.png'], []]);
  });

  await t.test('a description', async () => {
    const description = (await write('openapi', 'api.openapi.json')).json;
    const made = await bruno.openApiToBruno(description);
    assert.equal((made.collection ?? made).environments[0].variables.find((v) => v.name === 'baseUrl').value, base);
    const requests = brunos((made.collection ?? made).items);
    const names = (list) => list.map(([m, p]) => `${m} ${p}`).sort();
    assert.deepEqual(names(requests.map((i) => [i.request.method, i.request.url.replace('{{baseUrl}}', '').replace(/:(\w+)/g, '{$1}')])),
      names(Object.entries(description.paths).flatMap(([p, of]) => ['get', 'put', 'post', 'delete', 'patch'].filter((m) => of[m]).map((m) => [m.toUpperCase(), p]))));
    for (const { request } of requests) {
      const at = request.url.replace('{{baseUrl}}', '');
      const want = CALLS.find((c) => c.method === request.method && c.target.split('?')[0].replace(/\d{5}/, ':userId') === at);
      const { mode } = request.body;
      if (mode === 'json') assert.deepEqual(JSON.parse(request.body.json), JSON.parse(want.body));
      else if (mode === 'formUrlEncoded') assert.equal(request.body[mode].map((p) => `${p.name}=${encodeURIComponent(p.value)}`).join('&'), want.body);
      else if (mode === 'text' || mode === 'xml') assert.equal(request.body[mode], FILES.includes(want.target) ? '' : want.body);
    }
  });
});

test('@scalar/postman-to-openapi makes a description of a collection', async (t) => {
  const { convert } = await import('@scalar/postman-to-openapi');
  const { dir, write } = await captured(t);
  const faithful = (await write('collection', 'faithful.json', '--profile', 'faithful')).json;
  const runnable = (await write('collection', 'api.postman_collection.json')).json;
  const operations = (made) => Object.entries(made.paths).flatMap(([at, of]) => Object.keys(of).map((m) => `${m.toUpperCase()} ${at}`)).sort();

  await t.test('with every method and path', async () => {
    const made = await convert(faithful);
    assert.deepEqual(operations(made), CALLS.map((c) => `${c.method} ${c.target.split('?')[0]}`).sort());
    for (const c of CALLS) {
      const operation = made.paths[c.target.split('?')[0]][c.method.toLowerCase()];
      const names = operation.parameters?.filter((p) => p.in === 'query').map((p) => p.name) ?? [];
      assert.deepEqual(names, [...new Set(new URLSearchParams(c.target.split('?')[1] ?? '').keys())], c.target);
      if (isJson(c)) assert.deepEqual(operation.requestBody.content['application/json'].schema.example, JSON.parse(c.body), c.target);
      assert.deepEqual(Object.keys(operation.responses).length, 1);
    }
    const form = made.paths['/search'].post.requestBody.content['application/x-www-form-urlencoded'].schema.properties;
    assert.deepEqual(Object.entries(form).map(([k, v]) => `${k}=${encodeURIComponent(v.examples[0])}`).join('&'), callOf('/search').body);
    const parts = made.paths['/upload'].post.requestBody.content['multipart/form-data'].schema.properties;
    assert.deepEqual(Object.entries(parts).map(([k, v]) => [k, v.format ?? v.example]), [['title', 'a picture, "quoted"'], ['face', 'binary']]);
  });

  await t.test('and with templated paths', async () => {
    const made = await convert(runnable);
    assert.deepEqual(operations(made), [...new Set(items(runnable).map((i) => `${i.request.method} ${templated(i.request.url).replace(/:(\w+)/g, '{$1}')}`))].sort());
    assert.deepEqual(made.paths['/v1/users/{userId}'].put.parameters.filter((p) => p.in === 'path').map((p) => [p.name, p.example]), [['userId', '48213']]);
  });

  await t.test('valid but for its examples of responses, which are not those of OpenAPI for anybody\'s collection', async () => {
    const validate = async (json, strip) => {
      const made = await convert(json);
      for (const operation of Object.values(made.paths).flatMap((p) => Object.values(p)))
        for (const response of Object.values(operation.responses)) if (strip) delete response.content;
      const file = path.join(dir, 'made.json');
      fs.writeFileSync(file, JSON.stringify(made));
      return SwaggerParser.validate(file);
    };
    await validate(faithful, true);
    await validate(runnable, true);
    const url = { raw: 'http://a.test/x', protocol: 'http', host: ['a', 'test'], path: ['x'] };
    await assert.rejects(validate({ info: faithful.info, item: [{ name: 'x', request: { method: 'GET', url },
      response: [{ name: 'ok', code: 200, status: 'OK', header: [{ key: 'Content-Type', value: 'application/json' }], body: '{"a":1}' }] }] }), /examples\/default/);
  });
});

test('readers of HARs', async (t) => {
  const { weir, api, base, write, all } = await captured(t);
  const har = JSON.parse((await write('har', 'api.har', '--secrets', 'keep')).text);

  await t.test('har-validator finds nothing wrong', async () => {
    await harValidator.har(har);
    for (const { request, response } of har.log.entries) {
      await harValidator.request(request);
      await harValidator.response(response);
    }
    await harValidator.har(JSON.parse((await write('har', 'masked.har')).text));
  });

  await t.test('har-to-openapi sees every method, path, parameter and body', async () => {
    const { spec } = await harToOpenapi.generateSpec(har, { forceAllRequestsInSameSpec: true });
    const operations = Object.entries(spec.paths).flatMap(([at, { parameters, ...of }]) => Object.keys(of).map((m) => `${m.toUpperCase()} ${at}`));
    assert.deepEqual(operations.sort(), CALLS.map((c) => `${c.method} ${c.target.split('?')[0]}`).sort());
    for (const c of CALLS) {
      const operation = spec.paths[c.target.split('?')[0]][c.method.toLowerCase()];
      const names = operation.parameters.filter((p) => p.in === 'query').map((p) => p.name);
      assert.deepEqual(names, [...new Set(new URLSearchParams(c.target.split('?')[1] ?? '').keys())], c.target);
      if (!c.body) continue;
      const [type, media] = Object.entries(operation.requestBody.content)[0];
      assert.equal(type, c.headers['Content-Type'].split(';')[0]);
      if (isJson(c)) assert.deepEqual(media.example, JSON.parse(c.body), c.target);
      if (c.target === '/upload') assert.deepEqual(Object.keys(media.schema.properties).sort(), ['face', 'title']);
    }
  });

  await t.test('httpsnippet makes curl commands, which send what was sent', async () => {
    const lost = { '/search': 'fields of forms go out as they read, not encoded', '/upload': 'bytes have no place in a HAR\'s request but base64',
                   '/blob': 'the same' };
    const commands = new HTTPSnippet(har).convert('shell', 'curl').map((c) => c.replace(/ \\\n {2}--header 'Content-Length: \d+'/, ''));
    api.requests.splice(0);
    const { code, stderr } = await run('bash', ['-e'], { input: commands.map((c) => c.replace('curl', 'curl -sS -o /dev/null')).join('\n') });
    assert.equal(code, 0, stderr);
    assert.deepEqual(api.requests.map((r) => pieces(r.method, base + r.url)), all);
    for (const [i, { method, target, headers = {}, body }] of CALLS.entries()) {
      for (const [name, value] of Object.entries(headers)) assert.equal(api.requests[i].headers[name.toLowerCase()], value, `${method} ${target}`);
      if (lost[target]) assert.notEqual(String(api.requests[i].body), text(body), `${target}: no difference any more`);
      else assert.equal(String(api.requests[i].body), text(body), `${method} ${target}`);
    }
    const form = new HTTPSnippet({ method: 'POST', url: base, headers: [], postData: { mimeType: 'application/x-www-form-urlencoded', params: [{ name: 'q', value: 'a b' }] } });
    assert.match([form.convert('shell', 'curl')].flat()[0], /--data 'q=a b'/);
  });

  await t.test('insomnia-importers', async () => {
    const { data } = await insomnia.convert(JSON.stringify(har));
    assert.deepEqual(data.resources.map((r) => pieces(r.method, r.url)), all);
    for (const [i, r] of data.resources.entries()) {
      const { target, headers = {}, body } = CALLS[i];
      for (const [name, value] of Object.entries(headers)) assert.equal(r.headers.find((h) => h.name === name).value, value);
      const fields = r.body.params?.map((p) => (p.fileName ? `${p.name}=@${p.fileName}` : `${p.name}=${encodeURIComponent(p.value)}`)).join('&');
      if (target === '/upload') assert.equal(fields, 'title=a%20picture%2C%20%22quoted%22&face=@a b.png');
      else if (target === '/blob') assert.equal(Buffer.from(r.body.text, 'base64').equals(body), true);
      else assert.equal(fields ?? r.body.text ?? '', text(body), target);
    }
  });

  await t.test('a masked one has every request, too', async () => {
    const { data } = await insomnia.convert((await write('har', 'masked.har')).text);
    assert.deepEqual(data.resources.map((r) => pieces(r.method, r.url)), all);
    assert.equal(weir.stderr.includes(TOKEN), false);
  });
});

test('insomnia-importers reads collections, environments and descriptions', async (t) => {
  const { base, write, all } = await captured(t);
  const faithful = await write('collection', 'faithful.json', '--profile', 'faithful');
  const requestsOf = async (source) => (await insomnia.convert(source)).data.resources.filter((r) => r._type === 'request');

  await t.test('a faithful collection', async () => {
    const requests = await requestsOf(faithful.text);
    assert.deepEqual(requests.map((r) => pieces(r.method, r.url.replace('{{baseUrl}}', base))), all);
    for (const [i, r] of requests.entries()) {
      const { target, headers = {}, body } = CALLS[i];
      assert.equal(r.authentication.type, headers.Authorization && 'bearer', target);
      if (FILES.includes(target)) continue; // it knows no files but by path
      assert.equal(r.body.params?.map((p) => `${p.name}=${encodeURIComponent(p.value)}`).join('&') ?? r.body.text ?? '', text(body), target);
    }
  });

  await t.test('a runnable one', async () => {
    const runnable = await write('collection', 'api.postman_collection.json');
    assert.deepEqual((await requestsOf(runnable.text)).map((r) => r.name), items(runnable.json).map((i) => i.name));
  });

  await t.test('its environment', async () => {
    const { data } = await insomnia.convert(fs.readFileSync(faithful.file.replace('.json', '.postman_environment.json'), 'utf8'));
    assert.deepEqual(Object.values(data.resources[0].data), [TOKEN]);
  });
});

test('curl-to-postmanv2 reads the commands', async (t) => {
  const { base, write } = await captured(t);
  const script = (await write('curl', 'api.sh', '--secrets', 'keep')).text;
  const commands = script.split(/^# exchange .*\n(?:#.*\n)*/m).slice(1).map((c) => c.trim());
  assert.equal(commands.length, CALLS.length);
  for (const [i, command] of commands.entries()) {
    const { method, target, headers = {}, body } = CALLS[i];
    if (FILES.includes(target)) continue; // it knows no pipes
    const { output, reason } = await new Promise((resolve, reject) => {
      curlToPostman.convert({ type: 'string', data: command }, (error, made) => (error ? reject(error) : resolve(made)));
    });
    const request = output?.[0].data;
    assert.equal(request?.url, base + target, reason);
    assert.equal(request.method, method);
    const have = Object.fromEntries(request.header.map((h) => [h.key, h.value]));
    for (const [name, value] of Object.entries(headers)) assert.equal(have[name], value, target);
    const pairs = request.body.urlencoded?.map((p) => `${p.key}=${encodeURIComponent(p.value)}`).join('&');
    const graphql = request.body.graphql && JSON.parse(request.body.graphql.variables);
    if (graphql) assert.deepEqual(graphql, JSON.parse(body).variables);
    else assert.equal(pairs ?? request.body.raw ?? '', /[^\x00-\x7f]/.test(text(body)) ? Buffer.from(body).toString('latin1') : text(body), target); // \xHH: a byte to bash, a char to it
  }
});
