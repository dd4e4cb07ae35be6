// `weir capture -- COMMAND`: clients that know nothing of weir go through it and trust it, and the command feels nothing else.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { spawn, execFileSync } = require('node:child_process');
const { once } = require('node:events');
const { makeCa } = require('./support/certs');
const chromium = require('./support/chromium');
const { httpOrigin } = require('./support/origin');
const { Terminal } = require('./support/terminal');
const { WEIR, Weir, run, scratch } = require('./support/weir');

const HOST = 'app.localhost'; // which weir resolves and libc does not: who fetches it has gone through weir
const ANY = '0.0.0.0'; // this machine, and yet no localhost, which Chromium never sends to a proxy of the environment

function has(file, ...args) {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const needs = (file, ...args) => (has(file, ...args) ? false : `no ${[file, ...args].join(' ')} here`);

// A command under weir in an empty home, with nothing of this process's environment but PATH.
function setUp(t) {
  const dir = scratch(t);
  const home = scratch(t);
  const tmp = path.join(dir, 'tmp');
  fs.mkdirSync(tmp);
  const weir = new Weir(dir);
  const ca = makeCa(dir);
  const env = { PATH: process.env.PATH, HOME: home, TMPDIR: tmp };
  const args = (command, options = []) => ['capture', '--store', weir.store, '--ca-dir', weir.caDir, '--upstream-ca', ca.caFile, ...options,
    '--', ...command];
  const capture = (command, { options, ...how } = {}) => run(WEIR, args(command, options), { env, ...how });
  return { dir, home, tmp, weir, ca, env, args, capture };
}

async function setUpOrigin(t, { names = [HOST], host } = {}) {
  const it = setUp(t);
  const origin = await httpOrigin(t, (req, res) => {
    const file = path.join(it.dir, 'www', req.url.split('?')[0]);
    if (req.url === '/hello') res.end('hello from the origin');
    else if (fs.existsSync(file)) res.end(fs.readFileSync(file));
    else res.writeHead(404).end();
  }, { cert: it.ca.issue(names), host });
  return { ...it, origin, url: `https://${names[0]}:${origin.port}/hello` };
}

async function assertCaptured({ weir }, host, at = '/hello') {
  const [row] = await weir.query(`SELECT status, state FROM exchange WHERE scheme = 'https' AND host = '${host}' AND path = '${at}'`);
  assert.deepEqual(row, { status: 200, state: 1 });
}

test('curl', async (t) => {
  const it = await setUpOrigin(t);
  const { code, stdout, stderr } = await it.capture(['curl', '-sS', it.url]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin');
  await assertCaptured(it, HOST);
});

test('git', { skip: needs('git', '--version') }, async (t) => {
  const it = await setUpOrigin(t);
  const git = (...args) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { env: it.env, cwd: it.dir, stdio: 'pipe' });
  git('init', '-q', 'work');
  fs.writeFileSync(path.join(it.dir, 'work', 'file'), 'in the repository\n');
  git('-C', 'work', 'add', 'file');
  git('-C', 'work', 'commit', '-q', '-m', 'one');
  git('clone', '-q', '--bare', 'work', 'www/repo.git');
  git('-C', 'www/repo.git', 'update-server-info');
  const { code, stderr } = await it.capture(['git', 'clone', '-q', it.url.replace('/hello', '/repo.git'), 'copy'], { cwd: it.dir });
  assert.equal(code, 0, stderr);
  assert.equal(fs.readFileSync(path.join(it.dir, 'copy/file'), 'utf8'), 'in the repository\n');
  await assertCaptured(it, HOST, '/repo.git/info/refs');
});

test('Python, urllib', { skip: needs('python3', '--version') }, async (t) => {
  const it = await setUpOrigin(t);
  const { code, stdout, stderr } = await it.capture(['python3', '-c',
    `import urllib.request\nprint(urllib.request.urlopen("${it.url}").read().decode())`]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin\n');
  await assertCaptured(it, HOST);
});

const PYTHON = ['python3', '/usr/bin/python3'].find((python) => !needs(python, '-c', 'import requests')) ?? 'python3';

test('Python, requests', { skip: needs(PYTHON, '-c', 'import requests') }, async (t) => {
  const it = await setUpOrigin(t);
  const { code, stdout, stderr } = await it.capture([PYTHON, '-c', `import requests\nprint(requests.get("${it.url}").text)`]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin\n');
  await assertCaptured(it, HOST);
});

test('Java, old client and new', { skip: needs('java', '-version') || needs('javac', '-version') }, async (t) => {
  const it = await setUpOrigin(t);
  const source = path.join(it.dir, 'Fetch.java');
  fs.writeFileSync(source, `
    import java.net.*;
    import java.net.http.*;
    public class Fetch {
      public static void main(String[] args) throws Exception {
        System.out.println(new String(new URL(args[0]).openStream().readAllBytes()));
        HttpRequest request = HttpRequest.newBuilder(URI.create(args[0])).version(HttpClient.Version.HTTP_1_1).build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
      }
    }`);
  const { code, stdout, stderr } = await it.capture(['java', source, it.url]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin\nhello from the origin\n');
  assert.equal((await it.weir.query("SELECT 1 FROM exchange WHERE path = '/hello' AND status = 200")).length, 2);
});

// Node 24 and later obey the environment. Where this Node is older, npm has a newer one among the tests' packages.
const NODE_OBEYS = Number(process.versions.node.split('.')[0]) >= 24;
const NEW_NODE = NODE_OBEYS ? process.execPath : path.join(__dirname, `../node_modules/node-linux-${process.arch}/bin/node`);
const FETCH = (url) => ['-e', `fetch("${url}").then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))`];

test('Node by itself', { skip: needs(NEW_NODE, '--version') }, async (t) => {
  const it = await setUpOrigin(t);
  const { code, stdout, stderr } = await it.capture([NEW_NODE, ...FETCH(it.url)]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin\n');
  await assertCaptured(it, HOST);
});

if (!NODE_OBEYS) test('Node that is older goes around weir, which says what to do', async (t) => {
  const it = await setUpOrigin(t, { names: ['localhost'] });
  const { code, stdout, stderr } = await it.capture([process.execPath, ...FETCH(it.url)]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE\n'); // of the origin
  assert.match(stderr, /nothing of the command reached weir; .*Node\.js before 24 ignores/);
});

test('Node with an agent that reads the environment', async (t) => {
  const it = await setUpOrigin(t);
  const script = path.join(it.dir, 'fetch.js');
  fs.writeFileSync(script, `
    const http = require('node:http'), https = require('node:https');
    const url = new URL(process.argv[2]), proxy = new URL(process.env.https_proxy);
    http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: url.host }).on('connect', (res, socket) => {
      https.get(url, { createConnection: () => require('node:tls').connect({ socket, servername: url.hostname }) },
        (answer) => answer.pipe(process.stdout));
    }).end();`);
  const { code, stdout, stderr } = await it.capture([process.execPath, script, it.url]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'hello from the origin'); // its CA came by NODE_EXTRA_CA_CERTS
  await assertCaptured(it, HOST);
});

test('Chromium by itself: a profile that trusts us, loopback too', { skip: chromium.missing }, async (t) => {
  const it = await setUpOrigin(t, { names: ['localhost'], host: 'localhost' });
  const { code, stdout, stderr } = await it.capture([chromium.CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu',
    '--disable-background-networking', '--disable-component-update', '--dump-dom', it.url], { options: ['--filter', 'host:localhost'] });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /hello from the origin/);
  await assertCaptured(it, 'localhost');
  assert.deepEqual(fs.readdirSync(it.tmp).filter((name) => name.startsWith('weir-')), [], 'the profile went with the capture');
});

test('Chromium after `weir ca trust`', { skip: chromium.missing }, async (t) => {
  const it = await setUpOrigin(t, { names: [ANY], host: ANY });
  // Started by something else than weir, it has no switches of ours.
  const command = ['sh', '-c', 'exec "$@"', 'sh', chromium.CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu',
    '--disable-background-networking', '--disable-component-update', '--dump-dom', it.url];
  assert.equal((await it.weir.command(['ca', 'create'])).code, 0);
  const before = await it.capture(command, { options: ['--filter', `host:${ANY}`] });
  assert.doesNotMatch(before.stdout, /hello/);
  assert.match(before.stderr, /does not trust weir's CA: on this machine run 'weir ca trust'/);
  for (const left of fs.readdirSync(it.home)) fs.rmSync(path.join(it.home, left), { recursive: true });

  assert.equal((await chromium.caCommand(it.weir, it.home, ['trust'])).code, 0);
  const { code, stdout, stderr } = await it.capture(command, { options: ['--filter', `host:${ANY}`] });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /hello from the origin/);
  await assertCaptured(it, ANY);

  const listing = () => execFileSync('certutil', ['-L', '-d', `sql:${it.home}/.pki/nssdb`], { encoding: 'utf8' });
  assert.match(listing(), /weir CA/);
  assert.equal((await chromium.caCommand(it.weir, it.home, ['untrust'])).code, 0);
  assert.ok(!fs.existsSync(`${it.home}/.pki/nssdb`) || !/weir CA/.test(listing()));
});

test('its exit status is the command\'s, or says why there was none', async (t) => {
  const it = setUp(t);
  const plain = path.join(it.dir, 'plain');
  fs.writeFileSync(plain, 'no program');
  const status = async (...command) => (await it.capture(command)).code;
  assert.equal(await status('true'), 0);
  assert.equal(await status('sh', '-c', 'exit 7'), 7);
  assert.equal(await status('sh', '-c', 'kill -TERM $$'), 143);
  assert.equal(await status('sh', '-c', 'kill -KILL $$'), 137);
  assert.equal(await status(plain), 126);
  assert.equal(await status('no-such-command-here'), 127);
  assert.equal(await status(path.join(it.dir, 'nowhere')), 127);
  const failed = await it.capture(['echo', 'ran'], { options: ['--listen', '192.0.2.1:0', '--allow', '127.0.0.1'] });
  assert.equal(failed.code, 125);
  assert.equal(failed.stdout, '');
  const wrong = await it.capture(['echo', 'ran'], { options: ['--no-such-option'] });
  assert.ok([2, 125].includes(wrong.code), `${wrong.code}`);
});

test('stdin and stdout are the command\'s alone', async (t) => {
  const it = setUp(t);
  const bytes = crypto.randomBytes(1 << 20);
  const { code, stdout, stderr } = await it.capture(['cat'], { input: bytes, binary: true });
  assert.equal(code, 0);
  assert.ok(bytes.equals(stdout));
  assert.match(String(stderr), /^listening on 127\.0\.0\.1:\d+\n/);
});

test('nothing came: it says so, unless it is to be quiet', async (t) => {
  const it = setUp(t);
  assert.match((await it.capture(['true'])).stderr, /nothing of the command reached weir/);
  const quiet = await it.capture(['true'], { options: ['--quiet'] });
  assert.match(quiet.stderr, /^listening on 127\.0\.0\.1:\d+\n$/);
});

test('the environment: a proxy for all, the CA for each, and nothing else', async (t) => {
  const it = setUp(t);
  const { stdout } = await it.capture([process.execPath, '-e', `
    const files = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'CARGO_HTTP_CAINFO',
      'AWS_CA_BUNDLE', 'DENO_CERT', 'PERL_LWP_SSL_CA_FILE'];
    const pem = files.map((f) => require('node:fs').readFileSync(process.env[f], 'utf8'));
    console.log(JSON.stringify({ env: process.env, files, pem: pem[0], same: pem.every((p) => p === pem[0]) }));`],
  { env: { ...it.env, NO_PROXY: 'a', no_proxy: 'b', HTTP_PROXY: 'http://old:1', MINE: 'x y', JAVA_TOOL_OPTIONS: '-Dmine=1' } });
  const { env, files, pem, same } = JSON.parse(stdout);
  for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
    assert.match(env[name], /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(env[name.toUpperCase()], env[name]);
  }
  assert.equal(env.NO_PROXY ?? env.no_proxy, undefined);
  assert.equal(env.MINE, 'x y');
  assert.equal(env.NODE_USE_ENV_PROXY, '1');
  assert.match(env.JAVA_TOOL_OPTIONS, /^-Dmine=1 -Dhttp\.proxyHost=127\.0\.0\.1 /);
  assert.ok(same);
  assert.ok(pem.includes(fs.readFileSync(it.weir.ca, 'utf8').trim()), 'our root is in the bundle');
  const ours = [...files, 'http_proxy', 'https_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY', 'JAVA_TOOL_OPTIONS'];
  assert.deepEqual(Object.keys(env).filter((k) => !ours.includes(k)).sort(), ['HOME', 'MINE', 'PATH', 'TMPDIR']);
  assert.deepEqual(fs.readdirSync(it.tmp), [], 'what was made for the command is gone with it');
  assert.ok(!fs.existsSync(env.SSL_CERT_FILE));
});

test('no descriptor, no limit and no signal of weir\'s is the command\'s', async (t) => {
  const it = setUp(t);
  const script = 'ls /proc/self/fd; ulimit -Sn; grep -E "^Sig(Blk|Ign)" /proc/self/status';
  const handed = fs.openSync('/dev/null'); // what weir was handed is meant for the command
  t.after(() => fs.closeSync(handed));
  const see = async (before, ...command) => {
    const child = spawn('sh', ['-c', `${before}; exec "$0" "$@"`, ...command],
      { env: it.env, stdio: ['ignore', 'pipe', 'ignore', handed, handed] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    await once(child, 'close');
    return out;
  };
  const alone = await see('ulimit -Sn 200', 'sh', '-c', script);
  assert.match(alone, /^0\n1\n2\n[^]*\n200\nSigBlk:\s0+\nSigIgn:\s0+$/m);
  assert.equal(await see('trap "" HUP USR1; ulimit -Sn 200', WEIR, ...it.args(['sh', '-c', script])), alone);
});

test('SIGTERM is passed on, and weir ends with the command', async (t) => {
  const it = setUp(t);
  const child = spawn(WEIR, it.args(['sh', '-c', 'trap "echo term; exit 9" TERM; echo ready; while :; do read -r line <&3; done']),
    { env: it.env, stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  let out = '';
  child.stdout.on('data', (d) => {
    out += d;
    if (out === 'ready\n') child.kill('SIGTERM');
  });
  const [code] = await once(child, 'close');
  assert.equal(out, 'ready\nterm\n');
  assert.equal(code, 9);
  assert.equal((await it.weir.query('SELECT state FROM session'))[0].state, 'ended');
});

test('Ctrl-C reaches the command once, which may still use weir', async (t) => {
  const it = await setUpOrigin(t);
  const script = path.join(it.dir, 'interrupted.js');
  fs.writeFileSync(script, `
    let count = 0;
    process.on('SIGINT', () => {
      count++;
      if (count === 1) console.log('interrupted ' + require('node:child_process').execFileSync('curl', ['-sS', '${it.url}']));
    });
    process.stdin.on('data', () => { console.log('count ' + count); process.exit(5); });
    console.log('ready');`);
  const terminal = new Terminal(t, WEIR, it.args([process.execPath, script]), { env: it.env });
  await terminal.see(/ready/);
  terminal.press('\x03');
  await terminal.see(/interrupted hello from the origin/);
  terminal.press('done\n');
  await terminal.see(/count 1\b/);
  assert.equal(await terminal.ended, 5);
  await assertCaptured(it, HOST);
});
