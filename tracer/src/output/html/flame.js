// The flame graph's figures and its picture: all stacks as one tree of functions, callers above what they call, the widest
// child first.
tracer.flame = (() => {
  "use strict";
  const { data, units, names } = tracer;
  const ROW = 18;
  const NARROWEST = 0.7;
  // A canvas has a largest size; deeper frames show when one is zoomed into.
  const MOST_ROWS = 400;
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
  const VALUES = {
    bytes: { title: "Allocated bytes", noun: "allocated", of: (stack) => (stack[2] === null ? stack[3] : stack[2]), format: units.bytes },
    allocs: { title: "Allocations", noun: "allocations", of: (stack) => stack[1], format: units.count },
    live: { title: "Live bytes", noun: "alive", of: (stack) => stack[4], format: units.bytes },
    faults: { title: "Page faults", noun: "page faults", of: (stack) => stack[5], format: units.count },
  };

  // Nodes of the picture: the data has one for each line of a function, here they are one.
  function build() {
    const { frame, parent } = data.tree;
    const of = new Int32Array(frame.length);
    const nodes = { of, fn: [-1], owner: [-1], parent: [0], first: [0], next: [0], totals: {}, children: {} };
    // A hash table of nodes by caller and function: a `Map` has no key of two numbers that is as quick.
    const mask = 2 ** Math.ceil(Math.log2(frame.length * 2 + 2)) - 1;
    const known = new Int32Array(mask + 1);
    for (let i = 1; i < frame.length; i++) {
      const above = of[parent[i]];
      const row = data.frames[frame[i]];
      let slot = (Math.imul(above, 0x9e3779b1) ^ Math.imul(row[0], 0x85ebca6b)) & mask;
      while (known[slot] !== 0 && (nodes.parent[known[slot]] !== above || nodes.fn[known[slot]] !== row[0])) slot = (slot + 1) & mask;
      let node = known[slot];
      if (node === 0) {
        node = nodes.fn.length;
        known[slot] = node;
        nodes.fn.push(row[0]);
        nodes.owner.push(row[5]);
        nodes.parent.push(above);
        nodes.first.push(0);
        nodes.next.push(nodes.first[above]);
        nodes.first[above] = node;
      }
      of[i] = node;
    }
    return nodes;
  }

  // How much each node has, with what it calls. Callers stand before what they call.
  function totals(nodes, value) {
    if (!nodes.totals[value]) {
      const sums = new Float64Array(nodes.fn.length);
      const own = new Float64Array(nodes.fn.length);
      for (const site of data.sites) {
        for (const stack of site.stacks) own[nodes.of[stack[0]]] += VALUES[value].of(stack) || 0;
      }
      sums.set(own);
      for (let i = sums.length - 1; i > 0; i--) sums[nodes.parent[i]] += sums[i];
      nodes.totals[value] = { sums, own };
    }
    return nodes.totals[value];
  }

  const isKnown = (value) => data.sites.some((site) => site.stacks.some((stack) => VALUES[value].of(stack) > 0));

  // What a node calls, most first; made when it is first drawn.
  function children(nodes, value, node) {
    const lists = (nodes.children[value] ??= []);
    let list = lists[node];
    if (!list) {
      const { sums } = totals(nodes, value);
      list = [];
      for (let child = nodes.first[node]; child !== 0; child = nodes.next[child]) if (sums[child] > 0) list.push(child);
      list.sort((a, b) => sums[b] - sums[a] || nodes.fn[a] - nodes.fn[b]);
      lists[node] = list;
    }
    return list;
  }

  // Rows of boxes { node, x, width }: `zoom` and its callers over the whole width, and below what it calls.
  function layout(nodes, value, zoom, width) {
    const { sums } = totals(nodes, value);
    const rows = [];
    const above = [];
    for (let node = zoom; node !== 0; node = nodes.parent[node]) above.unshift(node);
    for (const node of [0, ...above]) rows.push([{ node, x: 0, width }]);
    const waiting = [{ node: zoom, x: 0, width, depth: rows.length - 1 }];
    while (waiting.length > 0) {
      const box = waiting.pop();
      const depth = box.depth + 1;
      if (depth >= MOST_ROWS || sums[box.node] === 0) continue;
      let { x } = box;
      for (const child of children(nodes, value, box.node)) {
        const wide = (box.width * sums[child]) / sums[box.node];
        if (wide < NARROWEST) break;
        if (rows.length <= depth) rows.push([]);
        rows[depth].push({ node: child, x, width: wide });
        waiting.push({ node: child, x, width: wide, depth });
        x += wide;
      }
    }
    for (const row of rows) row.sort((a, b) => a.x - b.x);
    return rows;
  }

  const nodeName = (nodes, node) => (node === 0 ? "all stacks" : data.strings[nodes.fn[node]]);

  // As much of a name as fits, without its path first.
  function fit(context, text, width) {
    for (const form of [text, names.local(text)]) if (context.measureText(form).width <= width) return form;
    const short = names.local(text);
    let letters = Math.ceil((short.length * width) / context.measureText(short).width);
    while (letters >= 2 && context.measureText(`${short.slice(0, letters)}…`).width > width) letters--;
    return letters >= 2 ? `${short.slice(0, letters)}…` : "";
  }

  // `marked` says of a node whether the search has found it; nothing is searched if it is null.
  function paint(canvas, nodes, rows, { zoom, focus, marked }) {
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = rows.length * ROW;
    canvas.style.blockSize = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = FONT;
    context.textBaseline = "middle";
    const color = (name) => tracer.theme.color(name);
    const owners = (nodes.palette || [0, 1, 2, 3]).map((owner) => color(`--flame-${owner}`));
    const [text, panel, hit, line, strong] = [color("--flame-text"), color("--panel"), color("--flame-hit"), color("--line"), color("--text")];
    const callers = new Set();
    for (let node = nodes.parent[zoom]; zoom !== 0; node = nodes.parent[node]) {
      callers.add(node);
      if (node === 0) break;
    }
    rows.forEach((row, depth) => {
      for (const box of row) {
        const found = marked !== null && marked(box.node);
        const inner = Math.max(NARROWEST, box.width - 1);
        context.globalAlpha = (marked !== null && !found) || callers.has(box.node) ? 0.55 : 1;
        context.fillStyle = found ? hit : box.node === 0 ? line : owners[nodes.owner[box.node]];
        context.fillRect(box.x, depth * ROW, inner, ROW - 1);
        context.globalAlpha = 1;
        if (found) outline(context, strong, box, depth, inner, 1);
        if (box.node === focus) outline(context, strong, box, depth, inner, 2);
        if (box.width > 24) {
          context.fillStyle = box.node === 0 ? strong : text;
          context.font = found ? `600 ${FONT}` : FONT;
          context.fillText(fit(context, nodeName(nodes, box.node), box.width - 8), box.x + 4, depth * ROW + ROW / 2);
        }
      }
    });
    canvas.style.backgroundColor = panel;
  }

  function outline(context, color, box, depth, width, line) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.strokeRect(box.x + line / 2, depth * ROW + line / 2, Math.max(1, width - line), ROW - 1 - line);
  }

  // The share of everything that has a function which is found, on its stack: each stack once.
  function found(nodes, value, matches) {
    const { sums } = totals(nodes, value);
    const covered = new Uint8Array(nodes.fn.length);
    let [sum, count] = [0, 0];
    for (let node = 1; node < covered.length; node++) {
      const matched = matches(node);
      if (matched && sums[node] > 0) count++;
      if (matched && !covered[nodes.parent[node]]) sum += sums[node];
      covered[node] = matched || covered[nodes.parent[node]] ? 1 : 0;
    }
    return { sum, count };
  }

  return { ROW, VALUES, build, totals, isKnown, children, layout, paint, found, nodeName };
})();
