import { kept } from "../kept";

export type Theme = "system" | "light" | "dark";

/** Light or dark, as somebody chose. `public/theme.js` reads the same before the first paint. */
const chosen = kept<Theme>("tiffin.theme", (stored) => (stored === "light" || stored === "dark" ? stored : "system"));

export const useTheme = chosen.use;

export function setTheme(theme: Theme) {
  chosen.set(theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
