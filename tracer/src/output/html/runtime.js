// What the runtime and the kernel did: memory, collector, page faults; and what the capture lacks and cost.
tracer.runtime = (() => {
  "use strict";
  const { data, units, names } = tracer;
  const { el, shareOf, table, facts, append, get } = tracer.dom;
  const PLACES = 10;
  const TONES = ["--one", "--two", "--three", "--four", "--fill", "--flame-1", "--flame-3", "--line"];

  // Hides a section that the capture has nothing for.
  function fill(id, ...content) {
    const section = get(id);
    const made = content.filter(Boolean);
    section.hidden = made.length === 0;
    append(section, made);
  }

  function memory() {
    const { memory, parts } = data;
    if (memory === null) return fill("memory");
    const live = memory.parts.live_heap;
    const statements = [
      `RSS ${units.bytes(memory.rss_bytes)}`,
      live > 0 && `${(memory.rss_bytes / live).toFixed(1)} times the live heap`,
      `anonymous ${units.bytes(memory.anon_bytes)}`,
      `of files ${units.bytes(memory.file_bytes)}`,
      memory.swap_bytes > 0 && `${units.bytes(memory.swap_bytes)} swapped out`,
      memory.gc_percent !== null && `GOGC ${memory.gc_percent < 0 ? "off" : memory.gc_percent}`,
      memory.go_limit_bytes !== null && `GOMEMLIMIT ${units.bytes(memory.go_limit_bytes)}`,
    ].filter(Boolean);
    const share = (bytes) => units.share(bytes, memory.rss_bytes);
    const shown = parts.filter(([, , bytes]) => bytes > 0);
    const all = shown.reduce((sum, [, , bytes]) => sum + bytes, 0);
    const strip = el("div", { class: "stacked", "aria-hidden": "true" }, shown.map(([words, , bytes], i) => {
      const part = el("span", { title: `${words} ${units.bytes(bytes)}` });
      part.style.inlineSize = `${units.share(bytes, all)}%`;
      part.style.backgroundColor = `var(${TONES[i % TONES.length]})`;
      return part;
    }));
    const swatch = (i) => {
      const mark = el("span", { class: "swatch", "aria-hidden": "true" });
      mark.style.backgroundColor = `var(${TONES[i % TONES.length]})`;
      return mark;
    };
    const rows = shown.map(([words, , bytes], i) => [[swatch(i), words], units.bytes(bytes), shareOf(share(bytes))]);
    fill("memory", el("p", { text: statements.join(" · ") }),
      shown.length ? [strip, table("Parts of resident memory", ["Part", "#Bytes", "#Share of RSS"], rows, "narrow")] : null,
      memory.untouched_bytes > memory.rss_bytes / 100 && el("p", { class: "faint", text: `${units.bytes(memory.untouched_bytes)} of these are not resident: never touched, or swapped out.` }),
      shown.length ? el("p", { text: `→ mostly ${shown[0][0]}; ${shown[0][1]}` }) : null);
  }

  // Sites with most of something: share, amount, name.
  function places(caption, value, total, format, head) {
    const { top, rest } = tracer.sites.most(value, PLACES);
    if (top.length === 0) return null;
    const rows = top.map(({ index, site }) => [names.siteLink(index), shareOf(units.share(value(site), total)), format(value(site))]);
    return [table(caption, ["Site", "#Share", head], rows, "narrow"), rest > 0 ? el("p", { class: "faint", text: `… and ${units.plural(rest, "more site")}` }) : null];
  }

  function live() {
    if (!data.heap || !names.words("alive").length) return fill("live");
    const most = (site) => Math.max(site.live ? site.live.bytes : 0, site.recent ? site.recent.bytes : 0);
    const total = data.heap.history ? data.heap.history.bytes : data.live_bytes;
    return fill("live", names.sayWords("alive"), places("Sites with most live bytes", most, total, units.bytes, "#Alive"));
  }

  function collector() {
    const { gc } = data;
    if (gc === null) return fill("gc");
    const bytes = (value) => units.bytes(value);
    const rows = gc.cycles.slice(0, 500).map((cycle) => [
      units.duration(cycle.end_ns), cycle.trigger || "-", bytes(cycle.heap_before), bytes(cycle.heap_peak), bytes(cycle.heap_after), bytes(cycle.heap_goal),
      cycle.assist_ns === null ? "-" : units.nanoseconds(cycle.assist_ns), cycle.worker_ns === null ? "-" : units.nanoseconds(cycle.worker_ns),
      cycle.stw_ns.map(units.nanoseconds).join(", ") || "-",
    ]);
    const head = ["#Ended at", "Trigger", "#Heap before", "#Peak", "#Live after", "#Goal", "#Assists", "#Workers", "Pauses"];
    return fill("gc", names.sayWords("GC", "cycles"), names.sayWords("paused"), names.sayWords("also"), names.sayWords("assists"),
      gc.skipped.map((skipped) => el("p", { class: "caution", text: `! not seen: ${skipped}` })),
      gc.overflowed > 0 && el("p", { class: "caution", text: `! ${units.exact(gc.overflowed)} assists and calls at no place` }),
      places("Sites that help the collector most", (site) => (site.gc ? site.gc.assist_ns : 0), gc.assist_ns, units.nanoseconds, "#Assists"),
      rows.length ? el("details", null, el("summary", { text: `${units.plural(rows.length, "cycle")} as a table` }), table("Cycles of the collector", head, rows)) : null);
  }

  function faults() {
    const { faults } = data;
    if (faults === null) return fill("faults");
    const all = faults.minor + faults.major;
    return fill("faults", names.sayWords("faults", "recorded"),
      places("Sites that touch most pages first", (site) => (site.faults ? site.faults.minor + site.faults.major : 0), all, units.exact, "#Faults"),
      faults.at_no_site > 0 && el("p", { class: "caution", text: `! ${units.exact(faults.at_no_site)} at no place: their stack is not known` }));
  }

  const spaced = (name) => name.replaceAll("_", " ");
  // Names of causes begin with that of the family, but for allocations.
  const causes = (lost, family = "") => Object.entries(lost).map(([cause, count]) =>
    `${spaced(cause.startsWith(`${family}_`) ? cause.slice(family.length + 1) : cause)} ${units.exact(count)}`).join(", ");
  const sum = (lost) => Object.values(lost).reduce((all, count) => all + count, 0);

  function completeness() {
    const { completeness } = data;
    const count = (value) => el("span", { class: value > 0 ? "bad" : null, text: units.exact(value) });
    const family = (name, hits, delivered, sampledOut, lost) => {
      const gap = hits === null ? null : Math.abs(hits - delivered - sampledOut - sum(lost));
      return [spaced(name), units.exact(hits), units.exact(delivered), count(sum(lost)), count(gap), el("span", { class: "faint", text: causes(lost, name) })];
    };
    const rows = [
      family("allocations", completeness.hits, completeness.delivered, completeness.sampled_out, completeness.lost),
      ...Object.entries(completeness.families).map(([name, { hits, delivered, lost }]) => family(name, hits, delivered, 0, lost)),
    ];
    const counters = Object.entries(completeness.counters).map(([name, value]) => [spaced(name), units.exact(value)]);
    const known = (value) => (value === null || value === undefined ? "-" : units.exact(value));
    fill("completeness",
      names.sayWords("complete") || el("p", { class: "faint", text: "Nothing was probed: the figures are the runtime's own profile." }),
      names.sayWords("estimated"),
      table("Records by kind", ["Records", "#Hits", "#Delivered", "#Lost", "#Unaccounted for", "Causes of loss"], rows),
      el("div", { class: "cols" },
        el("div", null, facts([
          ["coverage", completeness.coverage === null ? "-" : units.percent(completeness.coverage * 100)],
          ["sampled out", known(completeness.sampled_out)],
          ["unknown pcs", known(completeness.unknown_pcs)],
          ["truncated stacks", `${known(completeness.truncated_stacks)}${sum(completeness.truncated_by) > 0 ? `: ${causes(completeness.truncated_by)}` : ""}`],
          ["stack never arrived", known(completeness.undefined_stacks)],
          ["too many stacks", known(completeness.overflowed)],
          ["too many sizes", known(completeness.unbinned_sizes)],
          ["bytes unsure by", known(completeness.unsure_bytes)],
        ])),
        counters.length ? el("details", null, el("summary", { text: "All counters of the kernel half" }), table("Counters", ["Counter", "#Count"], counters)) : null));
  }

  function overhead() {
    const { overhead } = data;
    const cpu = (percent) => (percent === null ? "-" : `${units.percent(percent)} of one CPU`);
    fill("overhead", facts([
      ["each hit", units.nanoseconds(overhead.ns_per_hit)],
      ["hits", units.rate(overhead.hits_per_s)],
      ["in probes", cpu(overhead.target_cpu_pct)],
      ["of the target's", overhead.target_share_pct === null ? "-" : `${units.percent(overhead.target_share_pct)} of the CPU time it used`],
      ["target used", cpu(overhead.target_used_pct)],
      ["agent CPU", cpu(overhead.agent_cpu_pct)],
      ["agent RSS", units.bytes(overhead.agent_rss_bytes)],
    ]));
  }

  return { memory, live, collector, faults, completeness, overhead };
})();
