// The comparison page: the picture, its two sides, their scores, and the list of all pictures.
"use strict";
(() => {
  const album = window.refbenchAlbum;
  const PAGE = 36;
  const stage = document.getElementById("stage");
  const [under, over] = [stage.querySelector(".under"), stage.querySelector(".over")];
  const sides = { left: document.querySelector('[data-side="left"]'), right: document.querySelector('[data-side="right"]') };
  const query = (name) => document.querySelector(`[data-${name}]`);
  const keys = album.keys.split(" ");
  const files = album.files ? album.files.split(" ") : keys;
  const source = (name) => album.sources.find((candidate) => candidate.name === name);
  const state = { at: 0, page: 0, order: keys.map((_, i) => i) };
  const scores = (window.refbenchScores = window.refbenchScores || {});
  const waiting = {};

  function load(name) {
    if (!source(name) || source(name).kind === "hq" || !source(name).scores) return Promise.resolve(null);
    if (scores[name]) return Promise.resolve(scores[name]);
    waiting[name] = waiting[name] || new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${album.slug}/${source(name).scores}`;
      script.onload = () => done(scores[name]);
      script.onerror = () => done(null);
      document.head.append(script);
    });
    return waiting[name];
  }

  function picture(name, i) {
    const from = source(name);
    return from.gaps && from.gaps.includes(i) ? "" : `${from.folder}${files[i]}.webp`;
  }

  function text(value, decimals) {
    return value === null || value === undefined ? "–" : (value / 10 ** decimals).toFixed(decimals).replace("-", "−");
  }

  async function numbers() {
    const at = state.at;
    const names = [sides.left.value, sides.right.value];
    const found = await Promise.all(names.map(load));
    if (at !== state.at || names[0] !== sides.left.value || names[1] !== sides.right.value) return;
    const table = query("numbers");
    ["left", "right"].forEach((side, k) => { table.querySelector(`[data-head="${side}"]`).textContent = source(names[k]).label; });
    table.tBodies[0].replaceChildren(...album.metrics.map((metric, m) => {
      const row = document.createElement("tr");
      const values = found.map((table) => (table ? table[m][at] : null));
      const head = Object.assign(document.createElement("th"), { scope: "row", textContent: `${metric.title} ${metric.arrow}` });
      const cells = values.map((value, k) => {
        const other = values[1 - k];
        const won = value !== null && other !== null && (metric.up ? value > other : value < other);
        return Object.assign(document.createElement("td"), { textContent: text(value, metric.decimals), className: won ? "won" : "" });
      });
      row.append(head, ...cells);
      return row;
    }));
    table.hidden = !found.some(Boolean);
  }

  function every() {
    const box = query("every");
    if (!box.open) return;
    query("all").replaceChildren(...album.sources.map((from) => {
      const address = picture(from.name, state.at);
      const item = document.createElement("li");
      const button = Object.assign(document.createElement("button"), { type: "button", title: `Show ${from.label} on the right` });
      const image = Object.assign(document.createElement("img"), { alt: `${from.label}, image ${keys[state.at]}`, loading: "lazy", width: 192, height: 192 });
      if (address) image.src = address; else image.alt = `${from.label}: no image`;
      button.append(image, Object.assign(document.createElement("span"), { textContent: from.label }));
      button.addEventListener("click", () => { sides.right.value = from.name; show(state.at); });
      item.append(button);
      return item;
    }));
  }

  function show(i) {
    state.at = i;
    const labels = [source(sides.left.value).label, source(sides.right.value).label];
    [[over, sides.left.value, labels[0]], [under, sides.right.value, labels[1]]].forEach(([image, name, label]) => {
      const address = picture(name, i);
      image.alt = address ? `${label}, image ${keys[i]}` : `${label}: no image`;
      if (address) image.src = address; else image.removeAttribute("src");
    });
    stage.querySelector(".tag.left").textContent = labels[0];
    stage.querySelector(".tag.right").textContent = labels[1];
    stage.querySelector("input").setAttribute("aria-label", `Divider between ${labels[0]} and ${labels[1]}`);
    query("name").textContent = keys[i];
    const references = album.references[i];
    query("references").replaceChildren(...references.map((reference) => Object.assign(document.createElement("img"), {
      src: `${album.referenceFolder}${album.referenceNames[reference]}.webp`, alt: "a reference of the same person", loading: "lazy", width: 192, height: 192,
    })));
    if (!references.length) query("references").textContent = "none";
    const wanted = new URLSearchParams({ image: keys[i], left: sides.left.value, right: sides.right.value });
    history.replaceState(null, "", "#" + wanted);
    document.querySelectorAll("[data-film] button").forEach((button) => {
      if (Number(button.dataset.at) === i) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
    });
    numbers();
    every();
  }

  function film() {
    const pages = Math.max(1, Math.ceil(state.order.length / PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const shown = state.order.slice(state.page * PAGE, state.page * PAGE + PAGE);
    query("film").replaceChildren(...shown.map((i) => {
      const item = document.createElement("li");
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.at = i;
      button.append(Object.assign(document.createElement("img"), {
        src: `${album.thumbnailFolder}${files[i]}.webp`, alt: `image ${keys[i]}`, loading: "lazy", width: 112, height: 112,
      }));
      if (i === state.at) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => show(i));
      item.append(button);
      return item;
    }));
    query("found").textContent = `${state.order.length} of ${album.total} images`;
    const turn = (label, step) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      button.disabled = state.page + step < 0 || state.page + step >= pages;
      button.addEventListener("click", () => { state.page += step; film(); });
      return button;
    };
    query("pages").replaceChildren(...(pages > 1 ? [turn("← Earlier", -1), `page ${state.page + 1} of ${pages}`, turn("Later →", 1)] : []));
  }

  async function arrange() {
    const words = query("find").value.toLowerCase().trim();
    const [kind, metric] = query("order").value.split(":");
    let order = keys.map((_, i) => i);
    if (album.groups[kind]) order = album.groups[kind];
    if (kind === "gap") {
      const m = Number(metric);
      const [a, b] = await Promise.all([load(sides.left.value), load(sides.right.value)]);
      const sign = album.metrics[m].up ? 1 : -1;
      const gap = (i) => (a && b && a[m][i] !== null && b[m][i] !== null ? sign * (a[m][i] - b[m][i]) : -Infinity);
      order = order.slice().sort((x, y) => gap(y) - gap(x) || x - y);
    }
    state.order = words ? order.filter((i) => `${keys[i]} ${album.people[album.person[i]]}`.toLowerCase().includes(words)) : order;
    state.page = 0;
    film();
  }

  function step(by) {
    const at = state.order.indexOf(state.at);
    const next = state.order[(at + by + state.order.length) % state.order.length];
    if (next === undefined) return;
    const page = Math.floor(state.order.indexOf(next) / PAGE);
    if (page !== state.page) { state.page = page; film(); }
    show(next);
  }

  function swap() {
    [sides.left.value, sides.right.value] = [sides.right.value, sides.left.value];
    show(state.at);
  }

  function fromAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    ["left", "right"].forEach((side) => { if (source(wanted.get(side))) sides[side].value = wanted.get(side); });
    const at = keys.indexOf(wanted.get("image"));
    state.page = at >= 0 ? Math.floor(at / PAGE) : 0;
    film();
    show(Math.max(0, at));
  }

  Object.values(sides).forEach((side) => side.addEventListener("change", () => { show(state.at); if (query("order").value.startsWith("gap")) arrange(); }));
  query("swap").addEventListener("click", swap);
  query("order").addEventListener("change", arrange);
  query("find").addEventListener("input", arrange);
  document.querySelectorAll("[data-step]").forEach((button) => button.addEventListener("click", () => step(Number(button.dataset.step))));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches('input[type="search"], select') || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { n: () => step(1), p: () => step(-1), x: swap, z: () => stage.classList.toggle("zoomed"), a: () => { query("every").open = !query("every").open; } }[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  query("every").addEventListener("toggle", every);
  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    stage.style.setProperty("--ox", `${(100 * (event.clientX - box.left)) / box.width}%`);
    stage.style.setProperty("--oy", `${(100 * (event.clientY - box.top)) / box.height}%`);
  });
  window.addEventListener("hashchange", fromAddress);
  fromAddress();
})();
