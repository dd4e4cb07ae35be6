// load.js: the process that loads weir, so that what it costs to do so does not show in what soak.js measures. Told by its parent:
// { weir: { port }, ca, cert, finished, only }, later 'stop'. Tells { hosts } every second, { ready }, and at the end { kinds }: for each its
// turns, its failures and the first of these. Targets of answers that came whole go into the file `finished`, one a line.
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const { hosts, kinds, pause } = require('./kinds');
const { startOrigin } = require('./origin');

const FAILURES_TOLD = 5;

class Scope {
  #ends = [];

  after(end) { this.#ends.push(end); }

  end() { while (this.#ends.length) this.#ends.pop()(); }
}

async function act(kind, world, told) {
  await pause(Math.random() * kind.rest);
  while (!world.isOver) {
    const scope = new Scope();
    try {
      await kind.turn(world, scope);
      told.turns++;
    } catch (e) {
      if (++told.failures <= FAILURES_TOLD) told.first.push(String(e.stack || e).split('\n').slice(0, 4).join(' | '));
    } finally {
      scope.end();
    }
    await pause(kind.rest * (0.5 + Math.random()));
  }
}

async function echoServer() {
  const server = net.createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function run({ weir, ca, cert, finished, only }) {
  const origins = [await startOrigin(), await startOrigin(cert)];
  const echo = await echoServer();
  const file = fs.createWriteStream(finished);
  const world = { weir, ca, plain: origins[0].port, secure: origins[1].port, isOver: false, done: (target) => file.write(`${target}\n`), echo: () => echo.address().port };
  process.on('message', (message) => { world.isOver ||= message === 'stop'; });
  process.send({ ready: true });
  const timer = setInterval(() => process.send({ hosts: hosts() }), 1000);
  const wanted = kinds.filter(({ name }) => !only || only.includes(name));
  const results = wanted.map(({ name }) => ({ name, turns: 0, failures: 0, first: [] }));
  await Promise.all(wanted.flatMap((kind, i) => Array.from({ length: kind.actors }, () => act(kind, world, results[i]))));
  clearInterval(timer);
  file.end();
  await once(file, 'close');
  process.send({ hosts: hosts(), kinds: results }, () => process.exit(0)); // and with it all its connections
}

process.on('disconnect', () => process.exit(1));
process.once('message', (message) => {
  run(message).catch((e) => {
    console.error(e);
    process.exit(1);
  });
});
