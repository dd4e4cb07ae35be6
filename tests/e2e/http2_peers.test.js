// HTTP/2 with programs that others wrote: nginx as the origin, curl, nghttp and h2load as clients.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn, execFileSync } = require('node:child_process');
const { once } = require('node:events');
const { randomBytes } = require('node:crypto');
const { world } = require('./support/world');
const { run, atEnd, scratch } = require('./support/weir');
const { until } = require('./support/client');
const { h2Origin, h2Client, door, digest } = require('./support/h2');

const has = (program) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program} || test -x /usr/sbin/${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const without = (...programs) => { const none = programs.filter((p) => !has(p)); return none.length ? `without ${none}` : false; };

// nginx with files and a mirror of what it is sent, as whoever runs the test; its port.
async function nginx(t, w, files) {
  const dir = scratch(t);
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((r) => probe.close(r));
  fs.mkdirSync(path.join(dir, 'www'));
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(dir, 'www', name), bytes);
  fs.chmodSync(dir, 0o755);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${dir}/${n};`).join(' ');
  fs.writeFileSync(path.join(dir, 'nginx.conf'), `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
    ${process.getuid() === 0 ? 'user root;' : ''} events {}
    http { access_log off; ${temp} types { text/plain txt; } client_max_body_size 100m;
      server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${w.cert.certFile}; ssl_certificate_key ${w.cert.keyFile}; root ${dir}/www;
        http2_max_concurrent_streams 128; keepalive_requests 1000000;
        location /teapot { return 418 "short and stout"; }
        location /early { return 103; } } }`);
  const child = spawn('nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e', path.join(dir, 'error.log')],
    { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  const exited = once(child, 'exit');
  atEnd(t, async () => { child.kill('SIGTERM'); await exited; });
  await until(() => new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1').on('connect', () => { s.destroy(); resolve(true); }).on('error', () => resolve(false));
  }), 'nginx to listen');
  return port;
}

test('nginx and curl', { skip: without('nginx', 'curl') }, async (t) => {
  const w = await world(t);
  const big = randomBytes(5 * 1024 * 1024);
  const port = await nginx(t, w, { 'small.txt': 'small', 'big.bin': big, empty: '' });
  const curl = async (args, through) => {
    const { stdout, stderr, code } = await run('curl', ['-sS', '--http2', '--max-time', '20', ...(through ? ['-x', w.weir.url, '--cacert', w.weir.ca] : ['--noproxy', '*', '--cacert', w.originCa.caFile]),
      '-w', '\n%{http_version} %{http_code} %{size_download}', ...args], { binary: true });
    return [code, digest(Buffer.from(stdout.toString('latin1').replace(/date: .*\r\n/gi, '').replace(/^HTTP\/1.1 200 Connection established\r\n\r\n/, ''), 'latin1')), String(stderr)];
  };
  const url = (p) => `https://localhost:${port}${p}`;

  for (const [what, args] of [
    ['a small file', ['-i', url('/small.txt')]],
    ['a large file', ['-i', url('/big.bin')]],
    ['an empty file', ['-i', url('/empty')]],
    ['a part of one', ['-i', '-r', '100-199', url('/big.bin')]],
    ['its head', ['-I', url('/big.bin')]],
    ['one that is not there', ['-i', url('/none')]],
    ['one that has not changed', ['-i', '-H', 'If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT', url('/small.txt')]],
    ['another status', ['-i', url('/teapot')]],
    ['a form that is not allowed', ['-i', '-d', 'a=b', url('/small.txt')]],
    ['an upload that is refused', ['-i', '-T', __filename, url('/up')]],
    ['many on one connection', ['-i', ...Array.from({ length: 20 }, () => url('/small.txt'))]],
    ['many at once', ['-Z', ...Array.from({ length: 30 }, (_, i) => [url(i % 2 ? '/big.bin' : '/small.txt'), '-o', '/dev/null']).flat()]],
  ])
    await t.test(what, async () => {
      const direct = await curl(args, false);
      assert.equal(direct[0], 0, direct[2]);
      const proxied = await curl(args, true);
      if (what === 'many at once') assert.equal(proxied[0], 0, proxied[2]); // in any order
      else assert.deepEqual(proxied, direct);
    });

  await t.test('and the session has it all', async () => {
    const rows = await w.recorded(port, 60);
    assert.ok(rows.every((row) => row.state === 1 && row.request_version === 20 && row.response_version === 20));
    const { seq } = rows.find((row) => row.path === '/big.bin' && row.status === 200 && row.method === 'GET');
    assert.ok((await w.weir.body(seq)).equals(big));
  });

  await t.test('a Node client, a hundred at once', async () => {
    const client = await h2Client(t, w, port);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.ask(i % 10 ? '/small.txt' : '/big.bin')));
    answers.forEach((a, i) => assert.equal(digest(a.body), digest(i % 10 ? 'small' : big)));
  });
});

