// SPDX-License-Identifier: MIT
// Draws the charts of a trace's page with uPlot. The script runs in the browser; it loads nothing from the network.
const picture = JSON.parse(document.getElementById("picture").textContent);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");
const palette = ["blue", "orange", "green", "violet", "teal", "red"];

const CHARTS = [
  {
    data: picture.deviation,
    title: "Position against the card’s clock",
    about:
      "Zero is a clock that runs at the card’s own steady rate. A position above zero is ahead of that clock, one below zero is behind it. A triangle at an edge is a value beyond the scale.",
    unit: "ms",
    height: 240,
    curves: {
      pointer: { label: "card’s pointer", color: "orange" },
      told: { label: "told to the guest", color: "blue", points: true },
    },
  },
  {
    data: picture.fill,
    title: "Buffer fill",
    about: picture.type === "playback"
      ? "What the guest has written and the card has not played."
      : "What the card has captured and the guest has not read.",
    unit: "ms",
    height: 200,
    zero: true,
    curves: {
      buffer: { label: "the guest’s buffer", color: "quiet", dash: [6, 4] },
      fill: { label: "waiting", color: "green", fill: true },
    },
  },
  {
    data: picture.roundTrips,
    title: "Round trips",
    about: "From a request’s leaving the ring to its response.",
    unit: "µs",
    height: 220,
    log: true,
    curves: Object.fromEntries(
      picture.roundTrips.curves.map(({ name }, i) => [name, {
        label: name,
        color: palette[i % palette.length],
        points: true,
      }]),
    ),
  },
  {
    data: picture.xruns,
    title: "Xruns",
    about:
      "Since the guest connected: the guest came too late, or this host did. All charts are shaded while an xrun lasts.",
    unit: "count",
    height: 150,
    zero: true,
    whole: true,
    curves: {
      guest: { label: "the guest’s", color: "violet", stepped: true },
      host: { label: "the host’s", color: "red", stepped: true },
    },
  },
];

// Times and columns as uPlot takes them. Every chart spans the whole trace. A null interrupts a curve. An undefined, at a time where
// only other curves have a value, does not.
function columns({ data, curves, log }) {
  const times = [picture.from, ...data.times, picture.to];
  const named = Object.keys(curves).map((name) => data.curves.find((curve) => curve.name === name).values);
  const values = named.map((column) =>
    column.map((value, i) => {
      if (value === null) return named.every((other) => other[i] === null) ? null : undefined;
      return log ? Math.max(1, value) : value;
    })
  );
  return [times, ...values.map((column) => [null, ...column, null])];
}

function seriesOf({ curves, unit }) {
  const time = { label: "time", value: (_, value) => value == null ? "–" : `${value.toFixed(4)} s` };
  const lines = Object.values(curves).map((curve) => ({
    label: curve.label,
    stroke: () => color(curve.color),
    fill: curve.fill ? () => `color-mix(in srgb, ${color(curve.color)} 18%, transparent)` : undefined,
    width: 1.5,
    dash: curve.dash,
    paths: curve.points ? () => null : curve.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
    points: { show: curve.points === true, size: 4, fill: () => color(curve.color), width: 0 },
    value: (_, value) => value == null ? "–" : `${+value.toFixed(3)} ${unit}`,
  }));
  return [time, ...lines];
}

function rangeOf({ zero, whole, log }) {
  if (log) return undefined;
  return (plot, least, most) => {
    if (least === null) return [0, 1];
    if (whole) return [0, Math.max(4, most + 1)];
    const [min, max] = withoutOutliers(plot, least, most);
    const room = (max - min) * 0.1 || 1;
    return [zero ? Math.min(0, min - (min < 0 ? room : 0)) : min - room, max + room];
  };
}

