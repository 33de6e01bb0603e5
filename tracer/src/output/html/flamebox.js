// The canvas of a flame graph, and what mouse and keyboard do on it: focus, zoom, search. Who makes one tells what its boxes
// mean: `value` names the figure that makes them wide, `describe` puts one into words, `title` names the picture, `isFound`
// tells whether a search matches one, and `searched` is told of a new search.
tracer.flameBox = (meaning) => {
  "use strict";
  const { value, describe, title, isFound, searched } = meaning;
  const { flame } = tracer;
  const { el } = tracer.dom;
  const view = { nodes: null, rows: [], zoom: 0, focus: 0, query: "" };

  function draw() {
    if (!view.nodes || canvas.clientWidth === 0) return;
    view.rows = flame.layout(view.nodes, value(), view.zoom, canvas.clientWidth);
    flame.paint(canvas, view.nodes, view.rows, { zoom: view.zoom, focus: document.activeElement === canvas ? view.focus : -1, marked: view.query ? isFound : null });
    resetButton.disabled = view.zoom === 0 && view.query === "";
  }

  function say(node) {
    const where = flame.nodeName(view.nodes, node);
    status.textContent = `${where} · ${describe(node)}`;
    canvas.setAttribute("aria-label", `${title()}: ${where}, ${describe(node)}. Arrows move, Enter zooms, Escape shows all.`);
  }

  function focus(node) {
    view.focus = node;
    draw();
    say(node);
    const top = view.rows.findIndex((row) => row.some((box) => box.node === node)) * flame.ROW;
    if (top < frame.scrollTop) frame.scrollTop = top;
    else if (top + flame.ROW > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + flame.ROW - frame.clientHeight;
  }

  function zoom(node) {
    view.zoom = node;
    focus(node);
    canvas.dataset.zoom = flame.nodeName(view.nodes, node);
  }

  function find(query) {
    searchInput.value = query;
    view.query = query.trim().toLowerCase();
    searched(view.query);
    draw();
  }

  function reset() {
    find("");
    zoom(0);
  }

  // The next box in the row of the one in focus.
  function beside(step) {
    for (const row of view.rows) {
      const place = row.findIndex((box) => box.node === view.focus);
      if (place >= 0) return row[place + step] ? row[place + step].node : view.focus;
    }
    return view.zoom;
  }

  const KEYS = {
    ArrowUp: () => focus(view.nodes.parent[view.focus]),
    ArrowDown: () => {
      const below = flame.children(view.nodes, value(), view.focus)[0];
      if (below && view.rows.some((row) => row.some((box) => box.node === below))) focus(below);
    },
    ArrowLeft: () => focus(beside(-1)),
    ArrowRight: () => focus(beside(1)),
    Home: () => focus(0),
    Enter: () => zoom(view.focus),
    " ": () => zoom(view.focus),
    Backspace: () => zoom(view.nodes.parent[view.zoom]),
    Escape: reset,
  };

  function boxAt(event) {
    const place = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const row = view.rows[Math.floor(y / flame.ROW)] || [];
    return row.find((box) => x >= box.x && x < box.x + box.width) || null;
  }

  function hover(event) {
    const box = boxAt(event);
    tip.hidden = box === null;
    if (box === null) return;
    tip.replaceChildren(el("div", { class: "code", text: flame.nodeName(view.nodes, box.node) }), el("div", { text: describe(box.node) }));
    const { innerWidth, innerHeight } = window;
    tip.style.insetInlineStart = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.insetBlockStart = `${event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
  }

  const canvas = el("canvas", { id: "flame-canvas", tabindex: "0", role: "application", "aria-roledescription": "flame graph", "aria-label": "Flame graph", "aria-describedby": "flame-help",
    onclick: (event) => {
      const box = boxAt(event);
      if (box) zoom(box.node === view.zoom && box.node !== 0 ? view.nodes.parent[box.node] : box.node);
    },
    onfocus: () => draw(),
    onblur: () => draw(),
    onmousemove: hover,
    onmouseleave: () => {
      tip.hidden = true;
    },
    onkeydown: (event) => {
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      act();
    } });
  const frame = el("div", { class: "flame-box" }, canvas);
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const searchInput = el("input", { type: "search", id: "flame-search", "aria-label": "Search functions in the flame graph", placeholder: "Find a function", autocomplete: "off", spellcheck: "false",
    oninput: (event) => find(event.target.value) });
  const resetButton = el("button", { type: "button", onclick: reset, text: "Reset" });
  const status = el("p", { class: "status", id: "flame-status", role: "status", "aria-live": "polite" });

  // `help` is how to read it, `controls` stand before the search, `matched` behind it; `legend` is a list of colours.
  function show(section, nodes, { help, controls, matched, legend }) {
    view.nodes = nodes;
    const swatches = legend.map(([color, text]) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = `var(--flame-${color})`;
      return el("li", null, swatch, text);
    });
    section.append(
      el("p", { class: "faint", id: "flame-help", text: `${help} Click a box to zoom, again to go back; by keyboard: arrows, Enter, Escape.` }),
      el("div", { class: "controls" }, controls, searchInput, resetButton, matched),
      status, frame, el("ul", { class: "legend" }, swatches), tip);
    find("");
    // Drawing changes the height: only another width needs another picture, and not while the page is laid out.
    let width = canvas.clientWidth;
    new ResizeObserver(() => {
      if (canvas.clientWidth === width) return;
      width = canvas.clientWidth;
      requestAnimationFrame(draw);
    }).observe(canvas);
    tracer.theme.onChange(draw);
    zoom(0);
  }

  return { view, show, focus, find, searchInput };
};
