// The two figures of book/explore.md. Densities are computed here; Observable Plot draws them.
"use strict";

// Figures follow the page's mode: each color stands out from the ground of its own mode.
const MODES = {
  light: { baseline: "#6A6A6A", a: "#0072B2", b: "#8A6200", c: "#C04000", border: "#1f3b57", band: d3.interpolateBlues },
  dark: {
    baseline: "#B8B8B8", a: "#6CB8EE", b: "#E2B33C", c: "#FF9166", border: "#A9D2F5",
    band: d3.interpolateRgb("#14202C", "#4FA3E0"),
  },
};
const colors = () => MODES[document.documentElement.dataset.theme] ?? MODES.light;
const normal = (x, mean, sd) => Math.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI));
const logNormal = (x, mean, sd) => -0.5 * ((x - mean) / sd) ** 2 - Math.log(sd);
const element = (id) => document.getElementById(id);
// A figure is one picture to a screen reader, with a text of its own.
function show(id, plot) {
  plot.setAttribute("role", "img");
  for (const part of plot.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  element(id).replaceChildren(plot);
}
const widthOf = (id) => Math.max(240, Math.min(420, element(id).clientWidth));

// 1. The split

const START = 25; // the baseline's variance, and what the totals of the start are drawn with
const BASELINE_MEAN = 3;
const CONTRIBUTORS = [
  { name: "contributor a", mean: -2, variance: 6, hue: "a", dash: null },
  { name: "contributor b", mean: 0, variance: 9, hue: "b", dash: "6 3" },
  { name: "contributor c", mean: 2, variance: 16, hue: "c", dash: "2 3" },
];
const xs = d3.range(-20, 26.01, 0.25);

function splitState() {
  const baseline = Number(element("split-variance").value);
  const given = element("split-keep").checked ? baseline - START : 0;
  return { baseline, contributors: CONTRIBUTORS.map((c) => ({ ...c, variance: c.variance - given })) };
}

// Points of the density of each total: the sum of two independent normal parts.
function totals({ baseline, contributors }) {
  return contributors.flatMap((c) => {
    const sd = Math.sqrt(baseline + c.variance);
    return xs.map((x) => ({ x, y: normal(x, BASELINE_MEAN + c.mean, sd), ...c }));
  });
}

function density(id, points, series, label, top) {
  const width = widthOf(id);
  return Plot.plot({
    width,
    height: 260,
    marginLeft: 44,
    ariaLabel: label,
    x: { label: "value", domain: [-15, 20] },
    y: { label: "density", domain: [0, top], grid: true, ticks: 4 },
    marks: [
      ...series.map((s) =>
        Plot.line(
          points.filter((p) => p.name === s.name && p.x >= -15 && p.x <= 20),
          { x: "x", y: "y", stroke: colors()[s.hue], strokeWidth: 2.5, strokeDasharray: s.dash },
        ),
      ),
      // Direct labels, one for each line, so that no line is told by its color alone.
      ...series.map((s, i) =>
        Plot.text([s], {
          x: -14.5, y: top, dy: 10 + 15 * i, textAnchor: "start", fill: colors()[s.hue], fontWeight: 600, fontSize: 12,
          text: (d) => `${s.dash === null ? "—" : s.dash === "6 3" ? "– –" : "···"} ${d.name}`,
        }),
      ),
    ],
  });
}

function drawSplit() {
  const state = splitState();
  const baseline = { name: "baseline", hue: "baseline", dash: null };
  const parts = [
    ...xs.map((x) => ({ x, y: normal(x, BASELINE_MEAN, Math.sqrt(state.baseline)), name: "baseline" })),
    ...state.contributors.flatMap((c) => xs.map((x) => ({ x, y: normal(x, c.mean, Math.sqrt(c.variance)), ...c }))),
  ];
  const sums = totals(state);
  const before = totals({ baseline: START, contributors: CONTRIBUTORS });
  const change = d3.max(sums, (p, i) => Math.abs(p.y - before[i].y)) / d3.max(before, (p) => p.y);
  element("split-value").textContent = state.baseline;
  show("split-parts", density("split-parts", parts, [baseline, ...state.contributors], "Densities of the parts", 0.3));
  show("split-totals", density("split-totals", sums, state.contributors, "Densities of the totals", 0.1));
  const variances = state.contributors.map((c) => `${c.name.at(-1)} ${c.variance}`).join(", ");
  const percent = change < 1e-9 ? "0 %" : `up to ${(100 * change).toFixed(1)} % of its peak`;
  element("split-summary").textContent =
    `Variances: baseline ${state.baseline}; contributors ${variances}. Change of the totals' density: ${percent}.`;
}

// 2. The funnel

const COUNTS = [0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const AVERAGE = 1;
const NOISE = 3;
const LOG_SIGMAS = d3.range(-3.2, 3.2001, 0.02);
const SHARES = [0.01, 0.05, 0.2, 0.4, 0.6, 0.8]; // of the largest density: the border of each band
const ZOOM = [0, 2];

// Log density of (theta, log sigma) or (z, log sigma) with a standard normal prior of log sigma.
function logDensity(x, logSigma, count, centered) {
  const sigma = Math.exp(logSigma);
  const theta = centered ? x : x * sigma;
  const prior = logNormal(logSigma, 0, 1) + (centered ? logNormal(theta, 0, sigma) : logNormal(x, 0, 1));
  return prior + (count ? logNormal(AVERAGE, theta, NOISE / Math.sqrt(count)) : 0);
}

// At each log sigma the density is normal in x: its middle, its standard deviation, and its logarithm in the middle.
function ridge(count, centered) {
  return LOG_SIGMAS.map((y) => {
    const sigma = Math.exp(y);
    const precision = count / NOISE ** 2; // of the average of the observations
    const sd = 1 / Math.sqrt(centered ? 1 / sigma ** 2 + precision : 1 + sigma ** 2 * precision);
    const middle = AVERAGE * precision * sd ** 2 * (centered ? 1 : sigma);
    return { y, middle, sd, height: logDensity(middle, y, count, centered) };
  });
}

// The borders follow from that exactly, so that no grid can miss a narrow ridge.
function contours(id, count, centered) {
  const points = ridge(count, centered);
  const peak = d3.max(points, (p) => p.height);
  const range = centered && element("funnel-zoom").checked ? ZOOM : [-5, 5];
  const band = (share) =>
    points.map((p) => {
      const half = p.sd * Math.sqrt(2 * (p.height - peak - Math.log(share)));
      return { y: p.y, low: p.middle - half, high: p.middle + half }; // not a number where the density is too low
    });
  return Plot.plot({
    width: widthOf(id),
    height: 300,
    marginLeft: 44,
    ariaLabel: `Bands of the ${centered ? "centered" : "non-centered"} density with ${count} observations`,
    x: { label: centered ? "θ" : "z = θ / σ", domain: range },
    y: { label: "log σ", domain: d3.extent(LOG_SIGMAS) },
    marks: [
      ...SHARES.map((share) =>
        Plot.areaX(band(share), {
          y: "y", x1: "low", x2: "high", clip: true, curve: "linear",
          fill: colors().band(0.1 + 0.85 * share), stroke: colors().border, strokeWidth: 1, strokeOpacity: 0.6,
        }),
      ),
      Plot.frame(),
    ],
  });
}

function drawFunnel() {
  const count = COUNTS[Number(element("funnel-count").value)];
  element("funnel-value").textContent = count.toLocaleString("en");
  element("funnel-count").setAttribute("aria-valuetext", `${count} observations`);
  show("funnel-centered", contours("funnel-centered", count, true));
  show("funnel-noncentered", contours("funnel-noncentered", count, false));
  const spread = (logSigma) => 1 / Math.sqrt(Math.exp(-2 * logSigma) + count / NOISE ** 2);
  const centered = spread(1) / spread(-1);
  const noncentered = centered / Math.exp(2);
  element("funnel-summary").textContent =
    `From log σ = −1 to log σ = 1 the width of the centered picture grows by a factor of ${centered.toFixed(2)}, ` +
    `that of the non-centered one by a factor of ${noncentered.toFixed(2)}.` +
    (element("funnel-zoom").checked ? ` The centered picture is enlarged: its axis goes from ${ZOOM[0]} to ${ZOOM[1]}.` : "");
}

element("split-variance").addEventListener("input", drawSplit);
element("split-keep").addEventListener("change", drawSplit);
element("split-reset").addEventListener("click", () => {
  element("split-variance").value = START;
  element("split-keep").checked = true;
  drawSplit();
});
element("funnel-count").addEventListener("input", drawFunnel);
element("funnel-zoom").addEventListener("change", drawFunnel);
for (const form of document.querySelectorAll(".explorer form")) {
  form.addEventListener("submit", (event) => event.preventDefault());
}
new MutationObserver(() => {
  drawSplit();
  drawFunnel();
}).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return; // a phone's address bar changes the height only
  width = window.innerWidth;
  drawSplit();
  drawFunnel();
});
drawSplit();
drawFunnel();
