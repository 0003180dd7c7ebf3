// Schedules step by step: a cursor on each, and one level of transaction isolation at a time. The address says which
// level and step: #repeatable-read-4.
const BETWEEN_STEPS = 1100;
const levels = [...document.querySelectorAll("section.level")];
const tabs = [...document.querySelectorAll(".level-tabs a")];

function place() {
  const [, level, step] = /^#([a-z-]+?)(?:-(\d+))?$/.exec(location.hash) ?? [];
  return { level: levels.find((section) => section.id === level) ?? levels[0], step: Number(step ?? 0) };
}

function players(section) {
  return [...section.querySelectorAll(".score")].map((score, index) => player(score, index === 0 ? section.id : null));
}

// `level`: the one whose steps the address tells.
function player(score, level) {
  const beats = [...score.querySelectorAll(".beat")];
  const left = [...score.querySelectorAll(".left")];
  const controls = score.querySelector(".steps-controls");
  const said = controls.querySelector(".hint");
  const play = controls.querySelector("[data-go=play]");
  let at = 0; // 0: the cursor is nowhere, all is shown
  let timer;
  controls.hidden = false;
  function show(next, tell = true) {
    at = Math.min(Math.max(next, 0), beats.length);
    beats.forEach((beat, index) => {
      beat.classList.toggle("later", at > 0 && index >= at);
      beat.classList.toggle("now", index === at - 1);
      if (index === at - 1) beat.setAttribute("aria-current", "step");
      else beat.removeAttribute("aria-current");
    });
    left.forEach((rows) => rows.classList.toggle("later", at > 0 && at < beats.length));
    const act = beats[at - 1]?.querySelector(".who")?.textContent ?? "";
    said.textContent = at > 0 ? `Step ${at} of ${beats.length}: ${act}` : `${beats.length} steps`;
    if (level && tell) history.replaceState(null, "", `#${level}${at > 0 ? `-${at}` : ""}`);
    beats[at - 1]?.scrollIntoView({ block: "nearest" });
  }
  function pause() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  }
  function go(what) {
    if (what === "play" && !timer) {
      if (at === beats.length) show(0);
      show(at + 1);
      play.textContent = "Pause";
      timer = setInterval(() => {
        show(at + 1);
        if (at === beats.length) pause();
      }, BETWEEN_STEPS);
      return;
    }
    pause();
    if (what === "first") show(1);
    if (what === "back") show(at > 1 ? at - 1 : 1);
    if (what === "next") show(at + 1);
    if (what === "last") show(beats.length);
  }
  controls.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    if (button) go(button.dataset.go);
  });
  const keys = { ArrowLeft: "back", ArrowUp: "back", ArrowRight: "next", ArrowDown: "next", Home: "first", End: "last", " ": "play" };
  score.addEventListener("keydown", (event) => {
    const what = keys[event.key];
    const own = event.key === " " && event.target.closest("button, summary, a");
    if (!what || own || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    go(what);
  });
  beats.forEach((beat, index) => beat.addEventListener("click", () => { pause(); show(index + 1); }));
  show(0, false);
  return { show, pause };
}

const all = new Map(levels.map((section) => [section, players(section)]));
function open() {
  const { level, step } = place();
  levels.forEach((section) => { section.hidden = section !== level; });
  tabs.forEach((tab) => {
    if (tab.dataset.level === level.id) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  });
  all.forEach((list) => list.forEach((one) => one.pause()));
  all.get(level)[0]?.show(step, false);
}
if (levels.length > 0) {
  addEventListener("hashchange", open);
  open();
}
