// What belongs together in a browser's tab is a page of the HAR, told from what the browser said of where each request came from.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { HarValidator } = require('@har-sdk/validator');
const { missing, startChromium } = require('./support/chromium');
const { httpOrigin } = require('./support/origin');
const { startWeir, run, scratch } = require('./support/weir');

test('a tree of Referers gives the pages of a HAR', { skip: missing }, async (t) => {
  const dir = scratch(t);
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
  const site = {
    '/': ['text/html', (other) => `<title>one</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"><div class="bg">x</div>
      <script src="/app.js"></script><iframe src="/frame"></iframe><img src="${other}/banner.svg"><a href="/second">on</a>`],
    '/style.css': ['text/css', () => '@import "/more.css"; .bg { background: url(/bg.svg) }'],
    '/more.css': ['text/css', () => 'p { color: red }'],
    '/app.js': ['text/javascript', () => 'fetch("/api/data")'],
    '/frame': ['text/html', () => '<img src="/in-frame.svg">'],
    '/second': ['text/html', () => '<title>two</title><link rel="icon" href="data:,"><script>fetch("/api/data?2")</script>'],
    '/landing': ['text/html', () => '<title>three</title><link rel="icon" href="data:,"><img src="/last.svg">'],
    '/api/data': ['application/json', () => '{}'],
  };
  let other;
  const answer = (req, res, seen) => {
    const { pathname } = new URL(seen.url, 'http://x');
    if (pathname === '/away') return res.writeHead(302, { Location: '/landing' }).end();
    const [type, body] = site[pathname] ?? ['image/svg+xml', () => svg];
    return res.writeHead(200, { 'Content-Type': type }).end(body(other));
  };
  const origin = await httpOrigin(t, answer);
  const foreign = await httpOrigin(t, answer);
  other = `http://127.0.0.1:${foreign.port}`;
  const weir = await startWeir(t, ['--session', 'pages']);
  const at = (p) => `http://127.0.0.1:${origin.port}${p}`;

  const page = await (await startChromium(t, weir)).newPage();
  await page.goto(at('/'), { waitUntil: 'networkidle' });
  await page.click('a');
  await page.waitForLoadState('networkidle');
  await page.goto(at('/away'), { waitUntil: 'networkidle' });
  assert.equal((await run('curl', ['-sS', '-x', weir.url, at('/api/data?curl')])).code, 0);
  await weir.stop();

  const file = path.join(dir, 'pages.har');
  const { code, stderr } = await weir.command(['export', 'har', 'pages', '-o', file]);
  assert.equal(code, 0, stderr);
  const har = JSON.parse(fs.readFileSync(file, 'utf8'));

  await t.test('it is valid', async () => {
    assert.deepEqual(await new HarValidator().verify(har), []);
  });
  await t.test('its pages are those that the tab went to, each titled by where it ended', () => {
    assert.deepEqual(har.log.pages.map((p) => p.title), [at('/'), at('/second'), at('/landing')]);
    const ids = new Set(har.log.pages.map((p) => p.id));
    assert.equal(ids.size, 3);
    for (const e of har.log.entries) assert.ok(e.pageref === undefined || ids.has(e.pageref), e.pageref);
  });
  await t.test('and each has what it is made of, at any depth and from anywhere', () => {
    const titles = Object.fromEntries(har.log.pages.map((p) => [p.id, new URL(p.title).pathname]));
    const parts = {};
    for (const e of har.log.entries) (parts[titles[e.pageref] ?? 'none'] ??= []).push(e.request.url.replace(at(''), '').replace(other, 'other'));
    for (const list of Object.values(parts)) list.sort();
    assert.deepEqual(parts, {
      '/': ['/', '/api/data', '/app.js', '/bg.svg', '/frame', '/in-frame.svg', '/more.css', '/style.css', 'other/banner.svg'],
      '/second': ['/api/data?2', '/second'],
      '/landing': ['/away', '/landing', '/last.svg'],
      none: ['/api/data?curl'],
    });
  });
  await t.test('a session without navigations has none', async () => {
    const { stdout } = await weir.command(['export', 'har', 'pages', '--filter', 'path:/api/data']);
    const some = JSON.parse(stdout);
    assert.deepEqual(await new HarValidator().verify(some), []);
    assert.equal(some.log.pages, undefined);
    assert.ok(some.log.entries.every((e) => e.pageref === undefined));
  });
});
