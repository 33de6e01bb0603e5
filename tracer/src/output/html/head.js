// The top of the page: what was traced, the headline figures, what is wrong.
tracer.head = (() => {
  "use strict";
  const { data, units, names } = tracer;
  const { el, get } = tracer.dom;
  const { target, window: recorded, totals } = data;
  const FINDINGS = 10;
  const WORDS = { critical: "Critical", warning: "Warning", info: "Note" };

  function title() {
    const exe = target.exe.split("/").pop() || target.exe;
    document.title = `${exe} (${target.pid}) · tracer`;
    get("title").textContent = exe;
    const when = new Date(recorded.start_unix_ns / 1e6);
    const time = Number.isNaN(when.getTime()) ? null : `${when.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    const traits = [
      `pid ${target.pid}`,
      `${target.go_version} ${target.arch}`,
      target.stripped && "stripped",
      target.cgo && "cgo",
      target.container && `container ${target.container.slice(0, 12)}`,
      recorded.duration_ns > 0 ? `${recorded.mode} for ${units.duration(recorded.duration_ns)}` : recorded.mode,
      data.end,
      time,
    ];
    get("subtitle").textContent = traits.filter(Boolean).join(" · ");
    get("subtitle").title = target.exe;
    get("foot").textContent = `Written by tracer from a capture of ${target.exe}` +
      (target.build_id ? `, build id ${target.build_id}` : "") + ". Everything is inside this file; it loads nothing.";
  }

  function card(term, figure, ...more) {
    return el("div", { class: "card" }, el("dt", { text: term }),
      el("dd", null, el("div", { class: "figure", text: figure }), more.filter(Boolean).map((text) => el("div", { class: "more", text }))));
  }

  const last = (key) => {
    const known = data.timeline.map((point) => point[key]).filter((value) => value !== null);
    return known.length ? known[known.length - 1] : null;
  };
  // At the start: no point that has most of the capture before it.
  const first = (key) => {
    const point = data.timeline.find((point) => point[key] !== null);
    return point && point.t_ns <= data.timeline[data.timeline.length - 1].t_ns / 2 ? point[key] : null;
  };

  // `+3.1 MiB` since the first point of the timeline.
  function change(key) {
    const [from, to] = [first(key), last(key)];
    if (from === null || data.timeline.length < 2) return null;
    return `${to < from ? "-" : "+"}${units.bytes(Math.abs(to - from))} in the capture`;
  }

  function allocated() {
    const { estimate } = totals;
    const figures = { error: estimate && [estimate.allocs_error, estimate.alloc_bytes_error] };
    const since = names.isHeap && "since the process started";
    const rate = (format, total) => !names.isHeap && `${names.atLeast(format(units.perSecond(total, recorded.duration_ns)))}`;
    const isRounded = totals.alloc_bytes !== null;
    const title = isRounded ? "Allocated" : "Requested";
    const shown = isRounded ? totals.alloc_bytes : totals.requested_bytes;
    return [
      card(title, names.atLeast(units.bytes(shown)), rate(units.byteRate, shown), since, names.plusMinus(figures, 1, shown)),
      card("Allocations", names.atLeast(units.count(totals.allocs)), rate(units.rate, totals.allocs), since, names.plusMinus(figures, 0, totals.allocs)),
    ];
  }

  function collector() {
    if (data.gc === null) return null;
    const every = data.gc.cycles_total > 0 && `one in ${units.duration(Math.floor(recorded.duration_ns / data.gc.cycles_total))}`;
    const paused = data.gc.pause_count > 0 && `paused ${units.nanoseconds(data.gc.pause_total_ns)}, longest ${units.nanoseconds(data.gc.pause_longest_ns)}`;
    return card("GC", units.plural(data.gc.cycles_total, "cycle"), every, paused);
  }

  function faults() {
    if (data.faults === null) return null;
    const all = data.faults.minor + data.faults.major;
    const until = data.faults_until_ns;
    const ns = until === null ? recorded.duration_ns : until;
    return card("Page faults", units.count(all), units.rate(units.perSecond(all, ns)), until !== null && `recorded for ${units.duration(ns)}`,
      data.faults.major > 0 && `${units.exact(data.faults.major)} major`);
  }

  function live() {
    const history = data.heap && data.heap.history;
    const recent = data.heap && data.heap.live_since_attach;
    if (history) {
      const grown = history.bytes_at_start === null ? null
        : `${history.bytes < history.bytes_at_start ? "-" : "+"}${units.bytes(Math.abs(history.bytes - history.bytes_at_start))} in the capture`;
      return card("Live heap", units.bytes(history.bytes), `${units.count(history.objects)} objects`, grown);
    }
    if (recent) return card("Live heap", units.bytes(recent.bytes), "of what was allocated in the capture");
    const heap = last("heap_live");
    return heap === null ? null : card("Heap", units.bytes(heap), "as the collector sees it", change("heap_live"));
  }

  function memory() {
    const rss = data.memory ? data.memory.rss_bytes : last("rss_bytes");
    if (rss === null) return null;
    const limit = target.memory_limit_bytes;
    const used = last("limit_used_bytes");
    return card("RSS", units.bytes(rss), change("rss_bytes"),
      limit !== null && `limit ${units.bytes(limit)}${used === null ? "" : `, ${units.percent(units.share(used, limit))} used`}`);
  }

  // That figures are too low comes before the figures, and not once more below them.
  function summary() {
    if (names.isBound) get("summary").append(el("p", { class: "words bad", id: "lower-bound", text: `✗ ${data.lower_bound}` }));
    const cards = names.isHeap ? [live(), ...allocated(), memory()] : [...allocated(), memory(), live(), collector(), faults()];
    get("summary").append(el("dl", { class: "cards" }, cards.filter(Boolean)));
    tracer.dom.append(get("summary"), [names.sayWords("complete"), names.isBound ? null : names.sayWords("estimated"), names.sayWords("overhead"), names.sayWords("heap")]);
    if (recorded.mode_steps.length > 0) {
      get("summary").append(el("p", { class: "words" }, el("span", { class: "label", text: "mode" }),
        el("span", { class: "caution", text: `! changed ${recorded.mode_steps.length === 1 ? "once" : `${units.exact(recorded.mode_steps.length)} times`}` }),
        " · ", el("a", { href: "#timeline", text: "see the timeline" })));
    }
  }

  function finding(found) {
    const tone = found.severity === "critical" ? "bad" : found.severity === "warning" ? "caution" : "info";
    const link = found.site !== null ? el("p", null, "Site: ", names.siteLink(found.site))
      : found.map !== null ? el("p", null, el("a", { href: `#map-${found.map}`, text: "Its maps and their growth" })) : null;
    return el("li", { class: `finding ${found.severity}` },
      el("h3", null, el("span", { class: `badge ${tone}`, text: WORDS[found.severity] || found.severity }), found.title),
      el("p", { text: found.evidence }),
      el("p", null, el("span", { class: "faint", "aria-hidden": "true", text: "→ " }), found.advice),
      link);
  }

  // The worst, and more if they are asked for.
  function list(section) {
    const found = data.findings;
    const shown = el("ul", { class: "findings" }, found.slice(0, FINDINGS).map(finding));
    section.append(shown);
    if (found.length <= FINDINGS) return;
    const more = el("p", null, el("button", { type: "button", text: `Show all ${units.exact(found.length)} findings`, onclick: () => {
      const next = found.slice(FINDINGS).map(finding);
      shown.append(...next);
      more.remove();
      next[0].setAttribute("tabindex", "-1");
      next[0].focus();
    } }));
    section.append(more);
  }

  function findings() {
    const section = get("findings");
    if (data.findings.length > 0) list(section);
    else section.append(el("p", { class: "faint", text: "None: no rule found anything wrong in what was recorded." }));
    for (const crash of data.crashes) {
      section.append(el("details", null,
        el("summary", null, el("span", { class: "code", text: crash.function }), `: ${crash.message} (${units.exact(crash.count)}×)`),
        el("ol", { class: "frames" }, crash.frames.map((frame) => el("li", { class: "code", text: `${frame.function} ${names.place(frame)}` })))));
    }
  }

  // Links to the sections that the capture has something for.
  function contents() {
    const sections = [...document.querySelectorAll("main > section:not([hidden])")].filter((section) => section.querySelector("h2"));
    const link = (section) => el("li", null, el("a", { href: `#${section.id}`, text: section.querySelector("h2").textContent }));
    get("nav").append(el("ul", null, sections.map(link)));
  }

  return { title, summary, findings, contents };
})();
