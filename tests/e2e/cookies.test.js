// A walk in Chromium through every kind of cookie, after which weir's jar, in each of its forms, is what Chromium sends next.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { CookieJar } = require('tough-cookie');
const { makeCa } = require('./support/certs');
const { missing, startChromium } = require('./support/chromium');
const { newman } = require('./support/newman');
const { httpOrigin } = require('./support/origin');
const { startWeir, run, scratch } = require('./support/weir');

const A = 'a.weir.localhost';
const IDN = 'xn--bcher-kva.localhost';
const PAST = 'Thu, 01 Jan 1970 00:00:00 GMT';
const FUTURE = new Date(Date.now() + 86400e3).toUTCString();

const PYTHON = `import http.cookiejar, ssl, sys, urllib.request
policy = http.cookiejar.DefaultCookiePolicy # by default, it takes a host's own cookies to subdomains
jar = http.cookiejar.MozillaCookieJar(sys.argv[1], policy=policy(strict_ns_domain=policy.DomainStrictNonDomain))
jar.load(ignore_discard=True, ignore_expires=True)
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), urllib.request.ProxyHandler({'https': sys.argv[3]}),
                                     urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=sys.argv[2])))
opener.open(sys.argv[4]).read()`;

// [host, path, what that page sets]; where it should be refused its name says so.
const WALK = [
  [A, '/', ['host=1', 'dom=1; Domain=weir.localhost', 'dotdom=1; Domain=.weir.localhost', 'refused1=1; Domain=b.weir.localhost',
    'refused2=1; Domain=localhost', 'refused3=1; Domain=c.a.weir.localhost']],
  [A, '/', ['path=1; Path=/deep', 'root=1; Path=/', 'badpath=1; Path=nope', 'HTTP=1; HttpOnly; Path=/']],
  [A, '/deep/er/page', ['default=1', 'path=2; Path=/', 'er=1; Path=/deep/er']],
  [A, '/', ['gone=1', 'past=1', 'negative=1', 'kept=1', 'twice=1; Path=/']],
  [A, '/', ['gone=; Max-Age=0', `past=x; Expires=${PAST}`, 'negative=1; Max-Age=-1', `maxage=1; Max-Age=1000; Expires=${PAST}`,
    `expires=1; Expires=${FUTURE}`, 'badexpires=1; Expires=soon', 'never=1; Max-Age=0', 'twice=2; Path=/']],
  [A, '/', ['__Host-ok=1; Path=/; Secure', '__Host-refused1=1; Path=/; Secure; Domain=weir.localhost', '__Host-refused2=1; Path=/x; Secure',
    '__Host-refused3=1; Path=/', '__Secure-ok=1; Secure', '__Secure-refused=1', '__host-refused4=1']],
  [A, '/', ['lax=1; SameSite=Lax', 'strict=1; SameSite=Strict', 'none=1; SameSite=None; Secure', 'refused4=1; SameSite=None',
    'odd=1; SameSite=Whatever', 'part=1; Path=/; Secure; SameSite=None; Partitioned', 'refused5=1; Path=/; Partitioned']],
  [A, '/', ['quoted="a b"', ' spaces = x y ', 'eq=a=b==', 'empty=', 'grün=ü', 'comma=a,b', 'unknown=1; Foo=bar; Priority=High']],
  ['b.weir.localhost', '/', ['bonly=1', 'domb=1; Domain=weir.localhost', 'dotdom=2; Domain=weir.localhost']],
  ['weir.localhost', '/', ['parent=1', 'parentdom=1; Domain=weir.localhost']],
  [IDN, '/', ['idnhost=1', `idn=1; Domain=${IDN}`]],
  ['127.0.0.1', '/', ['ip=1', 'ipdom=1; Domain=127.0.0.1', 'refused7=1; Domain=0.0.1']],
];

const PROBES = [[A, '/'], [A, '/deep'], [A, '/deep/er/x'], [A, '/deeper'], [A, '/x/y'], [`c.${A}`, '/'], ['b.weir.localhost', '/'],
  ['weir.localhost', '/'], ['other.localhost', '/'], [IDN, '/'], [`sub.${IDN}`, '/'], ['127.0.0.1', '/'], ['127.0.0.2', '/']];

// All cookies of a header, and of each name which comes first: the order of others is no two clients' alike.
function pairs(header) {
  const all = header ? header.split('; ') : [];
  const first = new Map();
  for (const pair of all) {
    const name = pair.split('=')[0];
    if (!first.has(name)) first.set(name, pair);
  }
  return { all: [...all].sort(), first: [...first.values()].sort() };
}
const latin1 = (text) => Buffer.from(text, 'utf8').toString('latin1'); // how Node gives a header's bytes

