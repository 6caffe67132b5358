import { signIn } from "../api.js";
import { html, useState } from "../lib/html.js";
import { useConnection } from "../lib/hooks.js";
import { Dialog } from "./dialog.js";

const WHY = "This collector asks for a token. This browser then stays signed in for a week, or until you sign out.";

// Asked for when the collector answers 401. The token itself is not kept: the collector answers with a cookie.
export function TokenPrompt() {
  const [token, edit] = useState("");
  const [refused, setRefused] = useState(null);
  if (useConnection() !== "unauthorized") return null;
  const submit = async (event) => {
    event.preventDefault();
    try {
      await signIn(token.trim());
      setRefused(null);
    } catch (error) {
      setRefused(error.status === 401 ? "That token was not accepted. Please check it." : error.message);
    }
    edit("");
  };
  return html`<${Dialog} label="Access token">
    <form onSubmit=${submit}>
      <h2>Access token needed</h2>
      <p role=${refused && "alert"}>${refused ?? WHY}</p>
      <label class="label" for="token" style="margin-top: 14px">Token</label>
      <input id="token" class="field mono" type="password" autocomplete="current-password" autofocus value=${token} onInput=${(event) => edit(event.target.value)} />
      <p style="margin-top: 8px">Make one with <code>lytrace token new --kind full</code>.</p>
      <div class="actions"><button class="button primary" type="submit" disabled=${!token.trim()}>Sign in</button></div>
    </form>
  <//>`;
}
