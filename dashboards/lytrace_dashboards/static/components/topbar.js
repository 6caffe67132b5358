import { html } from "../lib/html.js";
import { useConnection } from "../lib/hooks.js";
import { href } from "../lib/router.js";
import { SignOut } from "./sign-out.js";
import { ThemeToggle } from "./theme-toggle.js";

const SECTIONS = [
  { name: "Images", pages: ["images", "similar"], target: href.images() },
  { name: "Traces", pages: ["traces", "trace"], target: href.traces() },
];

export function Topbar({ page }) {
  const live = useConnection() === "ok";
  return html`<header class="topbar">
    <a class="brand" href=${href.images()} aria-label="lytrace, all images">
      <img src="static/icons/lytrace.svg" alt="" />
      <span>lytrace</span>
    </a>
    <nav aria-label="Sections">
      ${SECTIONS.map(({ name, pages, target }) => html`<a key=${name} href=${target} aria-current=${pages.includes(page) ? "page" : undefined}>${name}</a>`)}
    </nav>
    <div class="spacer" />
    <div class=${live ? "live" : "live off"} role="status" title=${live ? "New data appears by itself" : "Not connected"}>
      <span>${live ? "Live" : "Offline"}</span>
    </div>
    <${ThemeToggle} />
    <${SignOut} />
  </header>`;
}
