// The flame graph as it is used: by mouse and by keyboard, zoomed, searched, switched to another figure.
tracer.flameView = (() => {
  "use strict";
  const { data, units, names, flame } = tracer;
  const { el, get } = tracer.dom;
  const state = { nodes: null, rows: [], value: "bytes", zoom: 0, focus: 0, query: "", hits: null };
  const parts = {};

  const isFound = (node) => node !== 0 && state.hits.has(state.nodes.fn[node]);
  const total = (node) => flame.totals(state.nodes, state.value).sums[node];

  function describe(node) {
    const { format, noun } = flame.VALUES[state.value];
    const { sums, own } = flame.totals(state.nodes, state.value);
    const texts = [`${format(sums[node])} ${noun}`, `${units.percent(units.share(sums[node], sums[0]))} of all`];
    if (state.zoom !== 0) texts.push(`${units.percent(units.share(sums[node], sums[state.zoom]))} of this view`);
    if (node !== 0 && own[node] > 0 && own[node] !== sums[node]) texts.push(`${format(own[node])} in the function itself`);
    return texts.join(" · ");
  }

  function draw() {
    if (!state.nodes || parts.canvas.clientWidth === 0) return;
    state.rows = flame.layout(state.nodes, state.value, state.zoom, parts.canvas.clientWidth);
    flame.paint(parts.canvas, state.nodes, state.rows, { zoom: state.zoom, focus: document.activeElement === parts.canvas ? state.focus : -1, marked: state.query ? isFound : null });
    parts.reset.disabled = state.zoom === 0 && state.query === "";
  }

  function say(node) {
    const where = flame.nodeName(state.nodes, node);
    parts.status.textContent = `${where} · ${describe(node)}`;
    parts.canvas.setAttribute("aria-label", `Flame graph, ${flame.VALUES[state.value].title.toLowerCase()}: ${where}, ${describe(node)}. Arrows move, Enter zooms, Escape shows all.`);
  }

  function focus(node) {
    state.focus = node;
    draw();
    say(node);
    const depth = state.rows.findIndex((row) => row.some((box) => box.node === node));
    const top = depth * flame.ROW;
    if (top < parts.box.scrollTop) parts.box.scrollTop = top;
    else if (top + flame.ROW > parts.box.scrollTop + parts.box.clientHeight) parts.box.scrollTop = top + flame.ROW - parts.box.clientHeight;
  }

  function zoom(node) {
    state.zoom = node;
    focus(node);
    parts.canvas.dataset.zoom = flame.nodeName(state.nodes, node);
  }

  function search(query) {
    state.query = query.trim().toLowerCase();
    state.hits = new Set();
    if (state.query === "") {
      parts.matched.textContent = "";
    } else {
      data.strings.forEach((text, index) => {
        if (text.toLowerCase().includes(state.query)) state.hits.add(index);
      });
      const { sum, count } = flame.found(state.nodes, state.value, isFound);
      const { format } = flame.VALUES[state.value];
      parts.matched.textContent = count === 0 ? "no function matches"
        : `${units.plural(count, "place")} found · ${units.percent(units.share(sum, total(0)))} · ${format(sum)}`;
    }
    draw();
  }

  function reset() {
    parts.search.value = "";
    search("");
    zoom(0);
  }

  // The next box in the row of the one in focus.
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
      const below = flame.children(state.nodes, state.value, state.focus)[0];
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

  function hover(event) {
    const box = boxAt(event);
    parts.tip.hidden = box === null;
    if (box === null) return;
    parts.tip.replaceChildren(el("div", { class: "code", text: flame.nodeName(state.nodes, box.node) }), el("div", { text: describe(box.node) }));
    const { innerWidth, innerHeight } = window;
    parts.tip.style.insetInlineStart = `${Math.min(event.clientX + 12, innerWidth - parts.tip.offsetWidth - 8)}px`;
    parts.tip.style.insetBlockStart = `${event.clientY + 18 + parts.tip.offsetHeight > innerHeight ? event.clientY - parts.tip.offsetHeight - 10 : event.clientY + 18}px`;
  }

  function valueButtons() {
    const buttons = Object.entries(flame.VALUES).filter(([value]) => flame.isKnown(value)).map(([value, { title }]) => el("button", {
      type: "button", "data-value": value, "aria-pressed": String(value === state.value), text: title,
      onclick: () => {
        state.value = value;
        for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
        if (total(state.zoom) === 0) state.zoom = 0;
        search(parts.search.value);
        focus(total(state.focus) > 0 ? state.focus : 0);
      },
    }));
    return el("div", { class: "group", role: "group", "aria-label": "Width of the boxes" }, buttons);
  }

  function legend() {
    const owners = new Set(state.nodes.owner);
    return el("ul", { class: "legend" }, names.OWNERS.map((name, owner) => {
      if (!owners.has(owner)) return null;
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = `var(--flame-${owner})`;
      return el("li", null, swatch, name);
    }));
  }

  function make(section) {
    parts.canvas = el("canvas", { id: "flame-canvas", tabindex: "0", role: "application", "aria-roledescription": "flame graph", "aria-label": "Flame graph", "aria-describedby": "flame-help",
      onclick: (event) => {
        const box = boxAt(event);
        if (box) zoom(box.node === state.zoom && box.node !== 0 ? state.nodes.parent[box.node] : box.node);
      },
      onfocus: () => draw(),
      onblur: () => draw(),
      onmousemove: hover,
      onmouseleave: () => {
        parts.tip.hidden = true;
      },
      onkeydown: (event) => {
        const act = KEYS[event.key];
        if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        act();
      } });
    parts.box = el("div", { class: "flame-box" }, parts.canvas);
    parts.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    parts.search = el("input", { type: "search", id: "flame-search", "aria-label": "Search functions in the flame graph", placeholder: "Find a function", autocomplete: "off", spellcheck: "false",
      oninput: (event) => search(event.target.value) });
    parts.reset = el("button", { type: "button", onclick: reset, text: "Reset" });
    parts.matched = el("span", { class: "status", id: "flame-matched", role: "status", "aria-live": "polite" });
    parts.status = el("p", { class: "status", id: "flame-status", role: "status", "aria-live": "polite" });
    section.append(
      el("p", { class: "faint", id: "flame-help", text: "Callers are above what they call; the widest is at the left. Click a box to zoom, again to go back; by keyboard: arrows, Enter, Escape." }),
      el("div", { class: "controls" }, valueButtons(), parts.search, parts.reset, parts.matched),
      parts.status, parts.box, legend(), parts.tip);
  }

  function show() {
    const section = get("flame");
    const known = Object.keys(flame.VALUES).filter(flame.isKnown);
    if (known.length === 0) {
      section.append(el("p", { class: "faint", text: "The capture has no stacks." }));
      return;
    }
    state.value = known.includes(names.isHeap ? "live" : data.value) ? (names.isHeap ? "live" : data.value) : known[0];
    state.nodes = flame.build();
    make(section);
    search("");
    new ResizeObserver(draw).observe(parts.canvas);
    tracer.theme.onChange(draw);
    zoom(0);
  }

  // Searches for a function, and shows where that is.
  function find(fn) {
    parts.search.value = fn;
    search(fn);
    get("flame").scrollIntoView();
    parts.search.focus({ preventScroll: true });
  }

  return { show, find };
})();
