// Light, dark or as the system has it. Runs before the page is painted, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("nextchar-theme") ?? "auto";
    } catch {
      return "auto"; // storage is forbidden here
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
        // it holds until the page is closed
      }
    });
  });
})();
