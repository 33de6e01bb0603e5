// Elements, made of names and text. Text from the target goes in by `textContent` alone, so that it is never HTML.
tracer.dom = (() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "text") element.textContent = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    append(element, children);
    return element;
  }

  function append(element, children) {
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      element.append(child);
    }
  }

  const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
  const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

  // A bar that stands for a share in percent; the number beside it says the same.
  function bar(share) {
    const inner = share > 0 ? el("span", { class: "bar-fill" }) : null;
    if (inner) inner.style.inlineSize = `${Math.min(100, share)}%`;
    return el("span", { class: "bar", "aria-hidden": "true" }, inner);
  }

  // The bar and the number.
  const shareOf = (share) => el("span", { class: "share" }, bar(share), el("span", { text: tracer.units.percent(share) }));

  // A plain table. `head` are titles, `rows` are lists of cells; titles that begin with `#` are above numbers.
  function table(caption, head, rows, className) {
    const numeric = head.map((title) => title.startsWith("#"));
    const title = (text, i) => el("th", { scope: "col", class: numeric[i] ? "num" : null, text: text.replace(/^#/, "") });
    const cell = (content, i) => el("td", { class: numeric[i] ? "num" : null }, content);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      el("table", { class: className },
        el("caption", { class: "unseen", text: caption }),
        el("thead", null, el("tr", null, head.map(title))),
        el("tbody", null, rows.map((row) => el("tr", null, row.map(cell))))));
  }

  // Terms and what is known of them; without those of which nothing is.
  function facts(pairs) {
    const known = pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined);
    return el("dl", { class: "facts" }, known.map(([term, value]) => el("div", null, el("dt", { text: term }), el("dd", null, value))));
  }

  const get = (id) => document.getElementById(id);
  return { el, svg, bar, shareOf, table, facts, append, get };
})();
