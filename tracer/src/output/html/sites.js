// The table of sites, and of what they have in common: searched, filtered and grouped.
tracer.sites = (() => {
  "use strict";
  const { data, units, names } = tracer;
  const { el, shareOf, get } = tracer.dom;
  const recorded = data.window;
  const PACKAGES = 300;
  const rows = data.sites.map((site, index) => ({ index, site, figures: site.figures, text: null }));
  const groupRows = {};
  const filters = { search: "", by: "site", owner: "", package: "", only: "" };
  let table = null;
  let status = null;

  // What a search looks through, made when it is first needed.
  function textOf(row) {
    if (row.text === null) {
      const frames = (row.site ? row.site.frames : []).map(names.frame);
      const types = row.site ? row.site.types.map((type) => data.strings[type[0]]) : [];
      row.text = [row.group ? row.group.name : "", ...frames.map((frame) => `${frame.fn} ${frame.pkg} ${names.place(frame)}`), ...types].join("\n").toLowerCase();
    }
    return row.text;
  }

  const innermost = (row) => (row.site && row.site.frames.length ? names.frame(row.site.frames[0]) : null);

  function ofGroups(by) {
    if (!groupRows[by]) {
      const found = data.groups.find((groups) => groups.by === by);
      groupRows[by] = found.groups.map((group, index) => ({ index, group, figures: group.figures, text: null }));
    }
    return groupRows[by];
  }

  function nameCell(row) {
    if (row.group) return el("span", { class: "code row-name", text: filters.by === "type" ? names.typeName(row.group.name) : row.group.name === "-" ? "(unnamed)" : row.group.name });
    const frame = innermost(row);
    if (!frame) return [el("span", { class: "row-name", text: "(unnamed)" })];
    const hosts = names.hosts(row.site);
    const types = row.site.types.slice(0, 3).map((type) => names.typeName(data.strings[type[0]]));
    const stack = row.site.stacks[0];
    const into = hosts.length ? el("div", { class: "row-more" }, "inlined into ", el("span", { class: "code", text: hosts.map((host) => names.local(host.fn)).join(", ") })) : null;
    return [
      el("span", { class: "code row-name", text: frame.fn }), into,
      el("div", { class: "row-more" },
        el("span", { class: "place", title: names.place(frame), text: names.shortPlace(frame) }),
        types.length ? [" · ", el("span", { class: "type code", text: types.join(", ") + (row.site.types.length > 3 ? ", …" : "") })] : null,
        row.site.stacks.length > 1 && stack ? ` · ${units.plural(row.site.stacks.length, "stack")}` : null),
    ];
  }

  const cellOf = (format) => (value) => (row) => format(value(row));
  const perSecond = (value) => (row) => units.perSecond(value(row), recorded.duration_ns);

  // `hint` says what the head means; columns of which nothing is known are left out.
  function columns() {
    const { measure } = names;
    const number = (key, title, hint, value, format, spare, cell) => ({ key, title, hint, numeric: true, spare, value, cell: cell || cellOf(format)(value) });
    const share = (row) => units.share(measure.of(row.figures), measure.total);
    const bytes = (row) => row.figures.bytes;
    const allocs = (row) => row.figures.allocs;
    const size = (which, i) => (row) => (row.group ? (row.group.sizes ? row.group.sizes[i] : null) : row.site.size.max > 0 ? row.site.size[which] : null);
    const kinds = { site: "Site", type: "Type", function: "Function", package: "Package", goroutine: "Made by" };
    const withError = (format, value, which) => (row) => {
      const error = names.plusMinus(row.figures, which, value(row));
      return error ? [format(value(row)), el("div", { class: "faint", text: error })] : format(value(row));
    };
    const list = [
      { key: "name", title: kinds[filters.by], hint: "Name", value: (row) => (row.group ? row.group.name : names.siteName(row.site)), name: (row) => (row.group ? row.group.name : names.siteName(row.site)), cell: nameCell },
      number("share", "Share", `Share of all bytes: ${measure.title.toLowerCase()}`, share, units.percent, 0, (row) => shareOf(share(row))),
      number("bytes", names.isHeap ? "Allocated" : "Bytes", names.isHeap ? "Bytes allocated since the process started" : "Bytes allocated, rounded to size classes", bytes, units.bytes, 0, withError(units.bytes, bytes, 1)),
      names.measure.key === "requested" && number("requested", "Requested", "Bytes asked for", (row) => row.figures.requested, units.bytes, 1),
      !names.isHeap && number("byte_rate", "Bytes/s", "Bytes allocated per second", perSecond(bytes), units.byteRate, 2),
      number("allocs", "Allocs", "Allocations", allocs, units.count, 0, withError(units.count, allocs, 0)),
      !names.isHeap && number("alloc_rate", "Allocs/s", "Allocations per second", perSecond(allocs), units.rate, 2),
      number("p50", "Size p50", "Half of the allocations ask for at most so much", size("p50", 0), units.size, 1),
      number("p99", "p99", "99 % of the allocations ask for at most so much", size("p99", 1), units.size, 2),
      filters.by === "type" && number("pointers", "Pointers", "Bytes that the collector must scan", (row) => row.group.pointers, units.bytes, 1),
      number("live", "Alive", "Bytes alive", (row) => row.figures.live, units.bytes, names.isHeap ? 0 : 1),
      number("growth", "Growth/s", "How fast live bytes grow", (row) => row.figures.growth, units.growth, 1),
      number("faults", "Faults", "Page faults", (row) => (row.site && row.site.faults ? row.site.faults.minor + row.site.faults.major : row.figures.faults), units.count, 2),
      number("assists", "Assists", "Time spent helping the collector to mark", (row) => (row.site && row.site.gc ? row.site.gc.assist_ns : null), units.nanoseconds, 2),
    ].filter(Boolean);
    const always = ["name", "share", "bytes", "allocs"];
    return list.filter((column) => always.includes(column.key) || current().some((row) => column.value(row)));
  }

  const current = () => (filters.by === "site" ? rows : ofGroups(filters.by));

  function passes(row) {
    if (filters.search && !textOf(row).includes(filters.search)) return false;
    if (row.group) return true;
    const frame = innermost(row);
    if (filters.owner !== "" && (!frame || String(frame.owner) !== filters.owner)) return false;
    if (filters.package !== "" && (!frame || frame.pkg !== filters.package)) return false;
    switch (filters.only) {
      case "growing": return row.figures.growth > 0;
      case "alive": return row.figures.live > 0;
      case "faults": return row.site.faults && row.site.faults.minor + row.site.faults.major > 0;
      case "memory": return row.figures.allocs > 0 || row.figures.live > 0;
      default: return true;
    }
  }

  function apply(newColumns) {
    const shown = current().filter(passes);
    table.update(shown, newColumns ? columns() : undefined);
    const { measure } = names;
    const bytes = shown.reduce((sum, row) => sum + (measure.of(row.figures) || 0), 0);
    const kind = filters.by === "site" ? "site" : filters.by;
    status.textContent = `${units.exact(shown.length)} of ${units.plural(current().length, kind)} · ${units.bytes(bytes)} · ${units.percent(units.share(bytes, measure.total))}`;
    const ofSites = filters.by === "site";
    for (const control of document.querySelectorAll("#sites [data-of-sites]")) control.disabled = !ofSites;
  }

  function select(label, key, options, ofSites) {
    const control = el("select", { "data-key": key, "data-of-sites": ofSites ? "" : null, onchange: (event) => {
      filters[key] = event.target.value;
      apply(key === "by");
    } }, options.map(([value, text]) => el("option", { value, text })));
    return el("label", null, label, control);
  }

  function packages() {
    const sums = new Map();
    for (const row of rows) {
      const frame = innermost(row);
      if (frame) sums.set(frame.pkg, (sums.get(frame.pkg) || 0) + (names.measure.of(row.figures) || 0));
    }
    return [...sums].sort((a, b) => b[1] - a[1]).slice(0, PACKAGES).map(([pkg]) => [pkg, pkg === "" ? "(none)" : pkg]);
  }

  function controls() {
    const owners = new Set(rows.map((row) => innermost(row)).filter(Boolean).map((frame) => frame.owner));
    const only = [
      ["", "everything"],
      ["memory", "sites with memory"],
      rows.some((row) => row.figures.live > 0) && ["alive", "sites with live bytes"],
      rows.some((row) => row.figures.growth !== null) && ["growing", "sites that grow"],
      rows.some((row) => row.site.faults) && ["faults", "sites with page faults"],
    ].filter(Boolean);
    const labels = { type: "type", function: "function", package: "package", goroutine: "go statement" };
    const search = el("input", { type: "search", id: "search", "aria-label": "Search sites", placeholder: "Function, file, type or package", autocomplete: "off", spellcheck: "false",
      oninput: (event) => {
        filters.search = event.target.value.trim().toLowerCase();
        apply(false);
      } });
    return el("div", { class: "controls", role: "search", "aria-label": "Sites" },
      search,
      select("By", "by", [["site", "site"], ...data.groups.map((groups) => [groups.by, labels[groups.by] || groups.by])]),
      select("Code of", "owner", [["", "everyone"], ...names.OWNERS.map((name, owner) => [String(owner), name]).filter(([owner]) => owners.has(Number(owner)))], true),
      select("Package", "package", [["", "all"], ...packages()], true),
      select("Show", "only", only, true));
  }

  function show() {
    const section = get("sites");
    if (rows.length === 0) {
      const text = data.totals.allocs === 0 ? "No allocations in the window." : "No allocation is at a site: see what is missing under Completeness.";
      section.append(el("p", { class: "faint", text }));
      return;
    }
    if (names.measure.key === "requested") {
      section.append(el("p", { class: "caution", text: "! Shares are of requested bytes, because the rounding to size classes is not known." }));
    }
    // Those that only touch pages or pay for the collector are in sections of their own.
    filters.only = rows.some((row) => row.figures.allocs > 0 || row.figures.live > 0) ? "memory" : "";
    section.append(controls());
    section.querySelector("[data-key=only]").value = filters.only;
    status = el("p", { class: "status", role: "status", "aria-live": "polite" });
    const sort = { key: names.isHeap ? "live" : "share", descending: true };
    table = tracer.table({
      caption: "Sites", columns: columns(), rows: [], sort, empty: "nothing matches",
      rowId: (row) => (row.group ? `group-${row.index}` : `site-${row.index}`),
      detail: (row) => (row.group ? tracer.detail.ofGroup(row.group) : tracer.detail.make(row.site)),
    });
    section.append(status, table.element);
    apply(false);
  }

  // Opens the detail of a site, whatever hides it now.
  function open(index) {
    if (!table || !rows[index]) return;
    if (filters.by !== "site" || !passes(rows[index])) {
      Object.assign(filters, { search: "", by: "site", owner: "", package: "", only: "" });
      get("search").value = "";
      for (const control of document.querySelectorAll("#sites select")) control.value = filters[control.dataset.key];
      apply(true);
    }
    table.reveal(rows[index]);
    history.replaceState(null, "", `#site-${index}`);
  }

  // Sites that have most of something, for the sections further down.
  function most(value, number) {
    const known = rows.filter((row) => value(row.site) > 0);
    known.sort((a, b) => value(b.site) - value(a.site));
    return { top: known.slice(0, number), rest: Math.max(0, known.length - number) };
  }

  function groupBy(by) {
    filters.by = by;
    document.querySelector("#sites [data-key=by]").value = by;
    apply(true);
    get("sites").scrollIntoView();
  }

  return { show, open, most, groupBy };
})();
