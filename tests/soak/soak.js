// soak.js: a real weir under every kind of load at once (kinds.js), for minutes or for hours, and whether anything of it grows.
//
//   node tests/soak/soak.js [--minutes 2] [--out FILE] [--only KIND]...
//     --out: the report as JSON. --only: of the kinds of load these alone, to find out which one it is.
//
// The weir is WEIR_RELEASE or WEIR, else build/release/weir; of one with sanitizers memory, CPU and latency are not judged. Exit
// status 0: everything held; 1: not, and the report says what. Needs loopback only, listens on port 0, keeps its files in a folder of
// its own, which is left behind (and named) when something did not hold.
//
// What is judged, after a warm-up (a quarter of the time, 70 s to 30 min, in which caches and the allocator's arenas fill, and the first
// idle upstream connections have had their minute). Of each 5 s the least is taken, for load comes in waves, and of all these the robust
// slope (trend.js):
//   memory        grows less than 16 MiB, as up to that stays with a thread that freed it (mem.h), and 16 KiB for each host first seen
//                 after the warm-up, since a leaf, TLS sessions and the choice of ALPN are kept for 4096 of them; and never
//                 peaks above 256 MiB
//   descriptors   grow by less than 24 (upstream connections that idle for a minute come and go), and are back where they
//                 were, but for 8, when the load has ended
//   threads       none more than when the warm-up was over
//   store         an exchange costs in the last third of the time at most 1.5 times its bytes of the first third, for what is asked is drawn
//   WAL           never above 128 MiB: it begins anew at 64, and takes one batch more
//   CPU           an exchange costs in the last third at most 1.6 times its time of the first third
//   latency       what weir adds to a small request (of 5 s the lowest tenth, less the same of requests without weir: the others
//                 have waited for a core) grows by less than its own median, or 5 ms if that is more; none takes 10 s
// And what is true or not, whatever the machine is busy with: no answer differs from what its origin sent, every turn of every kind
// of load ends as it should; every answer that a client has had whole is in the store as done; stored bodies are the origin's;
// nothing is marked incomplete; the store is sound; weir ends with status 0.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, fork } = require('node:child_process');
const { once } = require('node:events');
const { parseArgs } = require('node:util');
const { MEASURED, WEIR, Weir, run } = require('../e2e/support/weir');
const { makeCa } = require('../e2e/support/certs');
const { bytesAt } = require('../e2e/support/stream');
const { HOST, pause } = require('./kinds');
const { text } = require('./origin');
const { growth, median, quantile, rates } = require('./trend');

const MIB = 1024 ** 2;
const WARM_UP = { part: 0.25, least: 70, most: 1800 }; // seconds
const WINDOW_MS = 5000;
const SAMPLE_MS = 250;
const LIMITS = {
  memoryGrowth: 16 * MIB, memoryPerHost: 16 * 1024, hostsKept: 4096, memoryPeak: 256 * MIB, fdGrowth: 24, fdsLeft: 8, storeRatio: 1.5, walBytes: 128 * MIB,
  cpuRatio: 1.6, latencyMs: 5, probeMs: 10000,
};
// How long the load may take to end its turns, and weir to close what that leaves behind.
const ENDING_MS = 120000;
const BODIES_COMPARED = 40;

const clockTicks = Number(execFileSync('getconf', ['CLK_TCK']));

// --- what weir uses --------------------------------------------------------------------------------------

const openFds = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;
const sizeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function cpuSeconds(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / clockTicks;
}

const threads = (pid) => fs.readdirSync(`/proc/${pid}/task`).length;

// --- the probe -------------------------------------------------------------------------------------------

// A small request again and again, by turns through weir and without it.
class Probe {
  constructor() {
    this.through = [];
    this.direct = [];
    this.all = [];
    this.targets = [];
    this.failures = [];
  }

  async start(weir) {
    this.weir = weir;
    this.server = http.createServer({ keepAliveTimeout: 300000 }, (req, res) => res.end('probed'));
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.agents = [0, 1].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    this.running = this.#run();
  }

