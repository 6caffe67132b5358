import { html, useEffect } from "../lib/html.js";
import { useStored } from "../lib/hooks.js";
import { Icon } from "./icon.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SIGN = { auto: "auto", light: "sun", dark: "moon" };

// System, light, dark in turn. theme-boot.js reads the same key before the first paint.
export function ThemeToggle() {
  const [theme, setTheme] = useStored("lytrace.theme", "auto");
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  const label = `Theme: ${theme === "auto" ? "as the system" : theme}. Switch to ${NEXT[theme]}`;
  return html`<button class="icon-button" type="button" aria-label=${label} title=${label} onClick=${() => setTheme(NEXT[theme] ?? "auto")}>
    <${Icon} name=${SIGN[theme] ?? "auto"} />
  </button>`;
}
