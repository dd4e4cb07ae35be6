// world.js: a weir, a CA for origins, and the ways through weir to an origin; a scenario is played once without weir
// and once on each way, and what the client and the origin got is compared (differences.js).
'use strict';
const fs = require('node:fs');
const { startWeir, scratch } = require('./weir');
const { makeCa } = require('./certs');
const { rawOrigin } = require('./origin');
const { Wire, connect, secure, tunnel } = require('./wire');
const { same } = require('./differences');

// target(port, path): what a client on this way writes into its request line.
const ways = {
  forward: { isTls: false, connect: (w, t) => connect(t, w.weir.port), target: (port, path) => `http://127.0.0.1:${port}${path}` },
  inner: {
    isTls: false, target: (port, path) => path,
    connect: async (w, t, port) => {
      const raw = await tunnel(t, w.weir, port);
      return new Wire(raw, raw, null);
    },
  },
  intercepted: {
    isTls: true, target: (port, path) => path,
    connect: async (w, t, port, options) => secure(await tunnel(t, w.weir, port), { ca: fs.readFileSync(w.weir.ca), ...options }),
  },
};

class World {
  constructor(t) {
    this.dir = scratch(t);
    this.originCa = makeCa(this.dir);
    this.cert = this.originCa.issue();
  }

  // What was recorded of requests to an origin's port, once count exchanges with it are over.
  async recorded(port, count = 1) {
    const rows = await this.weir.waitFor(`select * from exchange where port = ${port} and
      (select count(*) from exchange where port = ${port} and state != 0) >= ${count} order by seq`);
    for (const row of rows)
      for (const column of ['request_headers', 'response_headers', 'request_trailers', 'response_trailers', 'interim'])
        row[column] = row[column] && JSON.parse(row[column]);
    return rows;
  }

  async #play(t, wire, way, origin, scenario) {
    const before = origin.connections.length;
    const client = await wire;
    client.target = (path) => way.target(origin.port, path);
    client.host = `127.0.0.1:${origin.port}`;
    client.origin = () => origin.connections.slice(before)[0];
    const seen = await scenario(client, origin);
    client.raw.destroy();
    const mine = origin.connections.slice(before);
    return { client: client.text, seen, origin: mine.map((c) => c.bytes.toString('latin1')).join('') };
  }

  // Plays scenario(client, origin) with an origin that does script(socket, connection). What scenario returns is
  // compared as well. check(rows, way, origin) is given what was recorded of the count exchanges
  // on that way; 0: none is waited for.
  async compare(t, { script, scenario, on = Object.keys(ways), count = 1, check = () => {} }) {
    for (const name of on) {
      const way = ways[name];
      const origin = await rawOrigin(t, script, { cert: way.isTls ? this.cert : undefined });
      const straight = connect(t, origin.port);
      const direct = await this.#play(t, way.isTls ? straight.then((w) => secure(w.raw, { ca: fs.readFileSync(this.originCa.caFile) })) : straight,
        way, origin, scenario);
      const proxied = await this.#play(t, way.connect(this, t, origin.port), way, origin, scenario);
      same(direct, proxied, name);
      if (count) await check(await this.recorded(origin.port, count), name, origin);
    }
  }
}

// A request as text. fields: lines; Host comes first.
function request(client, method, path, fields = [], body = '') {
  return [`${method} ${client.target(path)} HTTP/1.1`, `Host: ${client.host}`, ...fields, '', body].join('\r\n');
}

async function world(t, args = []) {
  const w = new World(t);
  w.weir = await startWeir(t, ['--quiet', '--upstream-ca', w.originCa.caFile, ...args], { dir: w.dir });
  return w;
}

module.exports = { world, request };