test('nghttp', { skip: without('nghttp') }, async (t) => {
  const w = await world(t);
  const origin = await h2Origin(t, (s, h, seen) => s.on('end', () => {
    s.additionalHeaders({ ':status': 103, link: '</x>' });
    s.respond({ ':status': 200, 'x-path': h[':path'] }, { waitForTrailers: true });
    s.on('wantTrailers', () => s.sendTrailers({ 'x-sum': String(seen.body.length) }));
    s.end(`got ${seen.body.length}`);
  }), { cert: w.cert });
  const inside = await door(t, w, origin.port);
  const file = path.join(w.dir, 'body');
  fs.writeFileSync(file, randomBytes(300000));
  // nghttp sends priorities, and PRIORITY frames of streams that are never opened.
  const nghttp = async (port, ...args) => {
    const { stdout, stderr, code } = await run('nghttp', ['-v', '--no-verify-peer', `-H:authority: localhost:${origin.port}`, ...args, `https://localhost:${port}/a`, `https://localhost:${port}/b?c=d`], { timeout: 10000 });
    assert.equal(code, 0, stderr + stdout.slice(-3000));
    return stdout.split('\n').map((l) => l.replace(/^\[[^\]]*\] /, '').replace(/\x1b\[[0-9;]*m/g, '')).filter((l) => /recv \(stream_id=\d+\) (?!date)/.test(l)).map((l) => l.replace(/, sensitive/, '')).sort();
  };
  for (const args of [[], ['-d', file], ['-d', file, '--trailer', 'x-t: 1'], ['-m', '10'], ['-w', '1', '-W', '1'], ['--no-dep'], ['-p', '200'], ['--expect-continue', '-d', file], ['-b', '50']])
    await t.test(`nghttp ${args.map((a) => (a === file ? 'FILE' : a)).join(' ')}`, async () => {
      const direct = await nghttp(origin.port, ...args);
      assert.ok(direct.length > 4);
      assert.deepEqual(await nghttp(inside, ...args), direct);
    });
});

test('h2load', { skip: without('h2load') }, async (t) => {
  const w = await world(t);
  const body = randomBytes(3000);
  const origin = await h2Origin(t, (s) => { s.respond({ ':status': 200 }); s.end(body); }, { cert: w.cert });
  const inside = await door(t, w, origin.port);
  for (const args of [['-n', '2000', '-c', '10', '-m', '50'], ['-n', '500', '-c', '50', '-m', '1'], ['-n', '1000', '-c', '2', '-m', '200'], ['-n', '300', '-c', '3', '-m', '10', '-d', __filename]])
    await t.test(args.map((a) => (a === __filename ? 'FILE' : a)).join(' '), async () => {
      const { stdout, stderr, code } = await run('h2load', [...args, `https://localhost:${inside}/`]);
      assert.equal(code, 0, stderr);
      const count = args[1];
      assert.match(stdout, new RegExp(`requests: ${count} total, ${count} started, ${count} done, ${count} succeeded, 0 failed, 0 errored, 0 timeout`));
    });
  const rows = await w.recorded(inside, 3800); // :authority names the door
  assert.equal(rows.length, 3800);
  assert.ok(rows.every((row) => row.state === 1 && row.status === 200 && row.response_bytes === 3000 && row.flags & 4));
});
