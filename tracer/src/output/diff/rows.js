// The table of what changed, and the page as a whole.
(() => {
  "use strict";
  const { data, units, changes, names } = tracer;
  const { el, get } = tracer.dom;
  const state = { figure: data.figures.findIndex((figure) => figure.name === data.figure), query: "", beyond: false };
  const WORDS = {
    frames: "the same place", moved: "the line moved", function: "the function: all that is left of it, added up",
    name: "the same name", nothing: "on one side only",
  };
  let table = null;
  let status = null;

  const figure = () => data.figures[state.figure];
  const of = (row) => row.figures[state.figure];
  const text = (place) => data.strings[place];
  const placeOf = (frame) => (text(frame[1]) === "" ? "(source unknown)" : frame[2] === null ? text(frame[1]) : `${text(frame[1])}:${frame[2]}`);
  const shortPlace = (frame) => {
    const parts = placeOf(frame).split("/");
    return parts.length > 3 ? `…/${parts.slice(-2).join("/")}` : parts.join("/");
  };

  function nameOf(row) {
    const name = text(row.name);
    if (data.by === "type") return name === "-" ? "(no type)" : name;
    return name === "-" ? "(unnamed)" : name;
  }

  function nameCell(row) {
    const [innermost] = row.frames;
    const hosts = [];
    for (let i = 0; i + 1 < row.frames.length && row.frames[i][3]; i++) hosts.push(names.local(text(row.frames[i + 1][0])));
    return [
      el("span", { class: "code row-name", text: nameOf(row) }),
      hosts.length > 0 && el("span", { class: "faint", text: ` inlined into ${hosts.join(", ")}` }),
      innermost && el("div", { class: "row-more" },
        el("span", { class: "place", title: placeOf(innermost), text: shortPlace(innermost) }),
        row.was !== null && el("span", { class: "caution", text: ` (was :${row.was})` }),
        row.type !== null && text(row.type) !== "-" && [" · ", el("span", { class: "type code", text: text(row.type) })]),
    ];
  }

  // As in text: what is noise comes after what is not, or may not be.
  function importance(row) {
    const change = of(row);
    const size = changes.size(change);
    if (size === null) return null;
    return Math.abs(size) * (change[5] === false ? 1 : 1e100);
  }

  function columns() {
    const at = (index) => (row) => (of(row) ? of(row)[index] : null);
    const number = (key, title, hint, value, cell, spare) => ({ key, title, hint, numeric: true, value, cell, spare });
    const shown = (make) => (row) => (of(row) ? make(of(row)) : units.UNKNOWN);
    return [
      { key: "name", title: { site: "Site", type: "Type", function: "Function", package: "Package" }[data.by], hint: "Name", value: nameOf, name: nameOf, cell: nameCell },
      number("base", "Base", "In the base", at(0), shown((change) => changes.amount(figure(), change[0])), 1),
      number("candidate", "Candidate", "In the candidate", at(1), shown((change) => changes.amount(figure(), change[1])), 0),
      number("change", "Change", "Candidate minus base: what is more than noise first, then by size in either direction", importance, shown((change) => el("span", { class: changes.tone(change), text: changes.difference(figure(), change[2]) })), 0),
      number("relative", "Relative", "The change as a part of the base", at(3), shown((change) => changes.relative(change)), 0),
      number("error", "±", "Standard error of the change", at(4), shown((change) => changes.amount(figure(), change[4])), 2),
      { key: "verdict", title: "", hint: "Whether it is more than noise", value: shown(changes.verdict), cell: shown(changes.verdict), spare: 1 },
    ];
  }

  function detail(row) {
    const known = data.figures.map((figure, i) => [figure, row.figures[i]]).filter(([, change]) => change);
    const sites = (list) => (list.length === 0 ? "none" : list.slice(0, 20).map((id) => `#${id}`).join(", ") + (list.length > 20 ? ", …" : ""));
    return el("div", { class: "panel" },
      el("div", { class: "wide" }, tracer.dom.table(`Figures of ${nameOf(row)}`, ["", "#Base", "#Candidate", "#Change", "#Relative", "#±", ""],
        known.map(([figure, change]) => [
          changes.LABELS[figure.name], changes.amount(figure, change[0]), changes.amount(figure, change[1]),
          el("span", { class: changes.tone(change), text: changes.difference(figure, change[2]) }), changes.relative(change), changes.amount(figure, change[4]), changes.verdict(change)]))),
      row.frames.length > 0 && el("div", null, el("h3", { text: "Frames, innermost first" }),
        el("ol", { class: "frames" }, row.frames.map((frame) => el("li", null,
          el("span", { class: "code", text: text(frame[0]) }), " ", el("span", { class: "place faint", text: placeOf(frame) }), frame[3] ? " inlined" : null)))),
      el("div", null, tracer.dom.facts([
        ["Found by", WORDS[row.matched]], ["Sites in base", sites(row.sites[0])], ["Sites in candidate", sites(row.sites[1])]])));
  }

  function passes(row) {
    const change = of(row);
    if (!change || !((change[0] || 0) > 0 || (change[1] || 0) > 0)) return false;
    if (state.beyond && change[5] !== true) return false;
    if (state.query === "") return true;
    const words = [nameOf(row), row.type === null ? "" : text(row.type), ...row.frames.flatMap((frame) => [text(frame[0]), placeOf(frame)])];
    return words.some((word) => word.toLowerCase().includes(state.query));
  }

  function apply(head) {
    const rows = data.rows.filter(passes);
    const beyond = rows.filter((row) => of(row)[5] === true).length;
    status.textContent = `${units.exact(rows.length)} shown, ${units.exact(beyond)} of them changed by more than noise`;
    table.update(rows, head ? columns() : null);
  }

  function controls() {
    const search = el("input", { type: "search", id: "search", "aria-label": "Search", placeholder: "Function, file or type", autocomplete: "off", spellcheck: "false",
      oninput: (event) => {
        state.query = event.target.value.trim().toLowerCase();
        apply(false);
      } });
    const known = data.figures.map((figure, i) => [figure, i]).filter(([, i]) => data.rows.some((row) => row.figures[i]));
    const which = el("select", { id: "figure", onchange: (event) => {
      state.figure = Number(event.target.value);
      apply(true);
    } }, known.map(([figure, i]) => el("option", { value: i, selected: i === state.figure, text: changes.LABELS[figure.name] })));
    const beyond = el("input", { type: "checkbox", id: "beyond", onchange: (event) => {
      state.beyond = event.target.checked;
      apply(false);
    } });
    return el("div", { class: "controls", role: "search", "aria-label": "Changes" },
      search, el("label", null, "Figure", which), el("label", null, beyond, "only more than noise"));
  }

  function rows() {
    const section = get("rows");
    status = el("p", { class: "status", role: "status", "aria-live": "polite" });
    table = tracer.table({
      caption: "Changes", columns: columns(), rows: [], sort: { key: "change", descending: true }, empty: "nothing matches",
      rowId: (row) => `row-${data.rows.indexOf(row)}`, detail,
    });
    section.append(controls(), status, table.element);
    apply(false);
  }

  tracer.theme.connect(get("theme"));
  changes.captures();
  changes.rules();
  changes.totals();
  changes.findings();
  rows();
  requestAnimationFrame(() => setTimeout(() => {
    tracer.diffFlame.show(get("flame"));
    document.documentElement.dataset.ready = "true";
  }));
})();
