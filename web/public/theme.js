// Before the first paint: light or dark, if somebody chose; otherwise the system says (src/ui/theme.ts).
try {
  const theme = JSON.parse(localStorage.getItem("tiffin.theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing has chosen nothing.
}