  #ask(n, isThrough) {
    const begun = performance.now();
    const host = `127.0.0.1:${this.port}`;
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: '127.0.0.1', port: isThrough ? this.weir.port : this.port, agent: this.agents[Number(isThrough)],
        path: isThrough ? `http://${host}/probe/${n}` : `/probe/${n}`, headers: { Host: host }, timeout: 60000,
      }, (res) => {
        let body = '';
        res.on('data', (d) => { body += d; }).on('error', reject);
        res.on('end', () => (body === 'probed' && res.statusCode === 200 ? resolve(performance.now() - begun) : reject(new Error(`${res.statusCode} ${body}`))));
      });
      request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer in 60 s'))).end();
    });
  }

  async #run() {
    for (let n = 1; !this.isOver; n++) {
      try {
        const through = await this.#ask(n, true);
        this.through.push(through);
        this.targets.push(`/probe/${n}`);
        this.direct.push(await this.#ask(n, false));
        this.all.push(through);
      } catch (e) {
        this.failures.push(`probe ${n}: ${e.message}`);
      }
      await pause(100);
    }
  }

  // What weir added since the last call; null: nothing was asked.
  window() {
    const added = this.direct.length ? Math.max(quantile(this.through, 0.1) - quantile(this.direct, 0.1), 0) : null;
    this.through = [];
    this.direct = [];
    return added;
  }

  async end() {
    this.isOver = true;
    await this.running;
    this.agents.forEach((agent) => agent.destroy());
    this.server.close();
  }
}

// --- watching ---------------------------------------------------------------------------------------------

// Windows: { at (s), memory, fds, threads, latency, exchanges, storeBytes, cpu, hosts }.
class Watch {
  constructor(weir, probe, load) {
    Object.assign(this, { weir, probe, load, windows: [], walPeak: 0 });
    this.begun = performance.now();
  }

  async #window() {
    const samples = [];
    for (const until = performance.now() + WINDOW_MS; performance.now() < until;) {
      samples.push([this.weir.memory('VmRSS'), openFds(this.weir.pid)]);
      this.walPeak = Math.max(this.walPeak, sizeOf(`${this.weir.store}-wal`));
      await pause(SAMPLE_MS);
    }
    const [{ exchanges }] = await this.weir.query('SELECT exchanges FROM session');
    this.windows.push({
      at: (performance.now() - this.begun) / 1000, memory: Math.min(...samples.map(([memory]) => memory)), fds: Math.min(...samples.map(([, fds]) => fds)),
      threads: threads(this.weir.pid), latency: this.probe.window(), exchanges, storeBytes: sizeOf(this.weir.store), cpu: cpuSeconds(this.weir.pid), hosts: this.load.hosts,
    });
  }

  async during(seconds) {
    const deadline = this.begun + seconds * 1000;
    while (performance.now() < deadline) {
      if (this.weir.exit) throw new Error(`weir ended: ${JSON.stringify(this.weir.exit)}\n${this.weir.stderr}`);
      if (this.load.exit !== undefined) throw new Error('the load ended by itself');
      await this.#window();
    }
  }
}

// --- judging -----------------------------------------------------------------------------------------------

class Report {
  constructor() {
    this.rows = [];
    this.faults = [];
  }

  // One line of the table. limit null: told, not judged.
  row(what, value, limit, show = (v) => String(v)) {
    const holds = limit === null || value <= limit;
    this.rows.push({ what, value, limit, shown: show(value), bound: limit === null ? '' : show(limit), holds });
    if (!holds) this.faults.push(`${what}: ${show(value)}, at most ${show(limit)}`);
  }

  fault(condition, what) {
    if (condition) this.faults.push(what);
  }
}

const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
const ms = (value) => `${value.toFixed(2)} ms`;
const times = (value) => `${value.toFixed(2)} x`;

function judgeTrends(report, watch, warmUp, isMeasured) {
  const windows = watch.windows.filter(({ at }) => at > warmUp);
  const [first, last] = [windows[0], windows.at(-1)];
  const of = (key) => windows.filter((w) => w[key] !== null).map((w) => [w.at, w[key]]);
  const values = (key) => of(key).map(([, value]) => value);
  const judged = (limit) => (isMeasured ? limit : null);
  const newHosts = Math.max(Math.min(last.hosts, LIMITS.hostsKept) - first.hosts, 0);
  const latency = median(values('latency'));
  const store = rates(windows.map((w) => [w.exchanges, w.storeBytes]));
  const cpu = rates(windows.map((w) => [w.exchanges, w.cpu * 1e6]));

  report.row('memory, median', median(values('memory')), null, mib);
  report.row('memory, growth', growth(of('memory')), judged(LIMITS.memoryGrowth + newHosts * LIMITS.memoryPerHost), mib);
  report.row('memory, peak', watch.weir.memory('VmHWM'), judged(LIMITS.memoryPeak), mib);
  report.row('descriptors, median', median(values('fds')), null);
  report.row('descriptors, growth', growth(of('fds')), LIMITS.fdGrowth, (v) => v.toFixed(1));
  report.row('threads', last.threads, first.threads);
  report.row('store, bytes an exchange', store.all, null, (v) => v.toFixed(0));
  report.row('store, last third to first', store.last / store.first, LIMITS.storeRatio, times);
  report.row('WAL, peak', watch.walPeak, LIMITS.walBytes, mib);
  report.row('CPU an exchange', cpu.all, null, (v) => `${v.toFixed(0)} us`);
  report.row('CPU, last third to first', cpu.last / cpu.first, judged(LIMITS.cpuRatio), times);
  report.row('latency added, median', latency, null, ms);
  report.row('latency added, growth', growth(of('latency')), judged(Math.max(LIMITS.latencyMs, latency)), ms);
  report.row('probe, 99th percentile', quantile(watch.probe.all, 0.99), null, ms);
  report.row('probe, worst', Math.max(...watch.probe.all), judged(LIMITS.probeMs), ms);
}

