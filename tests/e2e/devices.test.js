// What weir says to a phone: how to get its traffic here, how to trust the CA, and whether it does by now.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { missing, startChromium } = require('./support/chromium');
const { startWeir, run, scratch } = require('./support/weir');

const text = (page) => page.evaluate(() => document.body.innerText);
const trusts = (page) => page.waitForFunction(() => /This device trusts us: (yes|not yet)/.exec(document.body.innerText)?.[1])
  .then((found) => found.jsonValue());

test('opened as the QR code says, before any proxy is set: the page says where to set which', { skip: missing }, async (t) => {
  const weir = await startWeir(t);
  const browser = await startChromium(t);
  const page = await browser.newPage();
  await page.goto(`${weir.url}/`);
  const said = await text(page);
  assert.match(said, new RegExp(`127\\.0\\.0\\.1\\b[^]*\\b${weir.port}\\b`));
  assert.match(said, /Wi-Fi/);
  assert.doesNotMatch(said, /trusts us|You reach the network through weir/, 'which nobody can know yet');
  assert.equal(await page.locator('a[href="http://weir.test/"]').count(), 1);
});

test('through the proxy it says whether this device trusts weir', { skip: missing }, async (t) => {
  const weir = await startWeir(t);
  const stranger = await (await startChromium(t, weir, { home: scratch(t) })).newPage();
  await stranger.goto('http://weir.test/');
  assert.match(await text(stranger), /You reach the network through weir/);
  assert.equal(await trusts(stranger), 'not yet');
  const friend = await (await startChromium(t, weir)).newPage();
  const asked = friend.waitForResponse('https://weir.test/trust');
  await friend.goto('http://weir.test/');
  await asked;
  await friend.waitForFunction(() => /trusts us: yes/.test(document.body.innerText));
});

test('the CA in every form, and 508 for what is not weir\'s', async (t) => {
  const weir = await startWeir(t);
  const get = (at, ...args) => run('curl', ['-sS', '--noproxy', '', '-x', weir.url, ...args, `http://weir.test${at}`], { binary: true });
  const pem = fs.readFileSync(weir.ca);
  const { raw } = new crypto.X509Certificate(pem);
  assert.deepEqual((await get('/ca.pem')).stdout, pem);
  assert.deepEqual((await get('/ca.crt')).stdout, raw);
  const { stdout: profile } = await get('/ca.mobileconfig');
  const parsed = await run('python3', ['-c', 'import plistlib, sys; p = plistlib.loads(sys.stdin.buffer.read())\n'
    + 'print(p["PayloadType"], p["PayloadContent"][0]["PayloadType"], p["PayloadContent"][0]["PayloadContent"].hex())'], { input: profile });
  assert.equal(parsed.stdout.trim(), `Configuration com.apple.security.root ${raw.toString('hex')}`);
  assert.equal(String((await get('/other', '-o', '/dev/null', '-w', '%{http_code}')).stdout), '508');
});
