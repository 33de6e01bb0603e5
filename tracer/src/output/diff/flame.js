// The differential flame graph: as wide as the larger of base and candidate, coloured by how much it changed.
tracer.diffFlame = (() => {
  "use strict";
  const { data, units, flame } = tracer;
  const { el } = tracer.dom;
  // Places in the palette: colours --flame-0 and so on.
  const [MUCH_MORE, MORE, LESS, SAME, MUCH_LESS] = [0, 1, 2, 3, 4];
  const LEGEND = [[MUCH_MORE, "half more, or new"], [MORE, "more"], [SAME, "the same, within 2 %"], [LESS, "less"], [MUCH_LESS, "a third less, or gone"]];
  const state = { nodes: null, before: null, after: null };

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

  const box = tracer.flameBox({
    value: () => "diff",
    describe,
    title: () => "Differential flame graph",
    isFound: (node) => node !== 0 && flame.nodeName(state.nodes, node).toLowerCase().includes(box.view.query),
    searched: () => {},
  });

  function show(section) {
    if (!data.flame) {
      section.append(el("p", { class: "faint", text: "Stacks with this figure are not in both captures." }));
      return;
    }
    build(data.flame);
    const note = data.flame.note === "" ? "" : ` ${data.flame.note[0].toUpperCase()}${data.flame.note.slice(1)}.`;
    box.show(section, state.nodes, {
      help: `Change of ${data.flame.value}: a box is as wide as the larger of base and candidate.${note}`,
      legend: LEGEND,
    });
  }

  return { show };
})();
