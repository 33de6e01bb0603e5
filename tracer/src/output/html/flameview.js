// The flame graph of a report: of the figure that is chosen, with the share of what is found.
tracer.flameView = (() => {
  "use strict";
  const { data, units, names, flame } = tracer;
  const { el, get } = tracer.dom;
  const state = { value: "bytes", hits: new Set() };
  const matched = el("span", { class: "status", id: "flame-matched", role: "status", "aria-live": "polite" });
  const box = tracer.flameBox({
    value: () => state.value,
    describe,
    title: () => `Flame graph, ${flame.VALUES[state.value].title.toLowerCase()}`,
    isFound,
    searched,
  });
  const { view } = box;

  function isFound(node) {
    return node !== 0 && state.hits.has(view.nodes.fn[node]);
  }

  const total = (node) => flame.totals(view.nodes, state.value).sums[node];

  function describe(node) {
    const { format, noun } = flame.VALUES[state.value];
    const { sums, own } = flame.totals(view.nodes, state.value);
    const texts = [`${format(sums[node])} ${noun}`, `${units.percent(units.share(sums[node], sums[0]))} of all`];
    if (view.zoom !== 0) texts.push(`${units.percent(units.share(sums[node], sums[view.zoom]))} of this view`);
    if (node !== 0 && own[node] > 0 && own[node] !== sums[node]) texts.push(`${format(own[node])} in the function itself`);
    return texts.join(" · ");
  }

  function searched(query) {
    state.hits = new Set();
    if (query === "") {
      matched.textContent = "";
      return;
    }
    data.strings.forEach((text, index) => {
      if (text.toLowerCase().includes(query)) state.hits.add(index);
    });
    const { sum, count } = flame.found(view.nodes, state.value, isFound);
    matched.textContent = count === 0 ? "no function matches"
      : `${units.plural(count, "place")} found · ${units.percent(units.share(sum, total(0)))} · ${flame.VALUES[state.value].format(sum)}`;
  }

  function valueButtons() {
    const buttons = Object.entries(flame.VALUES).filter(([value]) => flame.isKnown(value)).map(([value, { title }]) => el("button", {
      type: "button", "data-value": value, "aria-pressed": String(value === state.value), text: title,
      onclick: () => {
        state.value = value;
        for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
        if (total(view.zoom) === 0) view.zoom = 0;
        box.find(box.searchInput.value);
        box.focus(total(view.focus) > 0 ? view.focus : 0);
      },
    }));
    return el("div", { class: "group", role: "group", "aria-label": "Width of the boxes" }, buttons);
  }

  function show() {
    const section = get("flame");
    const known = Object.keys(flame.VALUES).filter(flame.isKnown);
    if (known.length === 0) {
      section.append(el("p", { class: "faint", text: "The capture has no stacks." }));
      return;
    }
    const first = names.isHeap ? "live" : data.value;
    state.value = known.includes(first) ? first : known[0];
    const nodes = flame.build();
    const owners = new Set(nodes.owner);
    box.show(section, nodes, {
      help: "Callers are above what they call; the widest is at the left.",
      controls: valueButtons(),
      matched,
      legend: [...names.OWNERS.entries()].filter(([owner]) => owners.has(owner)),
    });
  }

  // Searches for a function, and shows where that is.
  function find(fn) {
    box.find(fn);
    get("flame").scrollIntoView();
    box.searchInput.focus({ preventScroll: true });
  }

  return { show, find };
})();
