// The crash on Home: shows the recorded row of the place where the slider stands.
const slider = document.getElementById("crash");
const rows = [...document.querySelectorAll("tbody[data-stop]")];
const steps = [...document.querySelectorAll(".line-steps li")];
function show() {
  const stop = Number(slider.value);
  rows.forEach((row, index) => row.classList.toggle("away", index !== stop));
  steps.forEach((step, index) => step.classList.toggle("done", index < stop));
  slider.setAttribute("aria-valuetext", rows[stop]?.dataset.place ?? "");
}
slider?.addEventListener("input", show);
