// What the soak calls a trend, and what it does not.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { growth, median, quantile, rates } = require('./trend');

// The same noise in each run: -1 to 1.
function noise(seed = 1) {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 30 - 1;
  };
}

const points = (count, value) => Array.from({ length: count }, (_, i) => [5 * i, value(i)]);

test('a leak under noise ten times its step is seen', () => {
  const next = noise();
  const found = growth(points(100, (i) => 50 + 0.1 * i + next()));
  assert.ok(found > 8 && found < 12, `${found}`);
});

test('noise alone is no growth, nor are peaks, wherever they are', () => {
  const next = noise(7);
  assert.ok(Math.abs(growth(points(100, () => 50 + next()))) < 1);
  assert.ok(Math.abs(growth(points(100, (i) => 50 + (i > 80 && i % 3 === 0 ? 1000 : 0)))) < 1);
});

test('a long run is looked at in part, from its first minute to its last', () => {
  const found = growth(points(5000, (i) => i / 100));
  assert.ok(found > 49 && found < 51, `${found}`);
});

test('what each costs is told of the beginning and of the end', () => {
  const found = rates([[0, 0], [10, 100], [20, 200], [30, 500]]);
  assert.deepEqual(found, { first: 10, last: 30, all: 500 / 30 });
});

test('quantiles lie between values where they must', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([1, 2]), 1.5);
  assert.equal(quantile([0, 10], 0.9), 9);
});
