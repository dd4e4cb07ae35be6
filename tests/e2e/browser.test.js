// `weir browser`: a real browser with a throwaway profile, all of whose pages are recorded, and nothing that it does for itself.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const playwright = require('playwright-core');
const { makeCa } = require('./support/certs');
const chromium = require('./support/chromium');
const { httpOrigin } = require('./support/origin');
const { WEIR, Weir, scratch, atEnd } = require('./support/weir');

// localhost, which browsers keep from proxies; each page tells its origin what it sees.
const PAGE = '<!doctype html><title>shop</title><link rel="icon" href="data:,"><script>' +
  'fetch("/seen?secure=" + isSecureContext, { method: "POST", body: navigator.userAgent })</script>';

function missing(programs) {
  const folders = process.env.PATH.split(':');
  return programs.some((name) => folders.some((dir) => fs.existsSync(path.join(dir, name)))) ? false : `no ${programs[0]} here`;
}

const SEEN_MS = 120000;

// In a container there is no sandbox, and nowhere a screen.
const BROWSERS = [
  { name: 'chromium', program: chromium.CHROMIUM, missing: chromium.missing, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] },
  { name: 'firefox', program: 'firefox', missing: missing(['firefox', 'firefox-esr']), args: ['--headless'] },
];

// weir browser in an empty home; ended with the test.
async function startBrowser(t, { program, args }, { page = '/', more = [] } = {}) {
  const dir = scratch(t);
  const it = { dir, home: path.join(dir, 'home'), tmp: path.join(dir, 'tmp'), weir: new Weir(dir), out: '', err: '' };
  fs.mkdirSync(it.home);
  fs.mkdirSync(it.tmp);
  const ca = makeCa(dir);
  it.seen = new Promise((resolve) => { it.see = resolve; });
  it.origin = await httpOrigin(t, (req, res, { body }) => {
    if (req.method === 'POST') it.see({ url: req.url, agent: String(body) });
    res.setHeader('Content-Type', 'text/html').end(req.method === 'GET' ? PAGE : '');
  }, { cert: ca.issue(['localhost']), host: 'localhost' });
  it.child = spawn(WEIR, ['browser', '--browser', program, '--store', it.weir.store, '--ca-dir', it.weir.caDir, '--upstream-ca', ca.caFile,
    `https://localhost:${it.origin.port}${page}`, '--', ...args, ...more],
  { env: { PATH: process.env.PATH, HOME: it.home, TMPDIR: it.tmp }, stdio: ['ignore', 'pipe', 'pipe'] });
  it.child.stdout.on('data', (d) => { it.out += d; });
  it.child.stderr.on('data', (d) => { it.err += d; });
  it.ended = once(it.child, 'exit').then(([code, signal]) => ({ code, signal }));
  it.end = async (signal = 'SIGINT') => {
    it.child.kill(signal);
    return it.ended;
  };
  atEnd(t, () => it.end('SIGKILL'));
  return it;
}

async function seen(it) {
  let timer;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`its page did not come: ${it.out}${it.err}`)), SEEN_MS); });
  try {
    return await Promise.race([it.seen, late, it.ended.then(() => assert.fail(`it ended: ${it.out}${it.err}`))]);
  } finally {
    clearTimeout(timer);
  }
}

// The processes that have the word in their command lines.
function processes(word) {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word);
    } catch {
      return false; // it has gone
    }
  });
}

const gone = async (it) => {
  for (const until = Date.now() + 10000; processes(it.tmp).length && Date.now() < until;) await new Promise((r) => setTimeout(r, 20));
  assert.deepEqual(processes(it.tmp), [], 'no process of the browser is left');
};

// What a browser does for itself begins in its first seconds and is spread over many: that nothing comes can only be waited for.
const IDLE_MS = 20000;

