// The differential flame graph: as wide as the larger of base and candidate, coloured by how much it changed.
tracer.diffFlame = (() => {
  "use strict";
  const { data, units, flame } = tracer;
  const { el } = tracer.dom;
  // Places in the palette: colours --flame-0 and so on.
  const [MUCH_MORE, MORE, LESS, SAME, MUCH_LESS] = [0, 1, 2, 3, 4];
  const LEGEND = [[MUCH_MORE, "half more, or new"], [MORE, "more"], [SAME, "the same, within 2 %"], [LESS, "less"], [MUCH_LESS, "a third less, or gone"]];
  const state = { nodes: null, rows: [], zoom: 0, focus: 0, query: "", before: null, after: null };
  const parts = {};

  // What the painter needs of each node, made of what ends there.
  function build({ function: fn, parent, base, candidate }) {
    const number = fn.length;
    const nodes = { fn, owner: new Array(number), parent, first: new Array(number).fill(0), next: new Array(number).fill(0), totals: {}, children: new Map(), palette: [MUCH_MORE, MORE, LESS, SAME, MUCH_LESS] };
    const [before, after] = [Float64Array.from(base), Float64Array.from(candidate)];
    for (let i = number - 1; i > 0; i--) {
      nodes.next[i] = nodes.first[parent[i]];
      nodes.first[parent[i]] = i;
      before[parent[i]] += before[i];
      after[parent[i]] += after[i];
    }
    // A caller is as wide as what it calls, or wider where that grew here and shrank there.
    const sums = new Float64Array(number);
    const inside = new Float64Array(number);
    for (let i = number - 1; i >= 0; i--) {
      sums[i] = Math.max(before[i], after[i], inside[i]);
      if (i > 0) inside[parent[i]] += sums[i];
      nodes.owner[i] = kind(before[i], after[i]);
    }
    nodes.totals.diff = { sums, own: sums };
    Object.assign(state, { nodes, before, after });
  }

  function kind(before, after) {
    if (after > before * 1.5) return MUCH_MORE;
    if (after > before * 1.02) return MORE;
    if (before > after * 1.5) return MUCH_LESS;
    return before > after * 1.02 ? LESS : SAME;
  }

  const amount = (value) => (data.flame.bytes ? units.bytes(value) : units.count(value));

  function describe(node) {
    const [before, after] = [state.before[node], state.after[node]];
    const change = after - before;
    const part = before > 0 ? `, ${change < 0 ? "-" : "+"}${units.percent((Math.abs(change) / before) * 100)}` : after > 0 ? ", new" : "";
    return `${amount(before)} → ${amount(after)} (${change < 0 ? "-" : "+"}${amount(Math.abs(change))}${part})`;
  }

  function draw() {
    if (!state.nodes || parts.canvas.clientWidth === 0) return;
    state.rows = flame.layout(state.nodes, "diff", state.zoom, parts.canvas.clientWidth);
    const marked = state.query === "" ? null : (node) => node !== 0 && flame.nodeName(state.nodes, node).toLowerCase().includes(state.query);
    flame.paint(parts.canvas, state.nodes, state.rows, { zoom: state.zoom, focus: document.activeElement === parts.canvas ? state.focus : -1, marked });
    parts.reset.disabled = state.zoom === 0 && state.query === "";
  }

  function say(node) {
    const where = `${flame.nodeName(state.nodes, node)} · ${describe(node)}`;
    parts.status.textContent = where;
    parts.canvas.setAttribute("aria-label", `Differential flame graph: ${where}. Arrows move, Enter zooms, Escape shows all.`);
  }

  function focus(node) {
    state.focus = node;
    draw();
    say(node);
  }

  function zoom(node) {
    state.zoom = node;
    focus(node);
    parts.canvas.dataset.zoom = flame.nodeName(state.nodes, node);
  }

  function reset() {
    state.query = "";
    parts.search.value = "";
    zoom(0);
  }

  function beside(step) {
    for (const row of state.rows) {
      const place = row.findIndex((box) => box.node === state.focus);
      if (place >= 0) return row[place + step] ? row[place + step].node : state.focus;
    }
    return state.zoom;
  }

  const KEYS = {
    ArrowUp: () => focus(state.nodes.parent[state.focus]),
    ArrowDown: () => {
      const below = flame.children(state.nodes, "diff", state.focus)[0];
      if (below && state.rows.some((row) => row.some((box) => box.node === below))) focus(below);
    },
    ArrowLeft: () => focus(beside(-1)),
    ArrowRight: () => focus(beside(1)),
    Home: () => focus(0),
    Enter: () => zoom(state.focus),
    " ": () => zoom(state.focus),
    Backspace: () => zoom(state.nodes.parent[state.zoom]),
    Escape: reset,
  };

  function boxAt(event) {
    const place = parts.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const row = state.rows[Math.floor(y / flame.ROW)] || [];
    return row.find((box) => x >= box.x && x < box.x + box.width) || null;
  }

  function legend() {
    return el("ul", { class: "legend" }, LEGEND.map(([kind, text]) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = `var(--flame-${kind})`;
      return el("li", null, swatch, text);
    }));
  }

  function make(section) {
    parts.canvas = el("canvas", { id: "flame-canvas", tabindex: "0", role: "application", "aria-roledescription": "flame graph", "aria-label": "Flame graph", "aria-describedby": "flame-help",
      onclick: (event) => {
        const box = boxAt(event);
        if (box) zoom(box.node === state.zoom && box.node !== 0 ? state.nodes.parent[box.node] : box.node);
      },
      onfocus: draw,
      onblur: draw,
      onmousemove: (event) => {
        const box = boxAt(event);
        if (box) say(box.node);
      },
      onkeydown: (event) => {
        const act = KEYS[event.key];
        if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        act();
      } });
    parts.search = el("input", { type: "search", id: "flame-search", "aria-label": "Search functions in the flame graph", placeholder: "Find a function", autocomplete: "off", spellcheck: "false",
      oninput: (event) => {
        state.query = event.target.value.trim().toLowerCase();
        draw();
      } });
    parts.reset = el("button", { type: "button", onclick: reset, text: "Reset" });
    parts.status = el("p", { class: "status", id: "flame-status", role: "status", "aria-live": "polite" });
    const note = data.flame.note === "" ? "" : ` ${data.flame.note[0].toUpperCase()}${data.flame.note.slice(1)}.`;
    section.append(
      el("p", { class: "faint", id: "flame-help", text: `Change of ${data.flame.value}: a box is as wide as the larger of base and candidate.${note} Click a box to zoom, again to go back; by keyboard: arrows, Enter, Escape.` }),
      el("div", { class: "controls" }, parts.search, parts.reset), parts.status, el("div", { class: "flame-box" }, parts.canvas), legend());
  }

  function show(section) {
    if (!data.flame) {
      section.append(el("p", { class: "faint", text: "Stacks with this figure are not in both captures." }));
      return;
    }
    build(data.flame);
    make(section);
    // Drawing changes the height: only another width needs another picture, and not while the page is laid out.
    let width = parts.canvas.clientWidth;
    new ResizeObserver(() => {
      if (parts.canvas.clientWidth === width) return;
      width = parts.canvas.clientWidth;
      requestAnimationFrame(draw);
    }).observe(parts.canvas);
    tracer.theme.onChange(draw);
    zoom(0);
  }

  return { show };
})();
