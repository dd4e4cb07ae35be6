// Words of filters that look at what comes late or is named by a type: trailers, gRPC; in a capture and in a session alike.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const { startWeir } = require('./support/weir');

test('filters see trailers, and gRPC by its type', async (t) => {
  const server = http.createServer((req, res) => {
    const sum = new URL(req.url, 'http://x').searchParams.get('sum');
    res.writeHead(200, { 'Content-Type': req.headers['content-type'] ?? 'text/plain', ...(sum ? { Trailer: 'Sum' } : {}) });
    res.write('x');
    if (sum) res.addTrailers({ Sum: sum });
    req.resume().on('end', () => res.end());
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  t.after(() => { server.closeAllConnections(); server.close(); });
  const weir = await startWeir(t, ['--session', 'some', '--filter', 'header:sum=17']);
  const walk = async () => {
    for (const [path, type] of [['/a?sum=17'], ['/b?sum=18'], ['/c'], ['/d', 'application/grpc+proto'], ['/e', 'application/grpc-web-text']]) {
      const host = `127.0.0.1:${server.address().port}`;
      await new Promise((resolve, reject) => {
        http.request({ host: '127.0.0.1', port: weir.port, method: 'POST', path: `http://${host}${path}`, agent: false,
                       headers: { Host: host, ...(type ? { 'Content-Type': type } : {}) } }, (res) => res.resume().on('end', resolve)).on('error', reject).end();
      });
    }
    await weir.stop();
  };
  const listed = async (session, ...filter) => {
    const { code, stdout, stderr } = await weir.command(['list', session, '--json', ...filter]);
    assert.equal(code, 0, stderr);
    return stdout.split('\n').filter(Boolean).map((l) => new URL(JSON.parse(l).url).pathname);
  };

  await walk();
  await weir.start(['--session', 'all']);
  await walk();
  assert.deepEqual(await listed('some'), ['/a']);
  assert.deepEqual(await listed('all'), ['/a', '/b', '/c', '/d', '/e']);
  assert.deepEqual(await listed('all', '--filter', 'header:sum=17'), ['/a']);
  assert.deepEqual(await listed('all', '--filter', 'header:sum'), ['/a', '/b']);
  assert.deepEqual(await listed('all', '--filter', '-header:sum'), ['/c', '/d', '/e']);
  assert.deepEqual(await listed('all', '--filter', 'type:grpc'), ['/d', '/e']);
});
