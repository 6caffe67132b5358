import { html } from "../lib/html.js";

// Strokes on a 16 × 16 grid.
const PATHS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  "circle-check": "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM5.5 8.2l1.8 1.8 3.2-3.8",
  "circle-cross": "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6 6l4 4M10 6l-4 4",
  "circle-lost": "M8 2a6 6 0 0 1 3 .8M13.2 5a6 6 0 0 1 .6 4M12.2 12.2A6 6 0 0 1 9 13.9M5 13.2A6 6 0 0 1 2.3 9.8M2.2 6.5A6 6 0 0 1 5 2.8M8 5v3.5M8 11v.01",
  "circle-run": "M8 2a6 6 0 1 0 6 6",
  star: "M8 2.2l1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6L8 2.2Z",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5M6.8 7v3.5M9.2 7v3.5",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  like: "M5.8 9.600A3.800 3.800 0 1 0 5.800 2a3.800 3.800 0 0 0 0 7.600ZM10.200 14a3.800 3.800 0 1 0 0-7.600 3.800 3.800 0 0 0 0 7.600Z",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  down: "M3.5 6L8 10.5 12.5 6",
  plus: "M8 3.5v9M3.5 8h9",
  warn: "M8 2.5l6 10.5H2L8 2.5ZM8 6.5v3M8 11.2v.01",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.5V11M8 5.2v.01",
  plug: "M6 2v3M10 2v3M4.5 5h7v2.5a3.5 3.5 0 0 1-7 0V5ZM8 11v3",
  sun: "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M3.6 12.4l1-1M11.4 4.6l1-1",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6Z",
  auto: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12M8 5h4.8M8 8h6M8 11h4.8",
  grid: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5H9z",
  rows: "M2.5 3h11v4h-11zM2.5 9h11v4h-11z",
  image: "M2.5 3h11v10h-11zM2.5 11l3-3 2.5 2.5L10.5 7l3 3.5M6 6v.01",
  up: "M5 7l2.6-4.6c.9 0 1.4.6 1.4 1.5V6h3.4c.7 0 1.2.6 1 1.3l-1.1 4.9c-.1.5-.5.8-1 .8H5M5 7v6H2.8V7H5Z",
  thumbsdown: "M11 9L8.4 13.6C7.500 13.600 7 13 7 12.100V10H3.600C2.900 10 2.400 9.400 2.600 8.700L3.700 3.800C3.800 3.300 4.200 3 4.700 3H11M11 9V3h2.200v6H11Z",
  person: "M8 8a2.6 2.600 0 1 0 0-5.200A2.600 2.600 0 0 0 8 8ZM3 13.500c.4-2.600 2.400-4 5-4s4.600 1.400 5 4",
  code: "M5.500 4.500L2 8l3.500 3.500M10.500 4.500L14 8l-3.500 3.500",
  llm: "M8 2l1.500 4.500L14 8l-4.500 1.500L8 14l-1.500-4.500L2 8l4.500-1.500L8 2Z",
  external: "M6.500 3.500h-3v9h9v-3M9 3.500h3.500V7M12.500 3.500L7.500 8.500",
  download: "M8 2.500v7.500M5 7.200l3 3 3-3M3 13h10",
  leave: "M9.500 3H3.500v10h6M7 8h6.500M11 5.500L13.500 8 11 10.500",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.800V8l2.200 1.600",
};

export function Icon({ name, small = false, filled = false, spin = false }) {
  const classes = `icon${small ? " small" : ""}${spin ? " spin" : ""}`;
  return html`<svg class=${classes} viewBox="0 0 16 16" aria-hidden="true" style=${filled ? "fill: currentColor" : undefined}>
    <path d=${PATHS[name]} />
  </svg>`;
}
