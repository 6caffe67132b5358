import { isSignedIn, signOut } from "../api.js";
import { html, useEffect, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

// Only where this browser signed in with a token.
export function SignOut() {
  const [shown, setShown] = useState(isSignedIn());
  useEffect(() => {
    const look = () => setShown(isSignedIn());
    addEventListener("lytrace:retry", look);
    return () => removeEventListener("lytrace:retry", look);
  }, []);
  if (!shown) return null;
  return html`<button class="icon-button" type="button" aria-label="Sign out" title="Sign out" onClick=${signOut}><${Icon} name="leave" /></button>`;
}