test('its pages are secure, recorded, and all that is; Ctrl-C ends both and leaves nothing', { concurrency: 2 }, (all) => Promise.all(BROWSERS.map(
  (browser) => all.test(browser.name, { skip: browser.missing }, async (t) => {
    const it = await startBrowser(t, browser);
    const { url, agent } = await seen(it);
    assert.equal(url, '/seen?secure=true');
    assert.match(agent, browser.name === 'firefox' ? /Firefox/ : /Chrome/);
    const [profile] = fs.readdirSync(it.tmp).filter((name) => name.startsWith('weir-'));
    assert.equal(fs.statSync(path.join(it.tmp, profile)).mode & 0o777, 0o700);
    await new Promise((r) => setTimeout(r, IDLE_MS));
    const { code } = await it.end();
    assert.equal(code, 0, it.err);
    assert.match(it.out, /^listening on 127\.0\.0\.1:\d+\n/);
    assert.match(it.out, /: 2 exchanges, 1 host, .* 0 errors/);
    const rows = await it.weir.query('SELECT method, host, path, status FROM exchange ORDER BY seq');
    assert.deepEqual(rows, [{ method: 'GET', host: 'localhost', path: '/', status: 200 },
      { method: 'POST', host: 'localhost', path: '/seen', status: 200 }]);
    await gone(it);
    assert.deepEqual(fs.readdirSync(it.tmp), []);
    assert.ok(!fs.existsSync(path.join(it.home, '.pki')), 'no database of the home has been touched');
  }))));

for (const browser of BROWSERS) {
  const skip = browser.missing;

  test(`${browser.name}: when it ends, so does the capture`, { skip }, async (t) => {
    const it = await startBrowser(t, browser);
    await seen(it);
    const [main] = processes(it.tmp).filter((pid) => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ')[3] === String(it.child.pid));
    process.kill(Number(main), 'SIGKILL');
    const { code } = await it.ended;
    assert.equal(code, 1, 'a browser that was killed has failed');
    assert.match(it.err, /ended with status 137/);
    assert.match(it.out, /2 exchanges/);
    await gone(it);
    assert.deepEqual(fs.readdirSync(it.tmp), []);
  });

  test(`${browser.name}: it ends when weir is killed`, { skip }, async (t) => {
    const it = await startBrowser(t, browser);
    await seen(it);
    assert.notEqual(processes(it.tmp).length, 0);
    await it.end('SIGKILL');
    await gone(it);
  });
}

test('chromium shows the page as secure; closing it ends the capture well', { skip: chromium.missing }, async (t) => {
  const it = await startBrowser(t, BROWSERS[0], { more: ['--remote-debugging-port=0'] });
  await seen(it);
  const [profile] = fs.readdirSync(it.tmp).filter((name) => name.startsWith('weir-'));
  const [port] = fs.readFileSync(path.join(it.tmp, profile, 'profile/DevToolsActivePort'), 'utf8').split('\n');
  const browser = await playwright.chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  atEnd(t, () => browser.close());
  const [page] = browser.contexts()[0].pages();
  const security = await browser.contexts()[0].newCDPSession(page);
  const state = new Promise((resolve) => { security.on('Security.visibleSecurityStateChanged', (e) => resolve(e.visibleSecurityState)); });
  await security.send('Security.enable');
  const { securityState, certificateSecurityState } = await state;
  assert.equal(securityState, 'secure');
  assert.ok(!certificateSecurityState.certificateNetworkError);
  await (await browser.newBrowserCDPSession()).send('Browser.close'); // as a person does
  const { code } = await it.ended;
  assert.equal(code, 0, it.err);
});

test('a browser that is not there, or fails, is an error that says why', async (t) => {
  const dir = scratch(t);
  const weir = new Weir(dir);
  const env = { PATH: dir, HOME: dir, TMPDIR: dir };
  const none = await weir.command(['browser'], { env });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^weir: there is no browser in PATH: install chromium or firefox/);
  assert.equal((await weir.command(['browser', '--browser', 'lynx'], { env })).code, 2);
  fs.writeFileSync(path.join(dir, 'chromium'), '#!/bin/sh\necho "no screen" >&2\nexit 3\n', { mode: 0o755 });
  const fails = await weir.command(['browser'], { env });
  assert.equal(fails.code, 1);
  assert.match(fails.stderr, /chromium' ended with status 3; the last that it said:\nno screen\n/);
  assert.deepEqual(fs.readdirSync(dir).filter((name) => name.startsWith('weir-')), []);
});
