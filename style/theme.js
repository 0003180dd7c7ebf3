// Before anything is drawn: the theme that was chosen here, if one was.
try {
  const theme = localStorage.getItem("adr-lab.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the system's theme it is.
}
