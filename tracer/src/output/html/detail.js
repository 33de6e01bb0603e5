// All that is known of one site, below its row.
tracer.detail = (() => {
  "use strict";
  const { data, units, names, chart } = tracer;
  const { el, shareOf, table, facts } = tracer.dom;
  const PATHS = 12;
  const recorded = data.window;

  // Stacks are arrays: node, allocations, bytes, bytes asked for, live bytes, faults, the `go` statement, labels.
  function weight(stack) {
    if (names.isHeap) return stack[4] || 0;
    return (stack[2] === null ? stack[3] : stack[2]) || 0;
  }

  // Frames of a stack, innermost first.
  function pathOf(node) {
    const path = [];
    for (; node !== 0; node = data.tree.parent[node]) path.push(data.tree.frame[node]);
    return path;
  }

  // Those outside of the site, if the site is on the stack.
  function callers(path, site) {
    const own = site.frames;
    for (let start = 0; own.length > 0 && start + own.length <= path.length; start++) {
      if (own.every((frame, i) => path[start + i] === frame)) return path.slice(start + own.length);
    }
    return [];
  }

  function frameLine(index) {
    const frame = names.frame(index);
    return el("li", null, el("span", { class: "code", text: frame.fn }), " ",
      el("span", { class: "place faint", text: names.place(frame) }),
      frame.inlined ? el("span", { class: "faint", text: " (inlined)" }) : null);
  }

  const block = (title, ...content) => (content.filter(Boolean).length ? el("div", null, el("h3", { text: title }), content) : null);
  const wide = (title, ...content) => {
    const made = block(title, ...content);
    if (made) made.className = "wide";
    return made;
  };

  function figures(site) {
    const { figures, size } = site;
    const perSecond = (total) => (names.isHeap ? null : units.perSecond(total, recorded.duration_ns));
    const rated = (text, total, format) => {
      const rate = perSecond(total);
      return rate === null ? text : `${text} at ${format(rate)}`;
    };
    const estimated = (text, which, value) => [text, names.plusMinus(figures, which, value)].filter(Boolean).join(" ");
    const waste = figures.bytes !== null && figures.requested !== null && figures.bytes > 0
      ? ` · ${units.percent(units.share(figures.bytes - figures.requested, figures.bytes))} wasted by rounding` : "";
    const sizes = figures.allocs > 0 && size.max > 0;
    return block("Figures", facts([
      ["allocated", estimated(rated(units.bytes(figures.bytes), figures.bytes, units.byteRate), 1, figures.bytes)],
      ["requested", figures.requested === null ? null : units.bytes(figures.requested) + waste],
      ["allocations", estimated(rated(units.exact(figures.allocs), figures.allocs, units.rate), 0, figures.allocs)],
      ["size", sizes ? `${units.size(size.min)} to ${units.size(size.max)}` : null],
      ["half are at most", sizes ? units.size(size.p50) : null],
      ["90 % are at most", sizes ? units.size(size.p90) : null],
      ["99 % are at most", sizes ? units.size(size.p99) : null],
      ["sizes unknown of", size.unbinned > 0 ? units.exact(size.unbinned) : null],
    ]));
  }

  function where(site) {
    if (site.frames.length === 0) return block("Where", el("p", { class: "faint", text: "The place has no name." }));
    const fn = names.siteName(site);
    return block("Where", el("ol", { class: "frames" }, site.frames.map(frameLine)),
      el("p", null, el("button", { type: "button", onclick: () => tracer.flameView.find(fn), text: "Show in flame graph" })));
  }

  const sum = (a, b) => (a === null ? b : b === null ? a : a + b);

  // Stacks with the same callers are one path, whatever the runtime did between the site and its allocator.
  function paths(site) {
    const known = new Map();
    for (const stack of site.stacks) {
      const path = pathOf(stack[0]);
      const outside = callers(path, site);
      const key = JSON.stringify([path.length > 0, outside, stack[7]]);
      const same = known.get(key);
      if (!same) known.set(key, { path: [...site.frames, ...outside], outside, isKnown: path.length > 0, figures: stack.slice(), weight: weight(stack) });
      else {
        for (let i = 1; i <= 5; i++) same.figures[i] = sum(same.figures[i], stack[i]);
        same.weight += weight(stack);
      }
    }
    return [...known.values()].sort((a, b) => b.weight - a.weight);
  }

  function pathLine({ path, outside, isKnown, figures: stack, weight }, total) {
    const share = units.share(weight, total);
    const first = outside.slice(0, 3).map((index) => {
      const frame = names.frame(index);
      return names.local(frame.fn) + (frame.line === null ? "" : `:${frame.line}`);
    });
    const via = !isKnown ? "(stack unknown)" : first.length === 0 ? "(no callers)" : first.join(" ← ") + (outside.length > 3 ? " ← …" : "");
    const amounts = [`${units.percent(share)}`, units.bytes(names.isHeap ? stack[4] : stack[2]), `${units.count(stack[1])} allocations`];
    if (!names.isHeap && stack[4] !== null) amounts.push(`${units.bytes(stack[4])} alive`);
    if (stack[5]) amounts.push(units.plural(stack[5], "fault"));
    const creator = stack[6] === null ? null : names.frame(stack[6]);
    return el("details", { class: "stack" },
      el("summary", null, el("span", { class: "code", text: via }), " ", el("span", { class: "faint", text: amounts.join(" · ") })),
      el("ol", { class: "frames" }, path.map(frameLine)),
      creator ? el("p", { class: "faint" }, "goroutine made by ", el("span", { class: "code", text: `${creator.fn} ${names.place(creator)}` })) : null,
      stack[7].length ? el("p", { class: "faint", text: `labels ${stack[7].map(([key, value]) => `${key}=${value}`).join(", ")}` }) : null);
  }

  function stacks(site) {
    const list = paths(site);
    const total = list.reduce((sum, path) => sum + path.weight, 0);
    const left = list.slice(PATHS).reduce((sum, path) => sum + path.weight, 0);
    return wide(list.length > 1 ? `Callers: ${units.exact(list.length)} paths` : "Callers",
      list.slice(0, PATHS).map((path) => pathLine(path, total)),
      list.length > PATHS ? el("p", { class: "faint", text: `… and ${units.plural(list.length - PATHS, "more path")} with ${units.percent(units.share(left, total))}` }) : null);
  }

  // Types are arrays: name, allocations, bytes, bytes asked for, bytes with pointers, live bytes.
  function types(site) {
    if (site.types.length === 0) return null;
    const of = (type) => (type[2] === null ? type[3] : type[2]) || 0;
    const total = site.types.reduce((sum, type) => sum + of(type), 0);
    const live = site.types.some((type) => type[5] !== null);
    const pointers = site.types.some((type) => type[4] !== null);
    const head = ["Type", "#Share", "#Bytes", "#Allocations", ...(pointers ? ["#Pointers"] : []), ...(live ? ["#Alive"] : [])];
    const rows = site.types.map((type) => [
      el("span", { class: "code", text: names.typeName(data.strings[type[0]]) }), units.percent(units.share(of(type), total)),
      units.bytes(type[2] === null ? type[3] : type[2]), units.count(type[1]), ...(pointers ? [units.bytes(type[4])] : []), ...(live ? [units.bytes(type[5])] : []),
    ]);
    return block("Types", table("Types allocated here", head, rows));
  }

  function alive(site) {
    const { live, recent, growth } = site;
    if (!live && !recent && !growth) return null;
    const list = facts([
      ["alive", live ? `${units.bytes(live.bytes)} ± ${units.bytes(live.bytes_error)} · ${units.count(live.objects)} objects` : null],
      ["at the start", live && live.bytes_at_start !== null ? units.bytes(live.bytes_at_start) : null],
      ["ever allocated", live ? units.bytes(live.bytes_allocated) : null],
      ["of this capture", recent ? `${units.bytes(recent.bytes)} ± ${units.bytes(recent.bytes_error)}` : null],
      ["samples", recent ? `${units.exact(recent.samples)}, ${units.exact(recent.freed)} of them freed` : null],
      ["growth", growth ? `${units.growth(site.figures.growth)} over ${units.plural(growth.cycles, "cycle")} of the collector` : null],
      ["goroutines", recent && recent.goroutines.length ? recent.goroutines.map(([id, count]) => `${id} (${units.exact(count)})`).join(", ") : null],
    ]);
    const course = growth && growth.course.length > 1
      ? chart.course({ points: growth.course, format: units.bytes, label: `Live bytes from ${units.bytes(growth.first_bytes)} to ${units.bytes(growth.last_bytes)}` }) : null;
    return block("Alive", list, course,
      recent && recent.ages_ns.length ? [el("h3", { text: "Age of live objects" }), chart.times("Age of live objects", recent.ages_ns)] : null,
      recent && recent.lifetimes_ns.length ? [el("h3", { text: "Lifetime of freed objects" }), chart.times("Lifetime of freed objects", recent.lifetimes_ns)] : null);
  }

  function pages(site) {
    const { faults, gc } = site;
    const memory = faults && Object.entries(faults.by_memory).filter(([, count]) => count > 0);
    return block("Page faults and collector", facts([
      ["page faults", faults ? units.exact(faults.minor + faults.major) : null],
      ["major", faults && faults.major > 0 ? units.exact(faults.major) : null],
      ["of", memory && memory.length ? memory.map(([kind, count]) => `${kind} ${units.exact(count)}`).join(", ") : null],
      ["writes, reads", faults && faults.writes + faults.reads > 0 ? `${units.exact(faults.writes)}, ${units.exact(faults.reads)}` : null],
      ["mark assists", gc ? `${units.nanoseconds(gc.assist_ns)} in ${units.exact(gc.assists)}` : null],
      ["runtime.GC", gc && gc.calls > 0 ? units.plural(gc.calls, "call") : null],
    ]));
  }

  function make(site) {
    const sizes = site.size.bins.length ? block("Sizes asked for", chart.sizes(site.size)) : null;
    const faultsOrGc = site.faults || site.gc ? pages(site) : null;
    return el("div", { class: "panel" }, [where(site), figures(site), sizes, types(site), alive(site), faultsOrGc, stacks(site)].filter(Boolean));
  }

  // Below a group: where most of it is allocated.
  function ofGroup(group) {
    const total = names.isHeap ? group.figures.live : group.figures.bytes === null ? group.figures.requested : group.figures.bytes;
    const rows = group.sites.map(([index, bytes]) => [
      names.siteLink(index), shareOf(units.share(bytes, total)), units.bytes(bytes),
    ]);
    const rest = group.site_count - group.sites.length;
    return el("div", { class: "panel" }, wide("Where most of it is allocated", table("Sites", ["Site", "#Share", "#Bytes"], rows),
      rest > 0 ? el("p", { class: "faint", text: `… and ${units.plural(rest, "more site")}` }) : null));
  }

  return { make, ofGroup, weight, pathOf };
})();
