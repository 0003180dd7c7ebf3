// Loads the page's WebAssembly. A file of its own, since the page's policy allows no inline script.
const { js, wasm } = document.querySelector("script[data-wasm]").dataset;
const stopped = document.getElementById("stopped");
try {
  const { default: init } = await import(new URL(js, document.baseURI));
  await init({ module_or_path: new URL(wasm, document.baseURI) });
} catch (error) {
  stopped.hidden = false;
  stopped.textContent = `The page could not start: ${error?.message ?? error}. Reloading may help.`;
}
