import { html } from "../lib/html.js";
import { useTitle } from "../lib/hooks.js";
import { href } from "../lib/router.js";

export function UnknownPage() {
  useTitle("Not found");
  return html`<section class="empty">
    <h1>There is no such page</h1>
    <p><a class="link" href=${href.images()}>All images</a> · <a class="link" href=${href.traces()}>All traces</a></p>
  </section>`;
}
