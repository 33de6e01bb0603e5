// Small pictures: lines over time, and distributions. Each is beside a table or a sentence that says the same.
tracer.chart = (() => {
  "use strict";
  const { units } = tracer;
  const { el, svg, table } = tracer.dom;

  // Steps of 1, 2 and 5 that divide a range into a few parts; of powers of two for bytes.
  function ticks(top, parts, base) {
    if (!(top > 0)) return [0];
    const unit = base === 1024 ? 1024 ** Math.floor(Math.log(top) / Math.log(1024)) : 10 ** Math.floor(Math.log10(top));
    const steps = base === 1024 ? [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512] : [0.1, 0.2, 0.5, 1, 2, 5];
    const step = (steps.find((step) => top / (step * unit) <= parts) || 1000) * unit;
    const list = [];
    for (let i = 0; i * step <= top * 1.0001; i++) list.push(i * step);
    return list;
  }

  // A path through points. A step keeps its height until the next point; `null` makes a gap.
  function path(points, x, y, stepped) {
    let text = "";
    let open = false;
    for (const [at, value] of points) {
      if (value === null) {
        open = false;
        continue;
      }
      const [px, py] = [x(at).toFixed(1), y(value).toFixed(1)];
      text += !open ? `M${px} ${py}` : stepped ? `H${px}V${py}` : `L${px} ${py}`;
      open = true;
    }
    return text;
  }

  // Axes of a picture of so many pixels.
  function frame({ width, height, left, right = 12, top = 10, bottom = 20, start = 0, end, max, format, base }) {
    const x = (at) => left + ((at - start) / (end - start || 1)) * (width - left - right);
    const y = (value) => height - bottom - (value / (max || 1)) * (height - bottom - top);
    const lines = ticks(max, Math.max(2, Math.floor((height - top) / 34)), base).map((value) => [
      svg("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
    ]);
    return { x, y, lines };
  }

  // One course over time: `points` are [ns, value].
  function course({ points, format, label, stepped, width = 420, height = 130, end }) {
    const max = points.reduce((most, [, value]) => Math.max(most, value), 0);
    const first = points[0][0];
    const last = end || points[points.length - 1][0];
    const bytes = format === units.bytes;
    const { x, y, lines } = frame({ width, height, left: 66, start: first, end: last, max, format, base: bytes ? 1024 : 10 });
    return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
      lines.flat(),
      svg("path", { class: "series s1", d: path(points, x, y, stepped) }),
      svg("text", { x: x(first), y: height - 5 }, units.duration(Math.round(first))),
      svg("text", { x: x(last), y: height - 5, "text-anchor": "end" }, units.duration(Math.round(last))));
  }

  // Which column of a picture with two columns for each power of two a size is in.
  const half = (size) => (size < 1 ? 0 : Math.floor(Math.log2(size) * 2) + 1);

  // Sizes on a logarithmic axis: how many allocations, and how many bytes, are of a size.
  function sizes(size) {
    const columns = new Map();
    let [allocs, bytes] = [0, 0];
    for (const [low, , count, sum] of size.bins) {
      const column = columns.get(half(low)) || [0, 0];
      columns.set(half(low), [column[0] + count, column[1] + sum]);
      allocs += count;
      bytes += sum;
    }
    if (columns.size === 0) return el("p", { class: "faint", text: "No sizes are known." });
    const keys = [...columns.keys()];
    // At least three powers of two, so that one size is not as wide as the picture.
    const from = Math.max(0, Math.min(...keys) - 2);
    const to = Math.max(Math.max(...keys) + 3, from + 8);
    return el("div", null, picture(columns, from, to, allocs, bytes),
      el("ul", { class: "legend" },
        el("li", null, key("block"), "share of allocations"), el("li", null, key("block other"), "share of bytes asked for")),
      el("details", null, el("summary", { text: "Sizes as a table" }), sizeTable(size, allocs, bytes)));
  }

  const key = (name) => svg("svg", { class: "chart", width: 12, height: 12, "aria-hidden": "true", style: "display:inline-block" },
    svg("rect", { class: name, width: 12, height: 12 }));

  function picture(columns, from, to, allocs, bytes) {
    const [width, height, left] = [420, 150, 44];
    const top = Math.max(...[...columns.values()].map(([count, sum]) => Math.max(units.share(count, allocs) || 0, units.share(sum, bytes) || 0)));
    const { x, y, lines } = frame({ width, height, left, start: from, end: to, max: top, format: (value) => `${+value.toFixed(1)} %`, base: 10 });
    const column = x(from + 1) - x(from);
    const block = (name, at, offset, share) => share > 0 && svg("rect", {
      class: name, x: x(at) + offset * column * 0.46 + column * 0.04, y: y(share), width: Math.max(1, column * 0.44), height: Math.max(1, y(0) - y(share)),
    });
    const blocks = [...columns].flatMap(([at, [count, sum]]) => [
      block("block", at, 0, units.share(count, allocs)), block("block other", at, 1, units.share(sum, bytes)),
    ]);
    const labels = [];
    const every = Math.ceil((to - from) / 2 / 6) * 2;
    for (let at = from + (from % 2 === 0 ? 1 : 0); at < to; at += every) {
      labels.push(svg("text", { x: x(at), y: height - 5, "text-anchor": "middle" }, units.size(Math.round(2 ** ((at - 1) / 2)))));
    }
    return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Distribution of sizes; the table below has the figures" },
      lines.flat(), blocks.filter(Boolean), labels);
  }

  function sizeTable(size, allocs, bytes) {
    const range = (low, high) => (low === high ? units.size(low) : `${units.size(low)} to ${units.size(high)}`);
    const rows = size.bins.map(([low, high, count, sum]) => [
      range(low, high), units.exact(count), units.percent(units.share(count, allocs)), units.bytes(sum), units.percent(units.share(sum, bytes)),
    ]);
    return table("Sizes asked for", ["Size", "#Allocations", "#Share", "#Bytes", "#Share"], rows);
  }

  // Times in classes of powers of two: [below ns, count].
  function times(caption, list) {
    const all = list.reduce((sum, [, count]) => sum + count, 0);
    const rows = list.map(([below, count]) => [
      `below ${units.duration(below)}`, units.exact(count),
      tracer.dom.shareOf(units.share(count, all)),
    ]);
    return table(caption, ["Time", "#Objects", "#Share"], rows);
  }

  return { ticks, path, frame, course, sizes, times };
})();