test('the jar is what Chromium sends next', { skip: missing }, async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const cert = ca.issue(['*.weir.localhost', 'weir.localhost', `c.${A}`, IDN, `sub.${IDN}`, 'other.localhost', '127.0.0.1', '127.0.0.2']);
  const answer = (req, res, seen) => {
    const set = new URL(seen.url, 'http://x').searchParams.getAll('set');
    res.writeHead(200, { 'Content-Type': 'text/html', ...(set.length ? { 'Set-Cookie': set.map(latin1) } : {}) }).end('<p>ok');
  };
  const origin = await httpOrigin(t, answer, { cert, host: '0.0.0.0' });
  const plain = await httpOrigin(t, answer, { host: '0.0.0.0' });
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile]);
  const browser = await startChromium(t, weir);
  const page = await browser.newPage();
  const url = (host, at) => `https://${host}:${origin.port}${at}`;

  // What a GET of the last page asked for came with.
  const sent = (from = origin) => from.requests.filter((r) => !r.url.startsWith('/favicon')).at(-1).headers.cookie ?? '';
  const probe = async (visitor, host, at) => {
    await visitor.goto(url(host, at));
    return sent();
  };

  for (const [host, at, cookies] of WALK)
    await page.goto(`${url(host, at)}?${new URLSearchParams(cookies.map((c) => ['set', c]))}`);
  await page.goto(url(A, '/'));
  await page.evaluate(() => { document.cookie = 'script=1; path=/'; });
  await page.goto(`http://${A}:${plain.port}/?${new URLSearchParams([['set', 'plain=1'], ['set', 'plainsecure=1; Secure']])}`);
  await page.goto(url(A, '/last'));
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/last' AND state = 1");

  const jars = {};
  for (const format of ['tough', 'netscape', 'playwright']) {
    jars[format] = path.join(dir, format);
    const { code, stderr } = await weir.command(['export', `cookies-${format}`, '-o', jars[format]]);
    assert.equal(code, 0, stderr);
  }
  // For those to whom #HttpOnly_ is a comment, or 0 a date long ago.
  for (const [dialect, ...args] of [['plain', '--no-httponly-prefix'], ['dated', '--session-expiry', '30']]) {
    jars[dialect] = path.join(dir, dialect);
    assert.equal((await weir.command(['export', 'cookies-netscape', ...args, '-o', jars[dialect]])).code, 0);
  }
  const shown = {};
  for (const [host] of PROBES) {
    const { code, stdout, stderr } = await weir.command(['cookies', '--json', '--domain', `https://${host}`]);
    assert.equal(code, 0, stderr);
    shown[host] = JSON.parse(stdout);
  }
  const shownPlain = JSON.parse((await weir.command(['cookies', '--json', '--domain', `http://${A}`])).stdout);

  const chromium = new Map();
  for (const [host, at] of PROBES) chromium.set(host + at, await probe(page, host, at));
  await page.goto(`http://${A}:${plain.port}/`);
  const chromiumPlain = sent(plain);

  // as(header, path): what such a client makes of the cookies that Chromium sends.
  const each = async (name, ask, as = (header) => header) => t.test(name, async () => {
    for (const [host, at] of PROBES) assert.deepEqual(pairs(await ask(host, at)), pairs(as(chromium.get(host + at), at)), host + at);
  });

  await t.test('Chromium refused what it should have', () => {
    const all = [...chromium.values()].join('; ');
    assert.doesNotMatch(all, /refused|gone|past|negative|never/);
    for (const name of ['host', 'dom', '__Host-ok', '__Secure-ok', 'part', 'none', 'script', 'maxage', 'idn', 'ipdom', 'plain'])
      assert.match(all, new RegExp(`(^|; )${name}=1`), name);
  });

  await each('weir cookies --json', (host, at) => {
    const matches = (p) => at === p || at.startsWith(p.endsWith('/') ? p : `${p}/`);
    const cookies = shown[host].filter((c) => matches(c.path)).sort((a, b) => b.path.length - a.path.length);
    return cookies.map((c) => latin1(c.name ? `${c.name}=${c.value}` : c.value)).join('; ');
  });

  await t.test('weir cookies --json, http on a loopback host', () => {
    const cookies = shownPlain.filter((c) => c.path === '/' && c.name !== 'part'); // http is another partition
    assert.deepEqual(pairs(cookies.map((c) => latin1(`${c.name}=${c.value}`)).join('; ')), pairs(chromiumPlain));
  });

  await each('cookies-tough, in tough-cookie', async (host, at) => {
    const jar = await CookieJar.deserialize(fs.readFileSync(jars.tough, 'utf8'));
    return jar.getCookieString(url(host, at)); // one char a byte, as newman sends them
  });

  await each('cookies-netscape, in curl', async (host, at) => {
    const { code, stderr } = await run('curl', ['-sS', '--cacert', ca.caFile, '-b', jars.netscape, url(host, at)]);
    assert.equal(code, 0, stderr);
    return sent();
  });

  // Whose libraries have it that *.localhost is no name ask weir.
  await each('cookies-netscape, in Python', async (host, at) => {
    const { code, stderr } = await run('python3', ['-c', PYTHON, jars.dated, weir.ca, weir.url, url(host, at)]);
    assert.equal(code, 0, stderr);
    return sent();
  }, (header) => header.replaceAll('\u00c3\u00bc', '\u00fc')); // a byte for a character

  await each('cookies-netscape, in wget', async (host, at) => {
    const { code, stderr } = await run('wget', ['-q', '-O', '/dev/null', '--ca-certificate', weir.ca, '-e', 'use_proxy=yes', '-e', `https_proxy=${weir.url}`,
      '--load-cookies', jars.plain, url(host, at)]);
    assert.equal(code, 0, stderr);
    return sent();
  }, (header, at) => (at === '/deeper' ? `path=1; ${header}` : header)); // /deep is the beginning of it, and that is enough to wget

  await t.test('cookies-tough, in newman', async () => {
    const collection = path.join(dir, 'probes.json');
    fs.writeFileSync(collection, JSON.stringify({ info: { name: 'probes', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
      item: PROBES.map(([host, at]) => ({ name: host + at, request: { method: 'GET', url: url(host, at) } })) }));
    const before = origin.requests.length;
    const { stdout } = await newman(collection, { jar: jars.tough, caFile: ca.caFile });
    const requests = origin.requests.slice(before);
    assert.equal(requests.length, PROBES.length, stdout);
    for (const [i, [host, at]] of PROBES.entries()) assert.deepEqual(pairs(requests[i].headers.cookie), pairs(chromium.get(host + at)), host + at);
  });

  await t.test('cookies-playwright, in a new Chromium', async (sub) => {
    const straight = await startChromium(sub);
    const context = await straight.newContext({ storageState: jars.playwright, ignoreHTTPSErrors: true });
    const visitor = await context.newPage();
    for (const [host, at] of PROBES)
      assert.deepEqual(pairs(await probe(visitor, host, at)), pairs(chromium.get(host + at)), host + at);
  });
});

