// Credentials that are made anew for each request: captured from real clients, sent again by newman's helpers.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { PostmanValidator } = require('@har-sdk/validator');
const { Collection } = require('postman-collection');
const { newman, items } = require('./support/newman');
const { run, startWeir, scratch } = require('./support/weir');

const md5 = (text) => crypto.createHash('md5').update(text).digest('hex');

const KEY = 'AKIAIOSFODNN7EXAMPLE', SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

// The Authorization of AWS's Signature Version 4 over those headers (an object of lower-case names).
function awsAuthorization(method, target, headers, body) {
  const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
  const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
  const [url, query = ''] = target.split('?');
  const names = Object.keys(headers).sort();
  const canonical = [method, url, query.split('&').sort().join('&'), ...names.map((n) => `${n}:${headers[n]}`), '', names.join(';'), sha256(body)].join('\n');
  const time = headers['x-amz-date'];
  const scope = [time.slice(0, 8), 'eu-west-1', 'execute-api', 'aws4_request'];
  const key = scope.reduce(hmac, `AWS4${SECRET}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n')).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${KEY}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
}

function isSigned(req, body) {
  const given = req.headers.authorization ?? '';
  const names = /SignedHeaders=([^,]+)/.exec(given)?.[1].split(';') ?? [];
  return names.includes('host') && awsAuthorization(req.method, req.url, Object.fromEntries(names.map((n) => [n, req.headers[n]])), body) === given;
}

// RFC 7616 with MD5 and qop=auth, as most origins still have it.
function isDigest(req) {
  const given = req.headers.authorization ?? '';
  const of = (name) => new RegExp(`${name}="?([^",]*)"?`).exec(given)?.[1];
  if (!given.startsWith('Digest ')) return false;
  const a1 = md5('zoe:vault:open sesame'), a2 = md5(`${req.method}:${req.url}`);
  return of('[^c]nonce') === 'n0nce-1' && of('response') === md5(`${a1}:n0nce-1:${of('nc')}:${of('cnonce')}:auth:${a2}`);
}

async function startOrigin(t) {
  const seen = [];
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    seen.push({ url: req.url, headers: req.headers });
    if (req.url.startsWith('/aws')) return res.writeHead(isSigned(req, Buffer.concat(chunks).toString()) ? 200 : 403).end('{}');
    if (req.url.startsWith('/digest')) {
      return isDigest(req) ? res.writeHead(200).end('{}')
        : res.writeHead(401, { 'WWW-Authenticate': 'Digest realm="vault", nonce="n0nce-1", qop="auth", algorithm=MD5' }).end();
    }
    return res.writeHead(200).end('{}');
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { port: server.address().port, seen };
}

function ask(weir, origin, method, target, headers, body) {
  const host = `127.0.0.1:${origin.port}`;
  return new Promise((resolve, reject) => {
    http.request({ host: '127.0.0.1', port: weir.port, method, path: `http://${host}${target}`, agent: false, headers: { host, ...headers } },
                 (res) => res.resume().on('end', () => resolve(res.statusCode))).on('error', reject).end(body);
  });
}

