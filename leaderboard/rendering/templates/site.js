// Tabs, sorting, filtering, the switch between two means, and sliders. Without this script the page still shows everything.
"use strict";

function slider(figure) {
  const input = figure.querySelector("input");
  const move = () => figure.style.setProperty("--x", input.value);
  input.addEventListener("input", move);
  move();
}

function tabs(bar) {
  const links = [...bar.querySelectorAll("[data-tab]")];
  const panels = links.map((link) => document.getElementById(link.dataset.tab));
  bar.setAttribute("role", "tablist");
  links.forEach((link, i) => {
    link.setAttribute("role", "tab");
    link.id = "tab-" + link.dataset.tab;
    link.setAttribute("aria-controls", link.dataset.tab);
    panels[i].setAttribute("role", "tabpanel");
    panels[i].removeAttribute("aria-label");
    panels[i].setAttribute("aria-labelledby", link.id);
  });
  function show(number) {
    links.forEach((link, i) => {
      link.setAttribute("aria-selected", String(i === number));
      link.tabIndex = i === number ? 0 : -1;
      panels[i].hidden = i !== number;
    });
  }
  function fromAddress() {
    const name = decodeURIComponent(location.hash).slice(1);
    const wanted = links.findIndex((link) => (
      link.dataset.tab === name || (link.dataset.earlier || "").split(" ").includes(name)
    ));
    show(Math.max(0, wanted));
  }
  bar.addEventListener("click", (event) => {
    const link = event.target.closest("[data-tab]");
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, "", "#" + link.dataset.tab);
    show(links.indexOf(link));
  });
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -links.length, End: links.length }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = Math.min(Math.max(links.indexOf(document.activeElement) + step, 0), links.length - 1);
    links[next].focus();
    links[next].click();
  });
  window.addEventListener("hashchange", fromAddress);
  fromAddress();
}

function scores(section) {
  const table = section.querySelector("[data-scores]");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const tools = section.querySelector("[data-tools]");
  const filter = tools.querySelector("[data-filter]");
  const pick = tools.querySelector("[data-pick]");
  const count = tools.querySelector("[data-count]");
  const heads = [...table.querySelectorAll("[data-sort]")];
  const place = Object.fromEntries(heads.map((head) => [head.dataset.sort, head.closest("th").cellIndex]));
  const cellOf = (row, column) => row.cells[place[column]];

  function sort(column, direction) {
    const sign = direction === "descending" ? -1 : 1;
    const valued = rows.map((row, i) => {
      if (column === "name") return [row, row.querySelector(".model").textContent.trim().toLowerCase(), true, i];
      const cell = cellOf(row, column);
      const has = cell && cell.dataset.v !== undefined;
      return [row, has ? Number(cell.dataset.v) : 0, has && !cell.classList.contains("out"), i, has];
    });
    valued.sort((a, b) => b[2] - a[2] || (b[4] || 0) - (a[4] || 0) || sign * (a[1] > b[1]) - sign * (a[1] < b[1]) || a[3] - b[3]);
    body.append(...valued.map((entry) => entry[0]));
    heads.forEach((head) => head.closest("th").removeAttribute("aria-sort"));
    heads.find((head) => head.dataset.sort === column).closest("th").setAttribute("aria-sort", direction);
    if (column !== "name") activate(column);
  }

  function activate(column) {
    table.classList.add("sorted");
    pick.value = column;
    table.querySelectorAll(".active").forEach((cell) => cell.classList.remove("active"));
    table.querySelectorAll("tr").forEach((row) => {
      if (row.cells.length > place[column]) cellOf(row, column).classList.add("active");
    });
    rows.forEach((row) => {
      const cell = cellOf(row, column);
      const [rank, best, worst] = (cell && cell.dataset.r ? cell.dataset.r : "").split(" ");
      const shown = row.querySelector(".rank");
      shown.innerHTML = "<b></b>";
      shown.firstChild.textContent = rank && rank !== "0" ? rank : "–";
      if (rank && rank !== "0" && best && best !== worst) {
        shown.append(Object.assign(document.createElement("small"), { textContent: best + "–" + worst }));
      }
    });
  }

  function narrow() {
    const words = filter.value.toLowerCase().split(/[^\p{L}\p{N}.]+/u).filter(Boolean);
    let shown = 0;
    table.querySelectorAll("tr[data-text]").forEach((row) => {
      row.hidden = !words.every((word) => row.dataset.text.includes(" " + word));
      if (!row.hidden && row.parentNode === body) shown += 1;
    });
    count.textContent = words.length ? `${shown} of ${rows.length} models` : "";
  }

  function turn(cell, next) {
    const [group, interval] = ["sup", "small"].map((name) => cell.querySelector(name));
    const active = cell.classList.contains("active");
    cell.classList.remove("active");
    const now = [cell.firstChild.data, cell.dataset.v, cell.dataset.r, interval ? interval.textContent : "",
      group ? group.textContent : "", (cell.getAttribute("style") || ""), cell.className];
    cell.textContent = next[0];
    [cell.dataset.v, cell.dataset.r] = [next[1], next[2]];
    if (next[4]) cell.append(Object.assign(document.createElement("sup"), { textContent: next[4] }));
    if (next[3]) cell.append(Object.assign(document.createElement("small"), { textContent: next[3] }));
    if (next[5]) cell.setAttribute("style", next[5]); else cell.removeAttribute("style");
    cell.className = next[6];
    cell.classList.toggle("active", active);
    return now;
  }

  const over = tools.querySelector("[data-over]");
  if (over) {
    over.value = over.options[0].value;
    let others = null;
    let shown = over.value;
    const change = () => {
      if (shown === over.value) return;
      shown = over.value;
      others = others.map(([cell, next]) => [cell, turn(cell, next)]);
      section.querySelectorAll("[data-of]").forEach((part) => { part.hidden = part.dataset.of !== over.value; });
      const head = heads.find((candidate) => candidate.closest("th").hasAttribute("aria-sort"));
      if (head) sort(head.dataset.sort, head.closest("th").getAttribute("aria-sort"));
    };
    over.addEventListener("change", () => {
      if (others) { change(); return; }
      const script = document.createElement("script");
      script.src = `means/${section.id}.js`;
      script.onload = () => {
        others = others || window.refbenchMeans[section.id].flatMap((cells, i) => cells
          .map((text, k) => [cellOf(rows[i], k ? String(k - 1) : "points"), text.split("|")])
          .filter(([cell, next]) => cell && next.length > 1));
        change();
      };
      script.onerror = () => { over.value = shown; };
      document.head.append(script);
    });
  }

  heads.forEach((head) => head.addEventListener("click", () => {
    const now = head.closest("th").getAttribute("aria-sort");
    const first = head.dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    sort(head.dataset.sort, now === first ? other : first);
  }));
  pick.addEventListener("change", () => {
    const head = heads.find((candidate) => candidate.dataset.sort === pick.value);
    sort(pick.value, head.dataset.first);
  });
  filter.addEventListener("input", narrow);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { filter.value = ""; narrow(); }
  });
  tools.hidden = false;
  if (table.dataset.active) activate(table.dataset.active);
  narrow();
}

document.querySelectorAll("[data-slider]").forEach(slider);
document.querySelectorAll(".tabs").forEach(tabs);
document.querySelectorAll(".benchmark").forEach(scores);
