// A table that sorts by its heads, opens a detail below a row, and shows many rows a part at a time. What filters rows is
// the caller's: it gives new ones.
tracer.table = (() => {
  "use strict";
  const { el } = tracer.dom;
  const PART = 25;
  // What a browser lays out without a pause.
  const MANY = 1000;

  // Rows of which a figure is not known stand last, whichever way they are sorted.
  function compare(column, descending) {
    return (a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      const missing = (value) => value === null || value === undefined;
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      const order = typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y;
      return descending ? -order : order;
    };
  }

  // `columns`: { key, title, hint, value(row), cell(row), numeric, spare, name }; `spare` ones give way on a narrow screen,
  // the `name` one holds the button that opens the detail. `detail(row)` makes it, when it is first opened.
  function make({ caption, columns, rows, sort, detail, rowId, empty }) {
    const state = { columns, rows, sorted: rows, sort, from: 0, to: PART, open: new Set() };
    const head = el("tr");
    const body = el("tbody");
    const more = el("div", { class: "more" });
    const element = el("div", { class: "data-table" },
      el("div", { class: "scroll" }, el("table", null, el("caption", { class: "unseen", text: caption }), el("thead", null, head), body)),
      more);

    function order() {
      const column = state.columns.find((column) => column.key === state.sort.key) || state.columns[0];
      // Sorting is stable: equal ones stay in the order of the capture.
      state.sorted = state.rows.slice().sort(compare(column, state.sort.descending));
    }

    function showHead() {
      head.replaceChildren(...state.columns.map((column) => {
        const active = column.key === state.sort.key;
        const direction = active ? (state.sort.descending ? "descending" : "ascending") : "none";
        const arrow = active ? (state.sort.descending ? " ↓" : " ↑") : "";
        const button = el("button", { type: "button", title: column.hint, onclick: () => sortBy(column) },
          column.title, el("span", { "aria-hidden": "true", text: arrow }));
        return el("th", { scope: "col", "aria-sort": direction, "data-key": column.key, class: classes(column) }, button);
      }));
    }

    const classes = (column) => [column.name && "name", column.numeric && "num", column.spare && `spare${column.spare}`].filter(Boolean).join(" ") || null;

    function sortBy(column) {
      const again = state.sort.key === column.key;
      state.sort = { key: column.key, descending: again ? !state.sort.descending : Boolean(column.numeric) };
      toStart();
      order();
      show();
      head.querySelector(`[data-key="${column.key}"] button`).focus();
    }

    function toStart() {
      state.from = 0;
      state.to = PART;
    }

    function showRows() {
      const parts = document.createDocumentFragment();
      for (const row of state.sorted.slice(state.from, state.to)) parts.append(...lines(row));
      if (state.sorted.length === 0) {
        parts.append(el("tr", null, el("td", { colspan: state.columns.length, class: "none", text: empty || "nothing here" })));
      }
      body.replaceChildren(parts);
      showMore();
    }

    function lines(row) {
      const line = el("tr", { id: rowId ? rowId(row) : null, class: detail ? "opens" : null, onclick: detail ? (event) => clicked(event, row, line) : null });
      for (const column of state.columns) {
        const cell = el("td", { class: classes(column) });
        if (column.name && detail) cell.append(opener(row, line, column));
        tracer.dom.append(cell, [column.cell(row)]);
        line.append(cell);
      }
      return state.open.has(row) ? [line, detailLine(row)] : [line];
    }

    // The whole row opens, but for what is a control itself, and for text that is being selected.
    function clicked(event, row, line) {
      if (event.target.closest("a, button") || !getSelection().isCollapsed) return;
      toggle(row, line, line.querySelector(".opener"));
    }

    function opener(row, line, column) {
      const isOpen = state.open.has(row);
      return el("button", {
        type: "button", class: "opener", "aria-expanded": String(isOpen), "aria-label": `Details of ${column.name(row)}`,
        onclick: (event) => toggle(row, line, event.currentTarget),
      });
    }

    function detailLine(row) {
      return el("tr", { class: "detail" }, el("td", { colspan: state.columns.length }, detail(row)));
    }

    function toggle(row, line, button) {
      if (state.open.delete(row)) {
        line.nextElementSibling.remove();
      } else {
        state.open.add(row);
        line.after(detailLine(row));
      }
      button.setAttribute("aria-expanded", String(state.open.has(row)));
    }

    function showMore() {
      const rest = state.sorted.length - state.to;
      const button = (number) => el("button", {
        type: "button",
        onclick: () => {
          const next = state.to;
          state.to += number;
          body.append(...state.sorted.slice(next, state.to).flatMap(lines));
          showMore();
          const opener = document.getElementById(rowId(state.sorted[next])).querySelector(".opener");
          opener.focus({ preventScroll: true });
        },
        text: `Show ${tracer.units.exact(Math.min(number, rest))} more`,
      });
      more.replaceChildren();
      if (state.from > 0) {
        more.append(el("button", { type: "button", text: "Show the first rows", onclick: () => {
          toStart();
          showRows();
          body.querySelector(".opener").focus();
        } }));
      }
      if (rest > 0) more.append(button(PART));
      if (rest > PART) more.append(button(MANY));
    }

    function show() {
      showHead();
      showRows();
    }

    order();
    show();
    return {
      element,
      // Shows other rows, in the same order, and other columns if they are given.
      update(rows, columns) {
        if (columns) state.columns = columns;
        state.rows = rows;
        toStart();
        order();
        show();
      },
      // Opens the detail of a row, wherever it is in the order.
      reveal(row) {
        const place = state.sorted.indexOf(row);
        if (place < 0) return false;
        if (place < state.from || place >= state.to) {
          state.from = Math.floor(place / PART) * PART;
          state.to = state.from + PART;
        }
        state.open.add(row);
        showRows();
        const line = document.getElementById(rowId(row));
        line.scrollIntoView({ block: "start" });
        line.querySelector(".opener").focus({ preventScroll: true });
        return true;
      },
      setSort(sort) {
        state.sort = sort;
        order();
        show();
      },
    };
  }

  return make;
})();