test('credentials that are made anew for each request', async (t) => {
  const dir = scratch(t);
  const origin = await startOrigin(t);
  const weir = await startWeir(t, ['--session', 'a']);
  const host = `127.0.0.1:${origin.port}`;
  const collection = path.join(dir, 'a.json'), environment = path.join(dir, 'a.postman_environment.json');
  const signed = (method, target, body = '', headers = {}) => {
    const all = { host, 'x-amz-date': '20261121T201400Z', ...headers };
    return ask(weir, origin, method, target, { ...all, authorization: awsAuthorization(method, target, all, body) }, body);
  };

  assert.equal(await signed('GET', '/aws/items?b=2&a=1'), 200);
  assert.equal(await signed('POST', '/aws/items', '{"name":"x"}', { 'content-type': 'application/json' }), 200);
  const curl = await run('curl', ['-sS', '--digest', '-u', 'zoe:open sesame', '-x', weir.url, '--noproxy', '', `http://${host}/digest/box`]);
  assert.equal(curl.code, 0, curl.stderr);
  await ask(weir, origin, 'GET', '/ntlm', { Authorization: 'NTLM TlRMTVNTUAADAAAAGAAYAHIAAAAYABgAigAAAA==' });
  await ask(weir, origin, 'GET', '/negotiate', { Authorization: 'Negotiate YIIFzAYGKwYBBQUCoIIFwDCCBbygMDAuBgkqhkiC' });
  await ask(weir, origin, 'GET', '/dpop', { Authorization: 'DPoP Kz~8mXK1EalYznwH-LC-1fBAo', DPoP: 'eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIn0.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8ig' });
  await ask(weir, origin, 'GET', '/signed', { 'Signature-Input': 'sig1=("@method" "@path");created=1618884473;keyid="test-key"',
                                              Signature: 'sig1=:dMT/A/76ehrdBTD/2Xx8QuKV6FoyzEP/I9hdzKN8LQJLNgzU4W767HK05rx1i8meNQQgQPgQp8wq2ive3tV5Ag==:' });
  await ask(weir, origin, 'POST', '/hook', { 'Content-Type': 'application/json', 'X-Hub-Signature-256': `sha256=${'ab'.repeat(32)}` }, '{}');
  await weir.stop();

  const { code, stderr } = await weir.command(['export', 'collection', 'a', '-o', collection]);
  assert.equal(code, 0, stderr);
  const document = JSON.parse(fs.readFileSync(collection, 'utf8'));
  const all = Object.fromEntries(items(document).map((i) => [i.name, i]));
  const auth = {}; // inherited, too
  new Collection(document).forEachItem((i) => { auth[i.name] = { type: i.getAuth()?.type, ...i.getAuth()?.parameters().toObject() }; });
  const blanks = JSON.parse(fs.readFileSync(environment, 'utf8')).values.filter((v) => v.value === '').map((v) => v.key);

  await t.test('helpers have what was sent, and blanks for what was not', async () => {
    assert.deepEqual(await new PostmanValidator().verify(document), []);
    const { accessKey, ...aws } = auth['GET aws/items'];
    assert.match(accessKey, /^{{\w+}}$/);
    assert.deepEqual(aws, { type: 'awsv4', secretKey: '{{awsSecretKey}}', region: 'eu-west-1', service: 'execute-api' });
    const digest = Object.values(auth).find((a) => a.type === 'digest');
    assert.deepEqual(digest, { type: 'digest', username: 'zoe', password: '{{digestPassword}}', realm: 'vault', algorithm: 'MD5' });
    assert.deepEqual(blanks.sort(), ['awsSecretKey', 'digestPassword']);
    assert.match(stderr, /values of secrets, and variables to fill in, are in /);
    assert.match(stderr, /credentials that can't be sent again as they are/);
  });

  await t.test('what nobody can send again is shown, switched off, with why', () => {
    const off = (i, name) => i.request.header.find((h) => h.key.toLowerCase() === name)?.disabled;
    for (const name of ['ntlm', 'negotiate', 'dpop']) {
      const item = all[`GET ${name}`];
      assert.equal(item.request.auth.type, 'noauth', name);
      assert.equal(off(item, 'authorization'), true, name);
      assert.match(item.description.content, name === 'dpop' ? /bound to a proof/ : /proves who calls for one connection/);
    }
    for (const [item, ...names] of [['GET dpop', 'dpop'], ['GET signed', 'signature', 'signature-input'], ['POST hook', 'x-hub-signature-256']]) {
      for (const n of names) assert.equal(off(all[item], n), true, n);
      assert.match(all[item].description.content, /signs each request anew; not sent again: `/, item);
    }
  });

  await t.test('newman signs, and answers the challenge, with what was filled in', async () => {
    origin.seen.splice(0);
    const { code: status, stdout, executions } = await newman(collection, { args: ['-e', environment, '--env-var', `awsSecretKey=${SECRET}`, '--env-var', 'digestPassword=open sesame'] });
    assert.equal(status, 0, stdout);
    const codes = Object.fromEntries(executions.map((e) => [e.name, e.code]));
    assert.deepEqual([codes['GET aws/items'], codes['POST aws/items']], [200, 200], JSON.stringify(codes));
    assert.ok(origin.seen.some((r) => r.url === '/digest/box' && /^Digest /.test(r.headers.authorization ?? '')));
    assert.ok(executions.some((e) => e.name.startsWith('GET digest/box') && e.code === 200), JSON.stringify(codes));
    for (const url of ['/ntlm', '/negotiate', '/dpop', '/signed', '/hook']) {
      const sent = origin.seen.find((r) => r.url === url).headers;
      for (const name of ['authorization', 'dpop', 'signature', 'signature-input', 'x-hub-signature-256']) assert.ok(!(name in sent), `${url} ${name}`);
    }
  });
});
