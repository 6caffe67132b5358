import { html } from "../lib/html.js";
import { CopyIcon } from "./copy-button.js";

const PYTHON = `import lytrace
lytrace.init()

pipeline = DiffusionPipeline.from_pretrained("stabilityai/sd-turbo")
pipeline("a lighthouse at dusk").images[0].save("dusk.png")`;

function Snippet({ title, code }) {
  return html`<figure class="snippet">
    <header><figcaption>${title}</figcaption><${CopyIcon} text=${code} label=${title} /></header>
    <pre><code>${code}</code></pre>
  </figure>`;
}

// Nothing has arrived yet: how to send something.
export function EmptyState({ what }) {
  return html`<section class="empty">
    <h1>No ${what} yet</h1>
    <p>Every image your pipeline makes appears here with its prompt, seed, timings and scores. Add one call to your program; what it recorded earlier arrives as soon as the collector runs.</p>
    <div class="steps">
      <${Snippet} title="In your program" code=${PYTHON} />
      <${Snippet} title="In a terminal" code="lytrace up" />
    </div>
  </section>`;
}

export function NothingFound({ query, onClear }) {
  return html`<section class="empty">
    <h1>Nothing found</h1>
    <p>${query ? `No result matches “${query}”.` : "No trace is in this state."}</p>
    <p style="margin-top: 14px"><button class="button" type="button" onClick=${onClear}>Clear the search</button></p>
  </section>`;
}
