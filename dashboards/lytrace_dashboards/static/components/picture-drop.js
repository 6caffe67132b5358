import { readHashes } from "../api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { href, navigate } from "../lib/router.js";
import { rememberPicture } from "../lib/asked-picture.js";
import { Icon } from "./icon.js";
import { Notice } from "./notice.js";

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

// Asks the collector for the picture's hashes; they, not the file, are what the results' address holds.
function useFind() {
  const [state, setState] = useState({ busy: false, problem: null });
  const find = async (file) => {
    if (!file) return;
    setState({ busy: true, problem: null });
    try {
      const { asked } = await readHashes(file);
      await rememberPicture(asked.artifact_id, file);
      setState({ busy: false, problem: null });
      navigate(href.similar(asked));
    } catch (error) {
      setState({ busy: false, problem: error.message });
    }
  };
  return [state, find];
}

// An image dropped anywhere on the page is looked for. Says so while one is held over it.
export function PictureDrop() {
  const [over, setOver] = useState(false);
  const [state, find] = useFind();
  const latest = useRef(find);
  latest.current = find;
  useEffect(() => {
    const controller = new AbortController();
    const listen = (name, act) => addEventListener(name, (event) => hasFiles(event) && act(event), { signal: controller.signal });
    listen("dragover", (event) => {
      event.preventDefault();
      setOver(true);
    });
    listen("dragleave", (event) => event.relatedTarget === null && setOver(false));
    listen("drop", (event) => {
      event.preventDefault();
      setOver(false);
      latest.current(event.dataTransfer.files[0]);
    });
    return () => controller.abort();
  }, []);
  return html`
    ${over && html`<div class="drop-here"><${Icon} name="like" /><span>Drop an image to find it, and those like it</span></div>`}
    ${state.busy && html`<${Notice}>Looking for the image<//>`}
    ${state.problem && html`<${Notice} tone="error">${state.problem}<//>`}
  `;
}

// The same with a file chooser, for who does not drag.
export function PicturePicker() {
  const [state, find] = useFind();
  const field = useRef(null);
  const choose = (event) => {
    find(event.target.files[0]);
    event.target.value = "";
  };
  return html`
    <button class="icon-button" type="button" disabled=${state.busy} aria-label="Find by image" title=${state.problem ?? "Find by image: choose one, or drop it on the page"} onClick=${() => field.current.click()}><${Icon} name="like" /></button>
    <input ref=${field} type="file" accept="image/*" hidden aria-hidden="true" onChange=${choose} />
    ${state.problem && html`<span class="tally" role="alert">${state.problem}</span>`}
  `;
}
