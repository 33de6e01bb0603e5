// The top of a comparison: which two captures, what changed in all, what is wrong now.
tracer.names = {
  // Without the path that leads to its package; type arguments may hold paths of their own.
  local(name) {
    const end = name.search(/[[(]/);
    const path = end < 0 ? name : name.slice(0, end);
    return name.slice(path.lastIndexOf("/") + 1);
  },
};

tracer.changes = (() => {
  "use strict";
  const { data, units } = tracer;
  const { el, get } = tracer.dom;
  const FINDINGS = 10;
  const LABELS = { allocs: "Allocations", alloc_bytes: "Allocated", requested_bytes: "Requested", live_bytes: "Alive", faults: "Page faults" };

  // One figure of all that is compared: as text has it.
  function amount(figure, value) {
    if (value === null || value === undefined) return units.UNKNOWN;
    if (figure.bytes) return figure.per_s ? units.byteRate(value) : units.bytes(value);
    return figure.per_s ? units.rate(value) : units.count(Math.round(value));
  }

  function signed(value, text) {
    if (text === units.UNKNOWN || text.startsWith("<")) return text;
    return value > 0 ? `+${text}` : value < 0 ? `-${text}` : text;
  }

  const difference = (figure, value) => (value === null ? units.UNKNOWN : signed(value, amount(figure, Math.abs(value))));

  // `change`: base, candidate, difference, relative, error, significant, not seen in base, not seen in candidate.
  function relative(change) {
    const [base, candidate, , part, , , inBase, inCandidate] = change;
    if (base === 0 && candidate > 0) return "new";
    if (candidate === 0 && base > 0) return "gone";
    if ((inBase && candidate > 0) || (inCandidate && base > 0)) return "not seen";
    return part === null ? units.UNKNOWN : signed(part, units.percent(Math.abs(part) * 100));
  }

  // How large it is: of what one side has not seen as much as the other has.
  function size(change) {
    if (!change) return null;
    const [base, candidate, difference, , , , inBase, inCandidate] = change;
    if (difference !== null) return difference;
    if (inBase) return candidate;
    return inCandidate && base !== null ? -base : null;
  }

  function verdict(change) {
    if (change[5] === true) return "significant";
    if (change[2] === 0) return "the same";
    if (change[5] === false) return "noise";
    return size(change) === null ? "" : "noise unknown";
  }

  function tone(change) {
    if (change[5] === true) return size(change) > 0 ? "more-of" : "less-of";
    return change[5] === false ? "faint" : null;
  }

  function capture(label, of) {
    const when = new Date(of.start_unix_ns / 1e6);
    const time = Number.isNaN(when.getTime()) ? null : `${when.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    return el("div", { class: "card" }, el("dt", { text: label }), el("dd", null,
      el("div", { class: "figure", text: `${of.mode}${of.duration_ns > 0 ? ` for ${units.duration(of.duration_ns)}` : ""}` }),
      el("div", { class: "more", text: `pid ${of.pid} · ${of.go_version} ${of.arch}` }),
      of.records && el("div", { class: of.delivered === of.hits ? "more" : "more caution", text: `delivered ${units.exact(of.delivered)} of ${units.exact(of.hits)} ${of.records}` }),
      time && el("div", { class: "more", text: time }),
      of.build_id && el("div", { class: "more", title: of.build_id, text: `build ${of.build_id.slice(0, 20)}${of.build_id.length > 20 ? "…" : ""}` })));
  }

  function captures() {
    const exe = data.candidate.exe.split("/").pop() || data.candidate.exe;
    document.title = `${exe}: comparison · tracer`;
    get("title").textContent = `${exe}: what changed`;
    const how = data.normalize === "rate" ? "figures per second of recording" : "figures in all";
    get("subtitle").textContent = `${data.base.exe} → ${data.candidate.exe} · ${how}`;
    get("foot").textContent = "Written by tracer from two captures. Everything is inside this file; it loads nothing.";
    const section = get("captures");
    section.append(el("dl", { class: "cards" }, capture("Base", data.base), capture("Candidate", data.candidate)));
    for (const warning of data.warnings) section.append(el("p", { class: "caution", text: `! ${warning}` }));
  }

  function totals() {
    const rows = data.figures.map((figure, i) => [figure, data.totals[i]]).filter(([, change]) => change);
    get("totals").append(tracer.dom.table("Change of everything", ["", "#Base", "#Candidate", "#Change", "#Relative", "#± standard error", ""],
      rows.map(([figure, change]) => [
        LABELS[figure.name], amount(figure, change[0]), amount(figure, change[1]),
        el("span", { class: tone(change), text: difference(figure, change[2]) }), relative(change), amount(figure, change[4]), verdict(change)])));
  }

  function rules() {
    const section = get("rules");
    section.hidden = data.rules.length === 0;
    const words = { kept: "holds", noise: "holds", broken: "is broken", unknown: "cannot be checked" };
    for (const rule of data.rules) {
      section.append(el("p", { class: rule.fails ? "bad" : null },
        el("span", { class: "code", text: rule.rule }), ` ${words[rule.outcome]}: `, rule.reason));
    }
  }

  function findings() {
    const section = get("findings");
    section.hidden = data.new.length + data.gone.length === 0;
    for (const [title, list] of [["New", data.new], ["Gone", data.gone]]) {
      if (list.length === 0) continue;
      const item = (finding) => el("li", { class: `finding ${title === "New" ? finding.severity : "info"}` },
        el("div", null, el("span", { class: `badge ${finding.severity}`, text: finding.severity }), finding.title),
        el("p", { text: finding.evidence }), el("p", { class: "faint", text: finding.advice }));
      const shown = el("ul", { class: "findings" }, list.slice(0, FINDINGS).map(item));
      section.append(el("h3", { text: title }), shown);
      if (list.length <= FINDINGS) continue;
      const more = el("button", { type: "button", text: `Show all ${units.exact(list.length)} findings`, onclick: () => {
        shown.append(...list.slice(FINDINGS).map(item));
        more.remove();
      } });
      section.append(more);
    }
  }

  return { LABELS, amount, difference, relative, size, verdict, tone, captures, totals, rules, findings };
})();
