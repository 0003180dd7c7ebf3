// Schedules step by step: a cursor on each, and one level of transaction isolation at a time. The address says which
// level and step: #repeatable-read-4.
const BETWEEN_STEPS = 1100;
const KEYS = { ArrowLeft: "back", ArrowUp: "back", ArrowRight: "next", ArrowDown: "next", Home: "first", End: "last", " ": "play" };

// One schedule. The app's come and go; wherever one appears, it can be played.
class Score extends HTMLElement {
  #beats = [];
  #at = 0; // 0: the cursor is nowhere, all is shown
  #timer;

  connectedCallback() {
    if (this.#beats.length > 0) return;
    this.#beats = [...this.querySelectorAll(".beat")];
    const controls = this.querySelector(".steps-controls");
    controls.hidden = false;
    controls.addEventListener("click", (event) => {
      const button = event.target.closest("[data-go]");
      if (button) this.#go(button.dataset.go);
    });
    this.addEventListener("keydown", (event) => {
      const what = KEYS[event.key];
      const own = event.key === " " && event.target.closest("button, summary, a");
      if (!what || own || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.#go(what);
    });
    this.#beats.forEach((beat, index) => beat.addEventListener("click", () => { this.pause(); this.#step(index + 1); }));
    this.show(0);
  }

  disconnectedCallback() {
    this.pause();
  }

  show(next) {
    const beats = this.#beats;
    const at = (this.#at = Math.min(Math.max(next, 0), beats.length));
    beats.forEach((beat, index) => {
      beat.classList.toggle("later", at > 0 && index >= at);
      beat.classList.toggle("now", index === at - 1);
      if (index === at - 1) beat.setAttribute("aria-current", "step");
      else beat.removeAttribute("aria-current");
    });
    this.querySelectorAll(".left").forEach((rows) => rows.classList.toggle("later", at > 0 && at < beats.length));
    const act = beats[at - 1]?.querySelector(".who")?.textContent ?? "";
    this.querySelector(".steps-controls .hint").textContent =
      at > 0 ? `Step ${at} of ${beats.length}: ${act}` : `${beats.length} steps`;
    beats[at - 1]?.scrollIntoView({ block: "nearest" });
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.querySelector("[data-go=play]").textContent = "Play";
  }

  // As `show`, and tells where it stands.
  #step(next) {
    this.show(next);
    this.dispatchEvent(new CustomEvent("step", { detail: this.#at }));
  }

  #go(what) {
    const last = this.#beats.length;
    if (what === "play" && !this.#timer) {
      if (this.#at === last) this.#step(0);
      this.#step(this.#at + 1);
      this.querySelector("[data-go=play]").textContent = "Pause";
      this.#timer = setInterval(() => {
        this.#step(this.#at + 1);
        if (this.#at === last) this.pause();
      }, BETWEEN_STEPS);
      return;
    }
    this.pause();
    if (what === "first") this.#step(1);
    if (what === "back") this.#step(this.#at > 1 ? this.#at - 1 : 1);
    if (what === "next") this.#step(this.#at + 1);
    if (what === "last") this.#step(last);
  }
}
customElements.define("schedule-score", Score);

const levels = [...document.querySelectorAll("section.level")];
const tabs = [...document.querySelectorAll(".level-tabs a")];
const scores = (level) => [...level.querySelectorAll("schedule-score")];

function open() {
  const [, name, step] = /^#([a-z-]+?)(?:-(\d+))?$/.exec(location.hash) ?? [];
  const level = levels.find((section) => section.id === name) ?? levels[0];
  levels.forEach((section) => { section.hidden = section !== level; });
  tabs.forEach((tab) => {
    if (tab.dataset.level === level.id) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  });
  levels.flatMap(scores).forEach((score) => score.pause());
  scores(level)[0]?.show(Number(step ?? 0));
}
if (levels.length > 0) {
  // The address tells the step of a level's first schedule.
  levels.forEach((level) => scores(level)[0]?.addEventListener("step", ({ detail: at }) => {
    history.replaceState(null, "", `#${level.id}${at > 0 ? `-${at}` : ""}`);
  }));
  addEventListener("hashchange", open);
  open();
}