// A few values far from all others would make one straight line of the others. `drawOutliers` shows them.
function withoutOutliers(plot, min, max) {
  const [from, to] = plot.series[0].idxs ?? [0, plot.data[0].length - 1];
  const values = plot.data.slice(1).flatMap((column) => column.slice(from, to + 1)).filter((value) =>
    value != null
  );
  if (values.length < 100) return [min, max];
  values.sort((a, b) => a - b);
  const [low, high] = [0.01, 0.99].map((part) => values[Math.round((values.length - 1) * part)]);
  const spread = high - low;
  if (spread === 0) return [min, max];
  return [min < low - 5 * spread ? low - spread : min, max > high + 5 * spread ? high + spread : max];
}

// Marks each value beyond the scale by a triangle at the chart's edge.
function drawOutliers(plot) {
  const { ctx, bbox: { left, top, width, height } } = plot;
  const { min, max } = plot.scales.y;
  const size = 5 * devicePixelRatio;
  ctx.save();
  plot.series.slice(1).forEach(({ stroke }, column) => {
    ctx.fillStyle = stroke();
    plot.data[column + 1].forEach((value, i) => {
      if (value == null || value >= min && value <= max) return;
      const x = plot.valToPos(plot.data[0][i], "x", true);
      if (x < left || x > left + width) return;
      const [edge, tip] = value > max ? [top + size, top] : [top + height - size, top + height];
      ctx.beginPath();
      ctx.moveTo(x - size, edge);
      ctx.lineTo(x + size, edge);
      ctx.lineTo(x, tip);
      ctx.fill();
    });
  });
  ctx.restore();
}

function axesOf({ unit, log, whole }, last) {
  const common = {
    stroke: () => color("quiet"),
    grid: { stroke: () => color("rule"), width: 1 },
    ticks: { stroke: () => color("rule"), width: 1 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    labelSize: 20,
  };
  const numbers = (_, splits) => splits.map((value) => value === null ? "" : String(+value.toFixed(6)));
  const y = { ...common, label: unit, size: 56, values: numbers };
  if (whole) y.incrs = [1, 2, 5, 10, 20, 50, 100, 1000, 10_000];
  if (log) {
    y.values = (_, splits) => splits.map((value) => Number.isInteger(Math.log10(value)) ? String(value) : "");
  }
  return [
    { ...common, label: last ? "seconds since the trace began" : undefined, values: numbers, size: 32 },
    y,
  ];
}

// Shades the xruns in every chart. The colour says whether the guest or the host caused the xrun.
function drawGaps(plot) {
  const { ctx, bbox: { left, top, width, height } } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  for (const { from, to, cause } of picture.gaps) {
    const [start, end] = [from, to].map((time) => plot.valToPos(time, "x", true));
    ctx.fillStyle = `color-mix(in srgb, ${color(cause === "guest" ? "violet" : "red")} 20%, transparent)`;
    ctx.fillRect(start, top, Math.max(2, end - start), height);
  }
  ctx.restore();
}

const width = () => document.querySelector("main").clientWidth - 34;

const plots = CHARTS.map((chart, i) => {
  const section = document.createElement("section");
  for (const [tag, text] of [["h2", `${chart.title} (${chart.unit})`], ["p", chart.about]]) {
    section.append(Object.assign(document.createElement(tag), { textContent: text }));
  }
  document.querySelector("main").append(section);
  const options = {
    width: width(),
    height: chart.height,
    cursor: { sync: { key: "trace", scales: ["x", null] }, drag: { x: true, y: false }, y: false },
    scales: { x: { time: false }, y: { distr: chart.log ? 3 : 1, range: rangeOf(chart) } },
    series: seriesOf(chart),
    axes: axesOf(chart, i === CHARTS.length - 1),
    hooks: { drawClear: [drawGaps], draw: chart.log ? [] : [drawOutliers] },
  };
  return new uPlot(options, columns(chart), section);
});

addEventListener(
  "resize",
  () => plots.forEach((plot, i) => plot.setSize({ width: width(), height: CHARTS[i].height })),
);
dark.addEventListener("change", () => plots.forEach((plot) => plot.redraw()));
requestAnimationFrame(() => document.documentElement.dataset.drawn = String(plots.length));
