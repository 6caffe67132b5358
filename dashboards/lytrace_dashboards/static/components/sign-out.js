import { isSignedIn, signOut } from "../api.js";
import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

// Only where this browser signed in with a token.
export function SignOut() {
  if (!isSignedIn()) return null;
  return html`<button class="icon-button" type="button" aria-label="Sign out" title="Sign out" onClick=${signOut}><${Icon} name="leave" /></button>`;
}
