// chromium.js: a real Chromium that goes through weir and trusts its CA the way a user's does: by `weir ca trust`.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { WEIR, atEnd, run, scratch } = require('./weir');

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((f) => fs.existsSync(f));

// Tests skip by this, which names what is missing; false when nothing is.
const missing = CHROMIUM ? false : 'no Chromium here';

// QUIC would go around a proxy; in a container there is no sandbox; and what Chromium wants of its maker's hosts finds no host.
const HOME_CALLS = ['*.googleapis.com', '*.google.com', '*.gstatic.com'];
const FLAGS = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update',
  '--disable-domain-reliability', '--disable-sync', '--no-first-run', '--disable-gpu', '--disable-dev-shm-usage',
  `--host-resolver-rules=${HOME_CALLS.map((h) => `MAP ${h} ~NOTFOUND`).join(', ')}`,
  `--proxy-bypass-list=${['<-loopback>', ...HOME_CALLS].join(';')}`];

// nobody's: root's `weir ca trust` would change the machine's own store, which is no test's business.
const NOBODY = 65534;

// Runs `weir ca ARGS` with home as $HOME and no right to touch the system. The CA has to be there.
async function caCommand(weir, home, args) {
  if (process.getuid() !== 0) return run(WEIR, ['ca', ...args, '--ca-dir', weir.caDir], { env: { ...process.env, HOME: home } });
  const dir = fs.mkdtempSync(path.join(home, 'as-nobody-'));
  const binary = path.join(dir, 'weir');
  const caDir = path.join(dir, 'ca');
  try {
    fs.copyFileSync(WEIR, binary);
    fs.cpSync(weir.caDir, caDir, { recursive: true });
    for (const f of [dir, caDir, ...fs.readdirSync(caDir).map((n) => path.join(caDir, n))]) fs.chownSync(f, NOBODY, NOBODY);
    fs.chownSync(home, NOBODY, NOBODY);
    return await run('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', binary, 'ca', ...args, '--ca-dir', caDir],
      { env: { ...process.env, HOME: home }, cwd: home });
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

// A home with nothing in it that goes away with the test, in which Chromium trusts weir's CA.
async function trustingHome(t, weir) {
  const home = scratch(t);
  const { code, stdout, stderr } = await caCommand(weir, home, ['trust', '--json']);
  if (code !== 0) throw new Error(`weir ca trust: ${stdout}${stderr}`);
  return home;
}

// A browser (playwright's) that trusts weir and sends everything through it, or with no weir one that goes straight; ends with
// the test. args: more flags.
async function startChromium(t, weir, { home, args = [] } = {}) {
  home ??= weir ? await trustingHome(t, weir) : scratch(t);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...(weir ? [`--proxy-server=${weir.url}`] : []), ...args],
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: undefined, XDG_CACHE_HOME: undefined },
  });
  atEnd(t, () => browser.close());
  return browser;
}

module.exports = { missing, CHROMIUM, FLAGS, caCommand, trustingHome, startChromium };
