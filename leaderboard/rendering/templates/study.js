// A study in the browser: order and sides are drawn from the participant's name, votes are kept until saved.
"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const screens = Object.fromEntries([...document.querySelectorAll("[data-screen]")].map((s) => [s.dataset.screen, s]));
  const query = (name) => document.querySelector(`[data-${name}]`);
  let participant = "";
  let trials = [];
  let votes = [];
  let shownAt = 0;

  // A small generator (xorshift on a hash of the name), so that the same name always gets the same order.
  function generator(text) {
    let state = 2166136261;
    for (const char of text) state = Math.imul(state ^ char.codePointAt(0), 16777619) >>> 0;
    return () => {
      state ^= state << 13; state >>>= 0;
      state ^= state >>> 17;
      state ^= state << 5; state >>>= 0;
      return state / 4294967296;
    };
  }

  function arrange() {
    const draw = generator(`${study.study}/${participant}`);
    for (let i = 0; i < 20; i += 1) draw();
    trials = study.trials.map((trial) => ({ ...trial }));
    for (let i = trials.length - 1; i > 0; i -= 1) {
      const j = Math.floor(draw() * (i + 1));
      [trials[i], trials[j]] = [trials[j], trials[i]];
    }
    trials.forEach((trial) => { trial.swapped = draw() < 0.5; });
  }

  const place = () => `refbench-study-${study.study}-${participant}`;
  function keep() { try { sessionStorage.setItem(place(), JSON.stringify(votes)); } catch { /* votes stay in memory */ } }
  function recall() { try { return JSON.parse(sessionStorage.getItem(place())) || []; } catch { return []; } }

  function only(name) {
    for (const [key, screen] of Object.entries(screens)) screen.hidden = key !== name;
    const title = screens[name].querySelector("h1");
    if (name !== "start") title.focus({ preventScroll: false });
  }

  function show() {
    if (votes.length >= trials.length) return finish();
    only("trial");
    const trial = trials[votes.length];
    const sides = trial.swapped ? [trial.b, trial.a] : [trial.a, trial.b];
    query("a").src = sides[0];
    query("b").src = sides[1];
    query("lq").src = trial.lq;
    query("references").replaceChildren(...trial.references.map((src) => {
      const figure = document.createElement("figure");
      figure.append(Object.assign(document.createElement("img"), { src, alt: "A photo of the same person", width: 160, height: 160 }));
      figure.append(Object.assign(document.createElement("figcaption"), { textContent: "Reference" }));
      return figure;
    }));
    query("done").textContent = `${votes.length + 1} of ${trials.length}`;
    document.querySelector("progress").value = votes.length;
    shownAt = performance.now();
  }

  function vote(side) {
    const trial = trials[votes.length];
    if (!trial) return;
    const choice = side === "tie" ? "tie" : (side === "a") !== trial.swapped ? "first" : "second";
    votes.push({ trial: trial.id, choice, swapped: trial.swapped, seconds: Math.round((performance.now() - shownAt) / 100) / 10 });
    keep();
    show();
  }

  function back() {
    if (!votes.length) return;
    votes.pop();
    keep();
    show();
  }

  function finish() {
    only("end");
    const content = JSON.stringify({ schema_version: 1, study: study.study, participant, votes }, null, 1);
    const link = query("save");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = `votes-${study.study}-${participant.replace(/[^\w.-]+/g, "-")}.json`;
  }

  query("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    participant = new FormData(event.target).get("participant").trim();
    arrange();
    votes = recall();
    show();
  });
  document.querySelectorAll("[data-vote]").forEach((button) => button.addEventListener("click", () => vote(button.dataset.vote)));
  document.querySelectorAll("[data-back]").forEach((button) => button.addEventListener("click", back));
  document.addEventListener("keydown", (event) => {
    if (screens.start.hidden === false || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Backspace") { event.preventDefault(); back(); return; }
    if (screens.trial.hidden) return;
    const side = { ArrowLeft: "a", ArrowRight: "b", ArrowDown: "tie" }[event.key];
    if (side) { event.preventDefault(); vote(side); }
  });
})();
