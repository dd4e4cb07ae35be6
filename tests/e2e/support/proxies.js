// proxies.js: upstream proxies that note what they are asked: HTTP ones, plain or in TLS, SOCKS ones, some that lie, and
// the real tinyproxy and squid. All lead to loopback, whatever name they are given.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { atEnd, scratch } = require('./weir');
const { until } = require('./client');

async function listen(t, server) {
  const sockets = new Set();
  server.on('connection', (s) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
    s.on('error', () => {}); // a client that goes away is part of many tests
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return server.address().port;
}

// Both ways, and both go when one does.
function join(a, b) {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [[a, b], [b, a]]) one.on('error', () => other.destroy());
}

// asked: 'CONNECT host:port', 'GET http://...'. user: 'name:password' that it wants.
async function httpProxy(t, { cert, user } = {}) {
  const asked = [];
  const wanted = user && `Basic ${Buffer.from(user).toString('base64')}`;
  const take = (req, res) => {
    asked.push(`${req.method} ${req.url}`);
    if (wanted && req.headers['proxy-authorization'] !== wanted) {
      res.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="x"' }).end('no\n');
      return;
    }
    const url = new URL(req.url);
    const headers = { ...req.headers };
    delete headers['proxy-authorization'];
    const onward = http.request({ host: '127.0.0.1', port: url.port || 80, method: req.method, path: url.pathname + url.search, headers },
      (answer) => {
        res.writeHead(answer.statusCode, answer.headers);
        answer.pipe(res);
      });
    onward.on('error', () => res.writeHead(502).end());
    req.pipe(onward);
  };
  const server = cert ? https.createServer({ key: cert.key, cert: cert.cert }, take) : http.createServer(take);
  server.on('connect', (req, socket, head) => {
    asked.push(`CONNECT ${req.url}`);
    socket.on('error', () => {});
    if (wanted && req.headers['proxy-authorization'] !== wanted) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const onward = net.connect(Number(/:(\d+)$/.exec(req.url)[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      join(socket, onward);
    });
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  });
  return { port: await listen(t, server), asked };
}

// Takes so many bytes, one reader at a time.
function reader(socket) {
  let bytes = Buffer.alloc(0);
  let wake = () => {};
  const take = (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  };
  socket.on('data', take);
  return {
    async take(count) {
      while (bytes.length < count) await new Promise((resolve) => { wake = resolve; });
      const taken = bytes.subarray(0, count);
      bytes = bytes.subarray(count);
      return taken;
    },
    async text() { // up to a NUL
      while (!bytes.includes(0)) await new Promise((resolve) => { wake = resolve; });
      const text = (await this.take(bytes.indexOf(0))).toString('latin1');
      await this.take(1);
      return text;
    },
    rest() {
      socket.off('data', take);
      return bytes;
    },
  };
}

// asked: 'socks5 name:port', 'socks4 address:port', and of whom. user: 'name:password' that SOCKS5 wants.
async function socksProxy(t, { user } = {}) {
  const asked = [];
  const pass = (socket, from, port, yes, no) => {
    const onward = net.connect(port, '127.0.0.1', () => {
      socket.write(yes);
      onward.write(from.rest());
      join(socket, onward);
    });
    onward.on('error', () => socket.end(no));
  };
  const socks4 = async (socket, from) => {
    const head = await from.take(7);
    const name = await from.text();
    const address = [...head.subarray(3)].join('.');
    const host = /^0\.0\.0\.[1-9]/.test(address) ? await from.text() : address;
    asked.push(`socks4 ${host}:${head.readUInt16BE(1)}${name ? ` of ${name}` : ''}`);
    pass(socket, from, head.readUInt16BE(1), Buffer.from([0, 90, 0, 0, 0, 0, 0, 0]), Buffer.from([0, 91, 0, 0, 0, 0, 0, 0]));
  };
  const login = async (socket, from) => {
    const [, nameLength] = await from.take(2);
    const name = (await from.take(nameLength)).toString('latin1');
    const password = (await from.take((await from.take(1))[0])).toString('latin1');
    const isRight = `${name}:${password}` === user;
    socket.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) socket.end();
    return isRight;
  };
  const socks5 = async (socket, from) => {
    const methods = await from.take((await from.take(1))[0]);
    const method = user ? 2 : 0;
    if (!methods.includes(method)) {
      socket.end(Buffer.from([5, 255]));
      return;
    }
    socket.write(Buffer.from([5, method]));
    if (user && !(await login(socket, from))) return;
    const [, , , type] = await from.take(4);
    const bytes = await from.take(type === 1 ? 4 : type === 4 ? 16 : (await from.take(1))[0]);
    const port = (await from.take(2)).readUInt16BE(0);
    asked.push(`socks5 ${type === 1 ? [...bytes].join('.') : type === 4 ? bytes.toString('hex') : bytes.toString('latin1')}:${port}`);
    pass(socket, from, port, Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]));
  };
  const server = net.createServer(async (socket) => {
    const from = reader(socket);
    await (((await from.take(1))[0] === 4) ? socks4 : socks5)(socket, from);
  });
  return { port: await listen(t, server), asked };
}

// Says the same to everybody, whatever it is asked; then ends, or not.
async function lyingProxy(t, bytes, { ends = true } = {}) {
  const server = net.createServer((socket) => socket.once('data', () => (ends ? socket.end(bytes) : socket.write(bytes))));
  return { port: await listen(t, server) };
}

// For programs that can't be given port 0.
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function program(t, file, args, port) {
  const child = spawn(file, args, { stdio: 'ignore' });
  const over = once(child, 'exit');
  atEnd(t, () => {
    child.kill('SIGKILL');
    return over;
  });
  await until(() => new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  }), `${file} listens`);
  return { port };
}

const find = (name) => ['/usr/bin', '/usr/sbin'].map((dir) => path.join(dir, name)).find((file) => fs.existsSync(file));
const TINYPROXY = find('tinyproxy');
const SQUID = find('squid');

async function tinyproxy(t, { user } = {}) {
  const port = await freePort();
  const config = path.join(scratch(t), 'tinyproxy.conf');
  fs.writeFileSync(config, `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nDisableViaHeader Yes\n` +
    (user ? `BasicAuth ${user.replace(':', ' ')}\n` : ''));
  return program(t, TINYPROXY, ['-d', '-c', config], port);
}

async function squid(t) {
  const port = await freePort();
  const dir = scratch(t);
  const config = path.join(dir, 'squid.conf');
  fs.chmodSync(dir, 0o777); // it gives up root
  fs.writeFileSync(config, `http_port 127.0.0.1:${port}\nhttp_access allow all\ncache deny all\ncache_log ${dir}/cache.log\n` +
    `access_log none\npid_filename none\nshutdown_lifetime 0 seconds\ncoredump_dir ${dir}\nforwarded_for transparent\nvia off\n`);
  return program(t, SQUID, ['-N', '-f', config], port);
}

module.exports = { TINYPROXY, SQUID, freePort, httpProxy, lyingProxy, socksProxy, squid, tinyproxy };
