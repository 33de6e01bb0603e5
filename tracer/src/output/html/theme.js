// The switch of light and dark. Until it is used, the system's setting holds.
tracer.theme = (() => {
  "use strict";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];
  let chosen = null;

  const isDark = () => (chosen === null ? system.matches : chosen === "dark");

  function tell() {
    if (chosen === null) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    for (const listener of listeners) listener();
  }

  function connect(button) {
    const label = () => {
      button.textContent = isDark() ? "Light theme" : "Dark theme";
    };
    button.addEventListener("click", () => {
      chosen = isDark() ? "light" : "dark";
      tell();
    });
    listeners.push(label);
    label();
  }

  // Paper is white, whatever the screen is.
  let before = null;
  addEventListener("beforeprint", () => {
    before = chosen;
    chosen = "light";
    tell();
  });
  addEventListener("afterprint", () => {
    chosen = before;
    tell();
  });
  system.addEventListener("change", tell);

  // The value of a colour of the style, for pictures that are painted.
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  return { connect, isDark, color, onChange: (listener) => listeners.push(listener) };
})();