function judgeLoad(report, load, probe) {
  for (const { name, turns, failures, first } of load.kinds) {
    report.fault(turns === 0, `${name}: not one turn`);
    report.fault(failures > 0, `${name}: ${failures} turns failed: ${first.join('\n    ')}`);
  }
  report.fault(probe.failures.length > 0, `${probe.failures.length} probes failed: ${probe.failures.slice(0, 5).join('; ')}`);
}

// What was answered for a target of the load, or null where that does not follow from the target alone.
function rightBody(target) {
  const [, kind, ...rest] = target.split('/');
  if (kind === 'text') return Buffer.from(text(rest[1], Number(rest[0])));
  if (kind !== 'big') return null;
  const parts = [];
  for (let at = 0; at < Number(rest[0]);) {
    parts.push(bytesAt(at, Number(rest[1])).subarray(0, Number(rest[0]) - at));
    at += parts.at(-1).length;
  }
  return Buffer.concat(parts);
}

// Against the file of all targets whose answers came whole. weir has ended.
async function judgeStore(report, weir, finished) {
  const sqlite = async (...commands) => {
    const { code, stdout, stderr } = await run('sqlite3', ['-batch', ':memory:', `ATTACH 'file:${weir.store}?mode=ro' AS s`, ...commands], { timeout: 3600000 });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const missing = 'FROM finished WHERE path NOT IN (SELECT path FROM s.exchange WHERE state = 1)';
  const told = await sqlite('CREATE TABLE finished(path TEXT)', `.import '${finished}' finished`,
    `SELECT (SELECT count(*) FROM finished), (SELECT count(*) ${missing}), (SELECT count(*) FROM s.exchange), (SELECT count(*) FROM s.exchange WHERE state = 0),
      (SELECT count(*) FROM s.exchange WHERE state = 2), (SELECT coalesce(incomplete, '') FROM s.session), (SELECT state FROM s.session)`);
  const [wanted, lost, all, open, aborted, incomplete, state] = told.split('|');
  report.row('answers that clients had whole', Number(wanted), null);
  report.row('of them not in the store', Number(lost), 0);
  report.row('exchanges in the store', Number(all), null);
  report.row('of them aborted', Number(aborted), null);
  report.row('of them open', Number(open), 0);
  if (lost !== '0')
    report.faults.push(await sqlite('CREATE TABLE finished(path TEXT)', `.import '${finished}' finished`, `SELECT group_concat(path, ' ') FROM (SELECT path ${missing} LIMIT 10)`));
  report.fault(incomplete !== '', `the session is marked incomplete: ${incomplete}`);
  report.fault(state !== 'ended', `the session is ${state}`);
  const sound = await sqlite('PRAGMA s.integrity_check', 'PRAGMA s.foreign_key_check');
  report.fault(sound !== 'ok', `integrity_check: ${sound.slice(0, 500)}`);
  const rows = await weir.query(`SELECT seq, path FROM exchange WHERE state = 1 AND (path LIKE '/text/%' OR path LIKE '/big/%') ORDER BY random() LIMIT ${BODIES_COMPARED}`);
  let wrong = 0;
  for (const { seq, path: target } of rows) wrong += Number(!(await weir.body(seq)).equals(rightBody(target)));
  report.row(`stored bodies that differ, of ${rows.length}`, wrong, 0);
}

// --- running -----------------------------------------------------------------------------------------------

// The process of load.js: load.hosts grows; load.kinds comes at the end.
function startLoad(dir, weir, ca, only) {
  const child = fork(path.join(__dirname, 'load.js'));
  const load = { child, hosts: 0, kinds: null, exit: undefined };
  load.exited = once(child, 'exit').then(([code]) => { load.exit = code; });
  load.ready = new Promise((resolve) => child.on('message', (message) => {
    if (message.ready) resolve();
    Object.assign(load, message);
  }));
  const cert = ca.issue(['localhost', '127.0.0.1', HOST, `*.${HOST}`]);
  load.finished = path.join(dir, 'finished');
  child.send({ weir: { port: weir.port }, ca: fs.readFileSync(weir.ca, 'latin1'), finished: load.finished, only, cert: { key: String(cert.key), cert: String(cert.cert) } });
  return load;
}

async function within(promise, milliseconds, what) {
  let timer;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms: ${what}`)), milliseconds); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function settle(report, weir, before) {
  const deadline = performance.now() + ENDING_MS;
  while (openFds(weir.pid) > before + LIMITS.fdsLeft && performance.now() < deadline) await pause(100);
  report.row('descriptors left over', openFds(weir.pid) - before, LIMITS.fdsLeft);
  report.row('memory when all is over', weir.memory('VmRSS'), null, mib);
}

function show(report, load, seconds) {
  console.log(`soak: ${(seconds / 60).toFixed(1)} min, ${load.hosts} hosts\n`);
  console.log('kind of load        turns  failed');
  for (const { name, turns, failures } of load.kinds) console.log(`${name.padEnd(16)} ${String(turns).padStart(8)} ${String(failures).padStart(7)}`);
  console.log(`\n${'measured'.padEnd(36)} ${'value'.padStart(12)} ${'at most'.padStart(12)}`);
  for (const { what, shown, bound, holds } of report.rows) console.log(`${what.padEnd(36)} ${shown.padStart(12)} ${bound.padStart(12)}${holds ? '' : '  <- does not hold'}`);
  for (const fault of report.faults) console.log(`\nfault: ${fault}`);
  console.log(report.faults.length ? '\nsoak: failed' : '\nsoak: everything held');
}

async function soak({ minutes, out, only }, dir, started) {
  const program = MEASURED || WEIR;
  const ca = makeCa(dir);
  const weir = new Weir(dir);
  await weir.start(['--session', 'soak', '--upstream-ca', ca.caFile], { program });
  started.push(weir.child);
  const fdsBefore = openFds(weir.pid);
  const load = startLoad(dir, weir, ca, only);
  started.push(load.child);
  await within(load.ready, ENDING_MS, 'the load');
  const probe = new Probe();
  await probe.start(weir);

  const seconds = minutes * 60;
  const warmUp = Math.min(Math.max(seconds * WARM_UP.part, WARM_UP.least), WARM_UP.most);
  const watch = new Watch(weir, probe, load);
  await watch.during(Math.max(seconds, warmUp + 4 * WINDOW_MS / 1000));

  const report = new Report();
  judgeTrends(report, watch, warmUp, Boolean(MEASURED));
  load.child.send('stop');
  await within(load.exited, ENDING_MS, 'the end of the load');
  await probe.end();
  judgeLoad(report, load, probe);
  await settle(report, weir, fdsBefore);
  const { code } = await weir.stop();
  report.fault(code !== 0, `weir ended with status ${code}:\n${weir.stderr}`);
  fs.appendFileSync(load.finished, probe.targets.map((target) => `${target}\n`).join(''));
  await judgeStore(report, weir, load.finished);

  show(report, load, (performance.now() - watch.begun) / 1000);
  if (out) fs.writeFileSync(out, JSON.stringify({ minutes, warmUp, rows: report.rows, faults: report.faults, kinds: load.kinds, windows: watch.windows }, null, 1));
  return report.faults.length === 0;
}

async function main() {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '2' }, out: { type: 'string' }, only: { type: 'string', multiple: true } } });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: how many?`);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-soak-'));
  const started = [];
  process.on('exit', () => started.forEach((child) => child.exitCode === null && child.kill('SIGKILL')));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  try {
    if (await soak({ ...values, minutes }, dir, started)) fs.rmSync(dir, { recursive: true, force: true });
    else process.exitCode = 1;
  } catch (e) {
    console.error(e);
    process.exitCode = 1;
  }
  if (process.exitCode) console.error(`soak: what there is lies in ${dir}`);
  process.exit();
}

main();
