// Go types, and maps with the course of their entries.
tracer.maps = (() => {
  "use strict";
  const { data, units, names, chart } = tracer;
  const { el, shareOf, table, facts, get } = tracer.dom;
  const TYPES = 15;
  const CURVES = 6;

  function types() {
    const section = get("types");
    const found = data.groups.find((groups) => groups.by === "type");
    const known = found ? found.groups.filter((group) => group.name !== "-") : [];
    if (known.length === 0) {
      section.hidden = true;
      return;
    }
    const { measure } = names;
    const groups = found.groups.slice().sort((a, b) => (measure.of(b.figures) || 0) - (measure.of(a.figures) || 0));
    const share = (group) => units.share(measure.of(group.figures), measure.total);
    const columns = [
      ["Type", (group) => el("span", { class: "code", text: names.typeName(group.name) })],
      ["#Share", (group) => shareOf(share(group))],
      ["#Bytes", (group) => units.bytes(group.figures.bytes === null ? group.figures.requested : group.figures.bytes)],
      ["#Allocations", (group) => units.count(group.figures.allocs)],
      ["#Pointers", (group) => units.bytes(group.pointers), (group) => group.pointers],
      ["#Alive", (group) => units.bytes(group.figures.live), (group) => group.figures.live],
      ["Mostly at", (group) => (group.sites.length ? names.siteLink(group.sites[0][0]) : "-")],
    ].filter(([, , value]) => !value || groups.some((group) => value(group) !== null));
    const rows = groups.slice(0, TYPES).map((group) => columns.map(([, cell]) => cell(group)));
    section.append(table("Types", columns.map(([title]) => title), rows));
    if (groups.length > TYPES) {
      section.append(el("p", { class: "more" }, el("button", { type: "button", onclick: () => tracer.sites.groupBy("type"), text: `All ${units.exact(groups.length)} types` })));
    }
  }

  function what(map) {
    const list = [
      map.instances > 0 && units.plural(map.instances, "map"),
      `${units.exact(map.max_entries)} entries at most`,
      map.growths > 0 && units.plural(map.growths, "growth"),
      map.growth_bytes !== null && `${units.bytes(map.growth_bytes)} by growing`,
      map.amplification !== null && `${map.amplification.toFixed(1)} times the final table`,
      map.writes > 0 && units.plural(map.writes, "write"),
      map.deletes > 0 && units.plural(map.deletes, "delete"),
      map.clears > 0 && units.plural(map.clears, "clear"),
      map.nil_writes > 0 && units.plural(map.nil_writes, "nil write"),
      map.net_entries !== null && `net ${map.net_entries < 0 ? "-" : "+"}${units.exact(Math.abs(map.net_entries))}`,
    ];
    return list.filter(Boolean).join(" · ");
  }

  const part = (part) => (part ? `${part.name}, ${units.size(part.size_bytes)}${part.pointer_bytes > 0 ? `, ${units.size(part.pointer_bytes)} of it pointers` : ""}` : null);

  function instanceTable(instances) {
    const rows = instances.map((map) => [
      units.exact(map.id), units.exact(map.entries), units.exact(map.max_entries), map.capacity === null ? "-" : units.exact(map.capacity),
      units.bytes(map.table_bytes), units.exact(map.growths), map.writes === null ? "-" : units.exact(map.writes), map.deletes === null ? "-" : units.exact(map.deletes),
      map.alive === null ? "-" : map.alive ? "yes" : "no",
    ]);
    return table("Maps made here", ["#Map", "#Entries", "#Most", "#Capacity", "#Table", "#Growths", "#Writes", "#Deletes", "At the end"], rows);
  }

  function curve(map) {
    const { curve } = map;
    if (curve.length < 2) return null;
    const [from, to] = [curve[0][1], curve[curve.length - 1][1]];
    const label = `Map ${map.id}: ${units.exact(from)} → ${units.exact(to)} entries`;
    return el("figure", null, chart.course({ points: curve, format: units.count, label, stepped: true }), el("figcaption", { class: "faint", text: label }));
  }

  function card(map, index) {
    const instances = data.map_instances.filter((instance) => instance.map === map.id);
    const curves = instances.slice(0, CURVES).map(curve).filter(Boolean);
    const frame = map.frames[0];
    return el("article", { class: "map", id: `map-${index}` },
      el("h3", null, el("span", { class: "code", text: names.typeName(map.type) })),
      el("p", { text: what(map) }),
      el("p", null, frame ? [el("span", { class: "code", text: frame.function }), " ", el("span", { class: "place faint", text: names.place(frame) })] : "(unnamed)"),
      facts([["key", part(map.key)], ["element", part(map.elem)]]),
      curves.length ? el("div", { class: "cols" }, curves) : null,
      instances.length ? el("details", null, el("summary", { text: `${units.plural(instances.length, "map")} as a table` }), instanceTable(instances)) : null);
  }

  function show() {
    const section = get("maps");
    const coverage = data.map_coverage;
    if (coverage === null) {
      section.hidden = true;
      return;
    }
    for (const skipped of coverage.skipped) section.append(el("p", { class: "caution", text: `! not seen: ${skipped}` }));
    if (coverage.overflowed > 0) section.append(el("p", { class: "caution", text: `! ${units.exact(coverage.overflowed)} operations at no place` }));
    if (coverage.forgotten > 0) section.append(el("p", { class: "faint", text: `${units.plural(coverage.forgotten, "map")} forgotten: seen again, they count as new` }));
    const { map_growths: growths, map_writes: writes } = data.totals;
    section.append(el("p", { class: "faint", text: [`${units.plural(growths || 0, "growth")} in the capture`, writes !== null && units.plural(writes, "operation")].filter(Boolean).join(" · ") }));
    const part = 20;
    const list = el("div", { class: "maps" });
    let shown = 0;
    const more = el("button", { type: "button", onclick: () => next() });
    const next = () => {
      list.append(...data.maps.slice(shown, shown + part).map((map, i) => card(map, shown + i)));
      shown += part;
      more.textContent = `Show more of ${units.plural(data.maps.length, "place")}`;
      more.hidden = shown >= data.maps.length;
    };
    next();
    section.append(list, more);
  }

  return { types, show };
})();
