import { hasToken, setToken } from "../api.js";
import { html, useState } from "../lib/html.js";
import { useConnection } from "../lib/hooks.js";
import { Dialog } from "./dialog.js";

// Asked for when the collector answers 401. The token stays in this tab's session storage.
export function TokenPrompt() {
  const [token, edit] = useState("");
  if (useConnection() !== "unauthorized") return null;
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) setToken(token.trim());
    edit("");
  };
  return html`<${Dialog} label="Access token">
    <form onSubmit=${submit}>
      <h2>Access token needed</h2>
      <p>${hasToken() ? "That token was not accepted. Please check it." : "This collector was started with a token. It is kept in this tab only."}</p>
      <label class="label" for="token" style="margin-top: 14px">Token</label>
      <input id="token" class="field mono" type="password" autocomplete="off" autofocus value=${token} onInput=${(event) => edit(event.target.value)} />
      <div class="actions"><button class="button primary" type="submit" disabled=${!token.trim()}>Continue</button></div>
    </form>
  <//>`;
}
