// Names of places in the code, and figures of sites: what all sections say of them, in the same words.
tracer.names = (() => {
  "use strict";
  const { data, units } = tracer;
  const { el } = tracer.dom;
  const OWNERS = ["main package", "modules", "standard library", "Go runtime"];

  function frame(index) {
    const [fn, pkg, file, line, inlined, owner] = data.frames[index];
    return { fn: data.strings[fn], pkg: data.strings[pkg], file: data.strings[file], line, inlined: inlined === 1, owner };
  }

  // Without the path that leads to its package; type arguments may hold paths of their own.
  function local(name) {
    const end = name.search(/[[(]/);
    const path = end < 0 ? name : name.slice(0, end);
    return name.slice(path.lastIndexOf("/") + 1);
  }

  const place = (frame) => (frame.file === "" ? "(source unknown)" : frame.line === null ? frame.file : `${frame.file}:${frame.line}`);

  // Directories give way first: the end of a path tells most.
  function shortPlace(frame) {
    const parts = place(frame).split("/");
    return parts.length > 3 ? `…/${parts.slice(-2).join("/")}` : parts.join("/");
  }

  const typeName = (name) => (name === "-" ? "(no type)" : name);

  function siteName(site) {
    return site.frames.length === 0 ? "(unnamed)" : frame(site.frames[0]).fn;
  }

  // The frames that the innermost one was inlined into, the real one last.
  function hosts(site) {
    const into = [];
    for (let i = 0; i + 1 < site.frames.length && frame(site.frames[i]).inlined; i++) into.push(frame(site.frames[i + 1]));
    return into;
  }

  // Which bytes shares are made of: those alive if nothing else was looked at; those asked for if the rounding to size
  // classes is not known of everything.
  const isHeap = data.is_heap;
  const rounded = data.totals.alloc_bytes !== null && data.sites.every((site) => site.figures.bytes !== null);
  const measure = isHeap
    ? { key: "live", title: "Alive", of: (figures) => figures.live, total: data.live_bytes }
    : rounded
      ? { key: "bytes", title: "Bytes", of: (figures) => figures.bytes, total: data.totals.alloc_bytes }
      : { key: "requested", title: "Requested", of: (figures) => figures.requested, total: data.totals.requested_bytes };

  // A link that opens a site's row.
  function siteLink(index) {
    const site = data.sites[index];
    const innermost = site.frames.length ? frame(site.frames[0]) : null;
    const link = el("a", {
      href: `#site-${index}`, class: "code", title: innermost ? place(innermost) : null,
      onclick: (event) => {
        event.preventDefault();
        tracer.sites.open(index);
      },
      text: siteName(site),
    });
    return innermost ? [link, " ", el("span", { class: "place faint", text: place(innermost).split("/").pop() })] : link;
  }

  // Statements as text has them, each with its tone.
  function words(label) {
    const line = data.words.find(([name]) => name === label);
    return line ? line[1] : [];
  }

  function sayWords(label, title) {
    const statements = words(label);
    if (statements.length === 0) return null;
    const marks = { good: "✓ ", caution: "! ", bad: "✗ " };
    return el("p", { class: "words" },
      el("span", { class: "label", text: title || label }),
      statements.map(([text, tone], i) => [
        i > 0 ? el("span", { class: "faint", text: " · " }) : null,
        el("span", { class: tone || null, text: (marks[tone] || "") + text }),
      ]));
  }

  // Marks an amount that may be less than what happened.
  const isBound = data.lower_bound !== null;
  const atLeast = (text) => (isBound && text !== units.UNKNOWN ? `≥ ${text}` : text);

  // `± 1.2 %` of an estimate; nothing for what was counted.
  function plusMinus(figures, which, value) {
    if (!figures.error) return null;
    const error = figures.error[which];
    if (error === null && isBound) return "at least";
    return `± ${error === null ? units.UNKNOWN : units.percent(units.share(error, value))}`;
  }

  return { OWNERS, frame, local, place, shortPlace, typeName, siteName, hosts, measure, isHeap, siteLink, words, sayWords, isBound, atLeast, plusMinus };
})();
