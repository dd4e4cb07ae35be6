// preload.js: faults from below a program: the sources in tests/support/preload, put in front of the C library, and the numbers in
// shared memory that tell them what to do.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { scratch } = require('./weir');

const SOURCES = path.join(__dirname, '../../support/preload');

// { env: for the program, set(...numbers), get() }: how a fault reads the numbers is said in its source.
function preload(t, name, variable, numbers) {
  const dir = scratch(t);
  const library = path.join(dir, `${name}.so`);
  const file = path.join(dir, 'numbers');
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, path.join(SOURCES, `${name}.c`), '-ldl']);
  const fd = fs.openSync(file, 'w+');
  t.after(() => fs.closeSync(fd));
  const set = (...values) => fs.writeSync(fd, Buffer.from(BigInt64Array.from(values, (v) => BigInt(Math.round(v))).buffer), 0, 8 * values.length, 0);
  set(...numbers);
  const options = [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':');
  return {
    env: { LD_PRELOAD: library, [variable]: file, ASAN_OPTIONS: options },
    set,
    get() {
      const bytes = Buffer.alloc(8 * numbers.length);
      fs.readSync(fd, bytes, 0, bytes.length, 0);
      return numbers.map((n, i) => Number(bytes.readBigInt64LE(8 * i)));
    },
  };
}

const SECOND = 1e6;

// clock.set(wall, mono): microseconds ahead of the real clocks.
const clock = (t) => preload(t, 'clock', 'WEIR_TEST_CLOCK', [0, 0]);
// memory.set(n): the n-th allocation from now on fails. memory.get(): what is left of n.
const memory = (t) => preload(t, 'allocation', 'WEIR_TEST_MEMORY', [0]);

module.exports = { clock, memory, SECOND };
