// The course of the capture: memory, allocation, collector and page faults over the same time.
tracer.timeline = (() => {
  "use strict";
  const { data, units, chart } = tracer;
  const { el, svg, table, get } = tracer.dom;
  const points = data.timeline;
  const { mode_steps: steps, duration_ns: duration } = data.window;
  const LEFT = 78;
  const RIGHT = 12;
  const TABLE_ROWS = 500;
  const parts = {};

  const has = (key) => points.some((point) => point[key] !== null);
  const end = Math.max(duration, points.length ? points[points.length - 1].t_ns : 0);

  // Amounts of intervals per second; the first interval begins with the capture.
  const rates = (key) => points.map((point, i) => units.perSecond(point[key], point.t_ns - (i > 0 ? points[i - 1].t_ns : 0)));

  function panels() {
    const list = [];
    const series = [
      ["RSS", "rss_bytes"], ["heap", "heap_live"], ["next collection at", "heap_goal"], ["control group uses", "limit_used_bytes"],
    ].filter(([, key]) => has(key)).map(([name, key]) => ({ name, format: units.bytes, values: points.map((point) => point[key]) }));
    if (series.length) list.push({ title: "Memory", height: 170, format: units.bytes, base: 1024, series, limit: data.target.memory_limit_bytes });
    if (has("alloc_bytes")) list.push({ title: "Allocated per second", height: 100, format: units.byteRate, base: 1024, area: true, series: [{ name: "allocated", format: units.byteRate, values: rates("alloc_bytes") }] });
    else if (has("allocs")) list.push({ title: "Allocations per second", height: 100, format: units.rate, base: 10, area: true, series: [{ name: "allocations", format: units.rate, values: rates("allocs") }] });
    if (has("faults")) list.push({ title: "Page faults per second", height: 80, format: units.rate, base: 10, area: true, series: [{ name: "page faults", format: units.rate, values: rates("faults") }] });
    const cycles = { name: "GC cycles", format: units.exact, values: points.map((point) => point.gc_cycles) };
    if (data.gc && data.gc.cycles.length) list.push({ title: "Collector", height: 44, cycles: data.gc.cycles, series: has("gc_cycles") ? [cycles] : [] });
    else if (has("gc_cycles")) list.push({ title: "GC cycles", height: 70, format: units.count, base: 10, area: true, series: [cycles] });
    return list;
  }

  function panel(made, top, width) {
    const { height } = made;
    const title = svg("text", { class: "label", x: LEFT, y: top + 12 }, made.title);
    if (made.cycles) return [title, collector(made.cycles, top + 18, width)];
    const known = made.series.flatMap((series) => series.values).filter((value) => value !== null);
    let max = known.reduce((most, value) => Math.max(most, value), 0);
    // A limit that is far away would flatten the curves.
    const near = made.limit !== null && made.limit !== undefined && made.limit < 2 * max;
    if (near) max = Math.max(max, made.limit);
    const area = { width, height: height + top, left: LEFT, right: RIGHT, top: top + 20, bottom: 8, end, max, format: made.format, base: made.base };
    const { x, y, lines } = chart.frame(area);
    const shapes = made.series.map((series, i) => {
      const course = points.map((point, at) => [point.t_ns, series.values[at]]);
      return [
        made.area ? svg("path", { class: "area", d: closed(course, x, y) }) : null,
        svg("path", { class: `series s${(i % 4) + 1}`, d: made.area ? chart.path(backwards(course), x, y, true) : chart.path(course, x, y, false) }),
      ];
    });
    const limit = near ? [svg("line", { class: "step", x1: LEFT, x2: width - RIGHT, y1: y(made.limit), y2: y(made.limit) }), svg("text", { x: width - RIGHT, y: y(made.limit) - 4, "text-anchor": "end" }, `limit ${units.bytes(made.limit)}`)] : [];
    return [title, lines, shapes, limit];
  }

  // A rate holds for the interval before its point: drawn as a step that ends there.
  function backwards(course) {
    return course.flatMap(([at, value], i) => [[i > 0 ? course[i - 1][0] : 0, value], [at, value]]);
  }

  function closed(course, x, y) {
    const blocks = backwards(course);
    let text = "";
    for (let i = 0; i + 1 < blocks.length; i += 2) {
      if (blocks[i][1] === null) continue;
      text += `M${x(blocks[i][0]).toFixed(1)} ${y(0).toFixed(1)}V${y(blocks[i][1]).toFixed(1)}H${x(blocks[i + 1][0]).toFixed(1)}V${y(0).toFixed(1)}Z`;
    }
    return text;
  }

  // Each cycle from its start to its end, at least a pixel.
  function collector(cycles, top, width) {
    const x = (at) => LEFT + (at / (end || 1)) * (width - LEFT - RIGHT);
    const blocks = cycles.map((cycle) => {
      const start = x(cycle.start_ns === null ? cycle.end_ns : cycle.start_ns);
      return svg("rect", { class: "block other", x: start.toFixed(1), y: top, width: Math.max(1, x(cycle.end_ns) - start).toFixed(1), height: 18 });
    });
    return [svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: top + 18, y2: top + 18 }), blocks];
  }

  function axis(top, width) {
    const x = (at) => LEFT + (at / (end || 1)) * (width - LEFT - RIGHT);
    const times = chart.ticks(end, width < 500 ? 4 : 10, 10);
    return times.map((at) => [
      svg("line", { class: "axis", x1: x(at), x2: x(at), y1: top, y2: top + 4 }),
      svg("text", { x: x(at), y: top + 16, "text-anchor": at === 0 ? "start" : "middle" }, at === 0 ? "0" : units.duration(Math.round(at))),
    ]);
  }

  function draw() {
    const width = Math.max(300, Math.min(1500, parts.box.clientWidth));
    const list = parts.panels;
    let top = 16;
    const shapes = [];
    for (const made of list) {
      shapes.push(panel(made, top, width));
      top += made.height + 6;
    }
    const x = (at) => LEFT + (at / (end || 1)) * (width - LEFT - RIGHT);
    const marks = steps.map((step, i) => [
      svg("line", { class: "step", x1: x(step.at_ns), x2: x(step.at_ns), y1: 14, y2: top }),
      i < 20 ? svg("text", { x: x(step.at_ns), y: 10, "text-anchor": "middle" }, String(i + 1)) : null,
    ]);
    parts.cursor = svg("line", { class: "cursor", y1: 14, y2: top, visibility: "hidden" });
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${top + 22}`, width, height: top + 22, role: "img", "aria-label": "Timeline; the slider below reads it point by point" },
      [shapes, marks].flat(Infinity).filter(Boolean), axis(top, width).flat(), parts.cursor);
    picture.addEventListener("mousemove", (event) => {
      const place = picture.getBoundingClientRect();
      const at = ((event.clientX - place.left) * (width / place.width) - LEFT) / (width - LEFT - RIGHT) * end;
      point(nearest(at));
    });
    parts.x = x;
    parts.box.replaceChildren(picture);
    if (parts.at !== undefined) point(parts.at);
  }

  // The interval that a time is in.
  function nearest(at) {
    let [low, high] = [0, points.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle].t_ns < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function point(at) {
    parts.at = at;
    const x = parts.x(points[at].t_ns);
    parts.cursor.setAttribute("x1", x);
    parts.cursor.setAttribute("x2", x);
    parts.cursor.setAttribute("visibility", "visible");
    const values = parts.panels.flatMap((made) => made.series).map((series) => `${series.name} ${series.format(series.values[at])}`);
    const text = [`at ${units.duration(points[at].t_ns)}`, ...values].join(" · ");
    parts.values.textContent = text;
    parts.slider.value = String(at);
    parts.slider.setAttribute("aria-valuetext", text);
  }

  function legend() {
    const made = parts.panels.find((made) => made.series.length > 1);
    if (!made) return null;
    return el("ul", { class: "legend" }, made.series.map((series, i) => el("li", null,
      svg("svg", { class: "chart", width: 30, height: 8, "aria-hidden": "true", style: "display:inline-block" }, svg("path", { class: `series s${(i % 4) + 1}`, d: "M0 4H30" })), series.name)));
  }

  function stepList() {
    if (steps.length === 0) return null;
    return el("div", null, el("h3", { text: "What was recorded when" }), el("ol", { class: "frames" }, steps.map((step) =>
      el("li", null, `at ${units.duration(step.at_ns)} `, el("strong", { text: step.mode.replaceAll("_", " ") }), `: ${step.reason}`))));
  }

  function figures() {
    const series = parts.panels.flatMap((made) => made.series);
    const every = Math.max(1, Math.ceil(points.length / TABLE_ROWS));
    const rows = points.map((point, at) => [at, point]).filter(([at]) => at % every === 0).map(([at, point]) => [
      units.duration(point.t_ns), ...series.map((series) => series.format(series.values[at])),
    ]);
    return el("details", null, el("summary", { text: every > 1 ? `One point in ${every} as a table` : "Points as a table" }), table("Timeline", ["#Time", ...series.map(({ name }) => `#${name}`)], rows));
  }

  function show() {
    const section = get("timeline");
    parts.panels = panels();
    if (points.length < 2 || parts.panels.length === 0) {
      tracer.dom.append(section, [el("p", { class: "faint", text: points.length < 2 ? "The capture is too short to have a course." : "Nothing was measured over time." }), stepList()]);
      return;
    }
    parts.box = el("div", { class: "timeline-box" });
    parts.values = el("p", { class: "status", id: "timeline-values" });
    parts.slider = el("input", { type: "range", min: "0", max: String(points.length - 1), value: String(points.length - 1), "aria-label": "Point in time", oninput: (event) => point(Number(event.target.value)) });
    parts.slider.style.marginInlineStart = `${LEFT - 8}px`;
    parts.slider.style.inlineSize = `calc(100% - ${LEFT + RIGHT - 16}px)`;
    tracer.dom.append(section, [legend(), parts.values, parts.box, parts.slider, stepList(), figures()]);
    parts.at = points.length - 1;
    draw();
    let width = parts.box.clientWidth;
    new ResizeObserver(() => {
      if (parts.box.clientWidth !== width) {
        width = parts.box.clientWidth;
        draw();
      }
    }).observe(parts.box);
  }

  return { show };
})();
