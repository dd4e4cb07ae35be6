// shop.js: a small shop to walk through: a login that sets cookies, an API, an upload, streams, a download that never ends by itself,
// images, a redirect and a 404. Over https and, for the way in, http. It notes what it was asked and by whom.
'use strict';
const zlib = require('node:zlib');
const { httpOrigin } = require('./origin');

const HOST = 'shop.weir.localhost'; // the part after the first dot is a domain that may have cookies
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const LOGIN_PAGE = `<!doctype html><title>login</title><img src="/img/logo.png"><img src="/img/a%20b.png?v=1&amp;v=2">
<form method=post action=/login><input name=user><input name=password type=password><button>log in</button></form>`;
const ACCOUNT_PAGE = `<!doctype html><title>account</title>
<form method=post action=/upload enctype=multipart/form-data><input name=title><input name=file type=file><button>up</button></form>`;

function cookiesOf(header = '') {
  return Object.fromEntries(header.split('; ').filter(Boolean).map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]));
}

async function startShop(t, cert) {
  const sessions = new Map();
  const waiting = []; // streams that wait for the page to say it has read what came
  const downloads = [];
  const shop = { host: HOST, requests: [], isReplaying: false };

  const stream = (res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    res.write('data: one\n\n');
    const rest = () => res.end('event: bye\ndata: two\n\n');
    if (shop.isReplaying) rest(); // whoever replays reads to the end before it asks for anything else
    else waiting.push(rest);
  };
  const download = (res) => {
    res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': 1 << 20 });
    if (shop.isReplaying) res.end(Buffer.alloc(1 << 20, 'd'));
    else if (downloads.push(res)) res.write(Buffer.alloc(65536, 'd')); // the end never comes: it is aborted
  };
  const routes = {
    'GET /login': (req, res) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(LOGIN_PAGE),
    'POST /login': (req, res, seen) => {
      const form = new URLSearchParams(seen.body.toString());
      if (form.get('password') !== 'pa ss&ä') return res.writeHead(403).end();
      const sid = `s${sessions.size + 1}-abc=`;
      sessions.set(sid, form.get('user'));
      res.writeHead(303, { Location: '/account',
        'Set-Cookie': [`sid=${sid}; Path=/; HttpOnly; Secure; SameSite=Lax`, 'theme=dark; Domain=weir.localhost; Path=/; Max-Age=86400; Secure',
          '__Host-csrf=c1; Path=/; Secure; SameSite=Strict', 'gone=x; Path=/; Max-Age=0'] });
      return res.end();
    },
    'GET /account': (req, res) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(ACCOUNT_PAGE),
    'GET /api/me': (req, res, seen) => {
      res.setHeader('Content-Type', 'application/json').setHeader('Content-Encoding', 'gzip');
      res.end(zlib.gzipSync(JSON.stringify({ user: seen.user, literal: '{{$guid}}' })));
    },
    'POST /api/orders': (req, res, seen) => {
      res.writeHead(201, { 'Content-Type': 'application/json', Location: '/api/orders/7' });
      res.end(JSON.stringify({ id: 7, got: JSON.parse(seen.body) }));
    },
    'DELETE /api/orders/7': (req, res) => res.writeHead(204).end(),
    'POST /upload': (req, res, seen) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(`<p id=size>${seen.body.length}</p>`),
    'GET /events': (req, res) => stream(res),
    'POST /events/read': (req, res) => { waiting.splice(0).forEach((rest) => rest()); res.end('ok'); },
    'GET /big': (req, res) => download(res),
    'POST /big/more': (req, res) => { downloads.splice(0).forEach((d) => d.write(Buffer.alloc(32768, 'd'))); res.end('ok'); },
  };
  const open = new Set(['GET /login', 'POST /login']);

  const handler = (scheme) => (req, res, seen) => {
    seen.scheme = scheme;
    seen.cookies = cookiesOf(seen.headers.cookie);
    seen.user = sessions.get(seen.cookies.sid) ?? null;
    shop.requests.push(seen);
    const [path] = seen.url.split('?');
    const key = `${seen.method} ${path}`;
    if (scheme === 'http') return res.writeHead(301, { Location: `https://${HOST}:${shop.port}/login` }).end();
    if (path.startsWith('/img/')) return res.setHeader('Content-Type', 'image/png').end(PNG);
    if (!routes[key]) return res.writeHead(404, { 'Content-Type': 'text/plain' }).end('no such page');
    if (!seen.user && !open.has(key)) return res.writeHead(401).end('log in first');
    return routes[key](req, res, seen);
  };
  shop.port = (await httpOrigin(t, handler('https'), { cert })).port;
  shop.plainPort = (await httpOrigin(t, handler('http'))).port;
  shop.url = `https://${HOST}:${shop.port}`;
  shop.plainUrl = `http://${HOST}:${shop.plainPort}`;
  return shop;
}

// What a person does in the shop; everything has been answered, or aborted, when it returns. upload: the file's bytes.
async function walk(page, shop, upload) {
  page.setDefaultTimeout(15000);
  await page.goto(`${shop.plainUrl}/`); // is sent to the login
  await page.fill('input[name=user]', 'zoë');
  await page.fill('input[name=password]', 'pa ss&ä');
  await page.click('button');
  await page.waitForURL('**/account');
  const me = await page.evaluate(() => fetch('/api/me?x=1&x=2&empty=&flag').then((r) => r.json()));
  const order = await page.evaluate(() => fetch('/api/orders', { method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer t0ken', 'X-Shop': 'a, b' },
    body: '{"items": [1, 2.50, "{{$guid}}"],  "note":"grün"}' }).then((r) => r.json()));
  await page.evaluate(() => fetch('/api/orders/7', { method: 'DELETE' }));
  const missing = await page.evaluate(() => fetch('/missing/../nowhere%2Fx').then((r) => r.status));
  // Were the first event held back, the second would never be sent, because it waits for what the page does on the first.
  const events = await page.evaluate(() => new Promise((resolve, reject) => {
    const got = [];
    const source = new EventSource('/events');
    source.onmessage = (e) => { got.push(e.data); fetch('/events/read', { method: 'POST' }); };
    source.onerror = () => reject(new Error(`events: ${got}`));
    source.addEventListener('bye', (e) => { got.push(e.data); source.close(); resolve(got); });
  }));
  const downloaded = await page.evaluate(async () => {
    const stop = new AbortController();
    const { body } = await fetch('/big', { signal: stop.signal });
    const reader = body.getReader();
    let size = 0;
    while (size < 65536) size += (await reader.read()).value.length;
    stop.abort();
    await fetch('/big/more', { method: 'POST' }); // Chromium listens for 5 s, or 16 KiB, before it closes what it has aborted
    return size;
  });
  await page.fill('input[name=title]', 'my "file"');
  await page.setInputFiles('input[name=file]', { name: 'photo one.bin', mimeType: 'application/octet-stream', buffer: upload });
  await page.click('button');
  await page.waitForSelector('#size');
  return { me, order, missing, events, downloaded };
}

module.exports = { startShop, walk, HOST };