test('a partitioned cookie is in its partition again', { skip: missing }, async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  // What is below .localhost is one site each: shop, news and widget are three.
  const hosts = ['www.shop.localhost', 'news.localhost', 'widget.localhost'];
  const cert = ca.issue(hosts);
  const [shop, news, widget] = hosts;
  const origin = await httpOrigin(t, (req, res, seen) => {
    const { pathname, searchParams } = new URL(seen.url, 'http://x');
    const set = searchParams.get('set');
    const frame = searchParams.get('frame');
    res.writeHead(200, { 'Content-Type': 'text/html', ...(set ? { 'Set-Cookie': `${set}; Path=/; Secure; SameSite=None; Partitioned` } : {}) })
      .end(frame ? `<iframe src="https://${widget}:${origin.port}${frame}"></iframe>` : `<p>${pathname}`);
  }, { cert, host: '0.0.0.0' });
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--sync-cookies', `*=playwright:${path.join(dir, 'synced')}`]);
  const url = (host, at) => `https://${host}:${origin.port}${at}`;
  const walked = await (await startChromium(t, weir)).newPage();
  const visit = (page, host, at) => page.goto(url(host, at), { waitUntil: 'load' });
  // What the widget is sent: embedded in shop, in news, and alone.
  const cookies = async (page) => {
    const before = origin.requests.length;
    await visit(page, shop, '/?frame=/in-shop');
    await visit(page, news, '/?frame=/in-news');
    await visit(page, widget, '/alone');
    await visit(page, shop, '/own');
    const sent = origin.requests.slice(before);
    return ['/in-shop', '/in-news', '/alone', '/own'].map((p) => sent.find((r) => r.url === p).headers.cookie ?? '');
  };

  await visit(walked, shop, `/?frame=${encodeURIComponent('/?set=chat=1')}`);
  await visit(walked, shop, '/?set=own=1');
  await visit(walked, shop, '/end');
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/end' AND state = 1");
  const state = path.join(dir, 'state');
  const chrome = path.join(dir, 'chrome');
  assert.equal((await weir.command(['export', 'cookies-playwright', '-o', state])).code, 0);
  assert.equal((await weir.command(['export', 'cookies-json', '-o', chrome])).code, 0);
  const expected = await cookies(walked);
  assert.deepEqual(expected, ['chat=1', '', '', 'own=1']);
  const top = `https://shop.localhost`;

  await t.test('Playwright has it in the partition that Chromium had it in', async (sub) => {
    const context = await (await startChromium(sub)).newContext({ storageState: state, ignoreHTTPSErrors: true });
    assert.deepEqual((await context.cookies()).map((c) => [c.name, c.partitionKey, c._crHasCrossSiteAncestor]),
                     [['chat', top, true], ['own', top, false]]);
    assert.deepEqual(await cookies(await context.newPage()), expected);
    assert.deepEqual(await walked.context().cookies(), await context.cookies());
  });
  await t.test('and so have cookie editors and a file that is kept in step', async () => {
    assert.deepEqual(JSON.parse(fs.readFileSync(chrome, 'utf8')).map((c) => c.partitionKey),
                     [{ topLevelSite: top, hasCrossSiteAncestor: true }, { topLevelSite: top, hasCrossSiteAncestor: false }]);
    await weir.stop();
    assert.deepEqual(JSON.parse(fs.readFileSync(path.join(dir, 'synced'), 'utf8')), JSON.parse(fs.readFileSync(state, 'utf8')));
  });
});
