import { html, useEffect, useRef } from "../lib/html.js";

// A modal <dialog>: the browser keeps the focus inside and closes it on Esc. Without `onClose` it cannot be dismissed.
export function Dialog({ label, className = "dialog", onClose, onKeyDown, children }) {
  const ref = useRef(null);
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before?.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose?.();
  };
  const press = (event) => {
    if (event.key === "Escape" && !onClose) event.preventDefault();
    onKeyDown?.(event);
  };
  const clickOutside = (event) => event.target === ref.current && onClose?.();
  return html`<dialog ref=${ref} class=${className} aria-label=${label} onCancel=${cancel} onKeyDown=${press} onMouseDown=${clickOutside}>
    ${children}
  </dialog>`;
}
