// The theme: light, dark or that of the system. Runs before the first paint to avoid a flash.
(() => {
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("nextchar-theme") ?? "auto";
    } catch {
      return "auto"; // storage is forbidden
    }
  };
  root.dataset.theme = stored();
  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    choice.value = root.dataset.theme;
    choice.addEventListener("change", () => {
      root.dataset.theme = choice.value;
      try {
        localStorage.setItem("nextchar-theme", choice.value);
      } catch {
        // the theme applies until the page is closed
      }
    });
  });
})();
