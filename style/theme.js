// The theme: the system's, light or dark. Set before anything is drawn; the header's button goes round the three.
const themes = ["auto", "light", "dark"];
let theme = "auto";
try {
  theme = localStorage.getItem("adr-lab.theme") ?? "auto";
} catch {
  // Storage is forbidden here: the system's theme it is.
}
function show() {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
show();
document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (!button) return;
  const label = () => (button.textContent = `Theme: ${themes.includes(theme) ? theme : "auto"}`);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try {
      localStorage.setItem("adr-lab.theme", theme);
    } catch {
      // It holds until the page is left.
    }
    show();
    label();
  });
  label();
  button.hidden = false;
});
