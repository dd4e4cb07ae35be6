// trend.js: whether a row of measurements rises, said in a way that a busy machine does not upset.
'use strict';

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted.length ? sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low) : NaN;
}

const median = (values) => quantile(values, 0.5);

// More points than this say no more, and pairs of them are many.
const MOST_POINTS = 400;

// points: [[seconds, value], ...]. The slope of Theil and Sen (the median of the slopes of all pairs, so that neither a peak nor a
// third of the points being wrong moves it) times the time from the first point to the last.
function growth(points) {
  const step = Math.ceil(points.length / MOST_POINTS);
  const some = points.filter((_, i) => i % step === 0);
  const slopes = [];
  for (let i = 0; i < some.length; i++)
    for (let j = i + 1; j < some.length; j++) slopes.push((some[j][1] - some[i][1]) / (some[j][0] - some[i][0]));
  return slopes.length ? median(slopes) * (points.at(-1)[0] - points[0][0]) : 0;
}

// points: [[of, value], ...], both growing: how much value grows for each of what it is of, in the first third and in the last.
function rates(points) {
  const between = (a, b) => (points[b][1] - points[a][1]) / Math.max(points[b][0] - points[a][0], 1);
  const last = points.length - 1;
  const third = Math.max(Math.floor(last / 3), 1);
  return { first: between(0, third), last: between(last - third, last), all: between(0, last) };
}

module.exports = { growth, median, quantile, rates };
