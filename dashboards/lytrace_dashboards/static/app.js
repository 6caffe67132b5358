import { Boundary } from "./components/boundary.js";
import { ConnectionBanner } from "./components/connection-banner.js";
import { TokenPrompt } from "./components/token-prompt.js";
import { Topbar } from "./components/topbar.js";
import { html, render } from "./lib/html.js";
import { useHotkeys } from "./lib/hooks.js";
import { followLive } from "./lib/live.js";
import { href, navigate, useRoute } from "./lib/router.js";
import { GalleryPage } from "./pages/gallery.js";
import { SimilarPage } from "./pages/similar.js";
import { TracePage } from "./pages/trace.js";
import { TracesPage } from "./pages/traces.js";
import { UnknownPage } from "./pages/unknown.js";

const PAGES = { images: GalleryPage, similar: SimilarPage, traces: TracesPage, trace: TracePage, unknown: UnknownPage };

function App() {
  const route = useRoute();
  useHotkeys({ "g i": () => navigate(href.images()), "g t": () => navigate(href.traces()) });
  const Page = PAGES[route.page];
  return html`
    <${Topbar} page=${route.page} />
    <${ConnectionBanner} />
    <main><${Boundary} key=${route.traceId ?? route.page}><${Page} route=${route} /><//></main>
    <${TokenPrompt} />
  `;
}

render(html`<${App} />`, document.getElementById("app"));
followLive();
