// weir.js: a real weir, started for a test and stopped with it, and its commands.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn, execFile } = require('node:child_process');
const { once } = require('node:events');

const WEIR = process.env.WEIR || path.join(__dirname, '../../../build/release/weir');

// What bounds of memory are asserted of: sanitizers keep several bytes for each. MEASURED false: there is none to measure.
const isSanitized = (file) => ['__asan_init', '__tsan_init'].some((name) => fs.readFileSync(file).includes(name));
const IS_SANITIZED = isSanitized(WEIR);
const MEASURED = [process.env.WEIR_RELEASE, WEIR].find((file) => file && !isSanitized(file)) || false;

const endings = new WeakMap();

// Calls end when the test t is over, the last given first: node's own t.after begins with the first, and would take a folder from
// under a program that still runs.
function atEnd(t, end) {
  if (!endings.has(t)) {
    const ends = [];
    endings.set(t, ends);
    t.after(async () => {
      const errors = [];
      while (ends.length) {
        try {
          await ends.pop()();
        } catch (e) {
          errors.push(e);
        }
      }
      if (errors.length) throw errors[0];
    });
  }
  endings.get(t).push(end);
}

// A folder that goes away with the test t.
function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
  atEnd(t, () => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

// Runs a program to its end: { code, signal, stdout, stderr } (Buffers when binary). input: its stdin.
function run(file, args, { input, binary = false, timeout = 120000, ...options } = {}) {
  return new Promise((resolve) => {
    const child = execFile(file, args, {
      encoding: binary ? 'buffer' : 'utf8', maxBuffer: 1 << 30, timeout, killSignal: 'SIGKILL', ...options,
    }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, signal: error?.signal ?? null,
                stdout, stderr, error });
    });
    child.stdin.end(input);
  });
}

class Weir {
  constructor(dir) {
    this.dir = dir;
    this.store = path.join(dir, 'weir.db');
    this.caDir = path.join(dir, 'ca');
    this.ca = path.join(this.caDir, 'ca.pem');
    this.stdout = '';
    this.stderr = '';
  }

  // Again after stop, too: then on the same store.
  async start(args, { env = {}, command = [], program = WEIR } = {}) {
    this.stdout = '';
    this.stderr = '';
    this.exit = null;
    const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    this.child = spawn(program, ['capture', ...listen, '--store', this.store, '--ca-dir', this.caDir, ...args, ...command],
      { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.child.pid;
    // A command of ours may outlive weir and hold its stderr open; else all that it said is there at the end.
    this.exited = once(this.child, command.length === 0 ? 'close' : 'exit').then(([code, signal]) => (this.exit = { code, signal }));
    this.child.stderr.on('data', (d) => { this.stderr += d; });
    const ready = new Promise((resolve, reject) => {
      this.child.stdout.on('data', (d) => {
        this.stdout += d;
        const line = /^listening on (\S+):(\d+)(?: \(.*\))?$/m.exec(this.stdout);
        if (line) {
          this.host = line[1];
          this.port = Number(line[2]);
          resolve();
        }
      });
      this.exited.then(() => reject(new Error(`weir ended: ${JSON.stringify(this.exit)}\n${this.stdout}${this.stderr}`)));
    });
    await ready;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  // Ends it as Ctrl-C does, and waits for it. Fails when a sanitizer had something to say.
  async stop(signal = 'SIGINT') {
    if (!this.exit) {
      this.child.kill(signal);
      await this.exited;
    }
    if (/(ERROR|WARNING): \w+Sanitizer|runtime error:/.test(this.stderr)) throw new Error(`sanitizer:\n${this.stderr}`);
    return this.exit;
  }

  // Ends it as a power switch would.
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  // VmRSS or VmHWM, in bytes.
  memory(field) {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]) * 1024;
  }

  // A command of weir on this store and CA.
  command(args, options) {
    return run(WEIR, [...args, '--store', this.store, '--ca-dir', this.caDir], options);
  }

  // Rows of a query on the store, as objects.
  async query(sql) {
    const { code, stdout, stderr } = await run('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 20000', this.store, sql]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim() ? JSON.parse(stdout) : [];
  }

  // Waits until the query has a row (what is captured reaches the store within 250 ms), and gives all its rows.
  async waitFor(sql, timeout = 20000) {
    const until = Date.now() + timeout;
    for (;;) {
      const rows = await this.query(sql);
      if (rows.length) return rows;
      if (Date.now() > until) throw new Error(`no row within ${timeout} ms: ${sql}\n${this.stderr}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  // The bytes of an exchange's body, by `weir show --raw`.
  async body(seq, side = 'response') {
    const { code, stdout, stderr } = await this.command(['show', String(seq), '--body', side, '--raw'], { binary: true });
    if (code !== 0) throw new Error(String(stderr));
    return stdout;
  }
}

// A running weir that ends with the test.
async function startWeir(t, args = [], options = {}) {
  const weir = new Weir(options.dir || scratch(t));
  atEnd(t, () => weir.stop());
  return weir.start(args, options);
}

module.exports = { WEIR, IS_SANITIZED, MEASURED, Weir, startWeir, run, scratch, atEnd };
