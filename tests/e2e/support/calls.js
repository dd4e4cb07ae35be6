// calls.js: an API and calls of it, each with what makes a request hard to carry from one tool's format to another's; what a
// converter makes of an export is compared with them.
'use strict';
const http = require('node:http');
const { once } = require('node:events');
const { httpOrigin } = require('./origin');

const TOKEN = 'tok-8Fq2LxPz91KdWm';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const BEARER = { Authorization: `Bearer ${TOKEN}` };
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const BOUNDARY = '----weir-7f3a';
const PARTS = Buffer.concat([
  Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\na picture, "quoted"\r\n`
    + `--${BOUNDARY}\r\nContent-Disposition: form-data; name="face"; filename="a b.png"\r\nContent-Type: image/png\r\n\r\n`),
  PNG, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);

const CALLS = [
  { method: 'GET', target: '/v1/users/48213?expand=orders&expand=cards&q=a%20b', headers: BEARER },
  { method: 'GET', target: '/v1/users/48214?expand=orders', headers: BEARER },
  { method: 'PUT', target: '/v1/users/48213', headers: { ...BEARER, ...JSON_TYPE }, body: '{"name":"Zo\u00eb \ud83d\udc1f","tags":["a","b"],"n":1.50}' },
  { method: 'DELETE', target: '/v1/users/48214', headers: BEARER },
  { method: 'POST', target: '/v1/orders', headers: { ...BEARER, ...JSON_TYPE, 'X-Tenant': 'acme' }, body: '{"item":7,"note":null,"lines":[{"sku":"x","count":2}]}' },
  { method: 'GET', target: '/v1/orders?page=2&flag=&empty', headers: { ...BEARER, Accept: 'application/json' } },
  { method: 'POST', target: '/search', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'q=a%20b&lang=de&page=1' },
  { method: 'POST', target: '/upload', headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }, body: PARTS },
  { method: 'PUT', target: '/blob', headers: { 'Content-Type': 'application/octet-stream' }, body: Buffer.from([0, 1, 2, 253, 254, 255]) },
  { method: 'POST', target: '/note', headers: { 'Content-Type': 'text/plain' }, body: 'two\nlines, "quotes" and \\' },
  { method: 'POST', target: '/soap', headers: { 'Content-Type': 'text/xml' }, body: '<a b="c">d &amp; e</a>' },
  { method: 'POST', target: '/graphql', headers: JSON_TYPE,
    body: JSON.stringify({ query: 'query Product($id: ID!) { product(id: $id) { name } }', operationName: 'Product', variables: { id: 'p1' } }) },
  { method: 'PATCH', target: '/caf%C3%A9/a%2Fb', headers: JSON_TYPE, body: '[1,2]' },
  { method: 'GET', target: '/old' },
  { method: 'GET', target: '/' },
];

function answer(req, res, seen) {
  const { pathname } = new URL(seen.url, 'http://x');
  const json = (status, value, fields = {}) => {
    res.writeHead(status, { 'Content-Type': 'application/json', ...fields });
    res.end(JSON.stringify(value));
  };
  if (pathname === '/old') return res.writeHead(302, { Location: '/' }).end();
  if (pathname === '/') return res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>home');
  if (seen.method === 'DELETE') return res.writeHead(204).end();
  if (seen.method === 'POST' && pathname === '/v1/orders') return json(201, { id: 7 }, { Location: '/v1/orders/7' });
  if (pathname.startsWith('/v1/users/')) return json(200, { id: Number(pathname.slice(10)), name: 'x' });
  return json(200, { path: pathname });
}

// Starts the API and calls it through weir; the API's requests are those that came, in the order of CALLS.
async function call(t, weir) {
  const api = await httpOrigin(t, answer);
  for (const { method, target, headers = {}, body } of CALLS) {
    const request = http.request({ host: '127.0.0.1', port: weir.port, method, agent: false, path: `http://127.0.0.1:${api.port}${target}`,
      headers: { Host: `127.0.0.1:${api.port}`, ...headers, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) } });
    request.end(body);
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
  }
  return api;
}

module.exports = { CALLS, TOKEN, PARTS, PNG, answer, call };
