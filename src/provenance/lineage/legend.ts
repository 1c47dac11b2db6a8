import { ALARM_ARROW_ID, ARROW_ID, FRAME_STYLE, outline, stateBadge, taintBadge, taintOutline, text } from "./marks.js";
import { NODE_STATES } from "./state.js";
import { ALARM, INK, LINE, NODE_FORMS, type NodeForm } from "./theme.js";

const SAMPLE_WIDTH = 56;
const SAMPLE_HEIGHT = 26;
const ITEM_HEIGHT = 44;
const HEADING_WIDTH = 70;
const LETTER = 6.8;

/** A sign, drawn around the origin, and what it means. */
interface Item {
  readonly sign: string;
  readonly meaning: string;
}

const FORM_MEANINGS: Readonly<Record<NodeForm, string>> = {
  original: "original",
  edited: "edited",
  derived: "derived",
  generated: "generated",
  "trained-on": "trained on",
  aggregated: "aggregated",
  set: "anchored set",
  unknown: "not read",
};

const small = (form: NodeForm, state: "standing" | "unknown" = "unknown", bold = false) =>
  outline(form, state, SAMPLE_WIDTH, SAMPLE_HEIGHT, bold);

const line = (style: string) => `<path d="M-26 0 H26" fill="none" ${style}/>`;

const ROWS: readonly { readonly heading: string; readonly items: readonly Item[] }[] = [
  { heading: "Kind", items: NODE_FORMS.map((form) => ({ sign: small(form), meaning: FORM_MEANINGS[form] })) },
  {
    heading: "State",
    items: NODE_STATES.map((state) => ({
      sign:
        outline(state === "unknown" ? "unknown" : "edited", state, SAMPLE_WIDTH, SAMPLE_HEIGHT) +
        stateBadge(state, { x: -SAMPLE_WIDTH / 2, y: 0 }),
      meaning: state,
    })),
  },
  {
    heading: "Marks",
    items: [
      { sign: small("edited", "standing", true), meaning: "the one asked for" },
      {
        sign:
          taintOutline("edited", SAMPLE_WIDTH - 6, SAMPLE_HEIGHT - 4) +
          outline("edited", "standing", SAMPLE_WIDTH - 6, SAMPLE_HEIGHT - 4) +
          taintBadge({ x: SAMPLE_WIDTH / 2 - 3, y: 0 }),
        meaning: "tainted by something above",
      },
      { sign: line(`stroke="${LINE}" stroke-width="1.3" marker-end="url(#${ARROW_ID})"`), meaning: "parent to child" },
      {
        sign: line(`stroke="${ALARM}" stroke-width="2" stroke-dasharray="2 3" marker-end="url(#${ALARM_ARROW_ID})"`),
        meaning: "rights in conflict",
      },
      {
        sign: `<rect x="-28" y="-13" width="56" height="26" ${FRAME_STYLE}/>`,
        meaning: "one line for all in it",
      },
    ],
  },
];

/** Every sign that a drawing can have, with its meaning, from a height on and within a width. */
export function drawLegend(top: number, width: number): { readonly svg: string; readonly bottom: number } {
  const parts: string[] = [];
  let y = top;
  for (const { heading, items } of ROWS) {
    parts.push(text({ x: 0, y: y + ITEM_HEIGHT / 2 + 4 }, heading, { size: 13, bold: true, anchor: "start" }));
    let x = HEADING_WIDTH;
    for (const { sign, meaning } of items) {
      const wide = SAMPLE_WIDTH + 16 + meaning.length * LETTER;
      if (x + wide > width && x > HEADING_WIDTH) {
        x = HEADING_WIDTH;
        y += ITEM_HEIGHT;
      }
      const middle = y + ITEM_HEIGHT / 2;
      parts.push(`<g transform="translate(${Math.round(x + SAMPLE_WIDTH / 2)} ${Math.round(middle)})">${sign}</g>`);
      const at = { x: x + SAMPLE_WIDTH + 10, y: middle + 4 };
      parts.push(text(at, meaning, { size: 12, colour: INK, anchor: "start" }));
      x += wide + 14;
    }
    y += ITEM_HEIGHT;
  }
  return { svg: parts.join("\n"), bottom: y };
}
