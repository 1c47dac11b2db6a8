import type { LineageNode } from "./graph.js";
import type { NodeState } from "./state.js";

/** What a node is drawn as. */
export const NODE_FORMS = [
  "original",
  "edited",
  "derived",
  "generated",
  "trained-on",
  "aggregated",
  "set",
  "unknown",
] as const;
export type NodeForm = (typeof NODE_FORMS)[number];

/** @returns the record's kind; sets look different from aggregated records, because they list what is in them */
export function formOf({ known }: Pick<LineageNode, "known">): NodeForm {
  if (known === undefined) return "unknown";
  return known.form === "set" ? "set" : known.record.kind;
}

export interface Colours {
  readonly fill: string;
  /** Of outline and badge: at least 4.5 to 1 against white and against the fill. */
  readonly stroke: string;
}

/**
 * Hues of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), which people of any colour vision tell apart, darkened
 * for outlines and lightened for areas. No state is told by colour alone: each has a badge.
 */
export const STATE_COLOURS: Readonly<Record<NodeState, Colours>> = {
  standing: { fill: "#e2f3ec", stroke: "#00684d" },
  withdrawn: { fill: "#fbe0d2", stroke: "#a03c00" },
  disputed: { fill: "#fcf1bf", stroke: "#6e5600" },
  superseded: { fill: "#e0edf9", stroke: "#00528a" },
  unknown: { fill: "#ffffff", stroke: "#5a5a5a" },
};

export const INK = "#1a1a1a";
export const FAINT_INK = "#4a4a4a";
export const LINE = "#555555";
/** Of what marks taint and conflicts. */
export const ALARM = "#b3002d";

/** Drawn in white on a disc of radius 9 around the origin. */
export const STATE_GLYPHS: Readonly<Record<NodeState, string>> = {
  standing: "M-4 0.5 L-1 3.5 L4.5 -3.5",
  withdrawn: "M-3.5 -3.5 L3.5 3.5 M3.5 -3.5 L-3.5 3.5",
  disputed: "M-4.5 -2 H4.5 M-4.5 2 H4.5 M2.5 -5 L-2.5 5",
  superseded: "M-4.5 0 H4 M0.5 -3.5 L4 0 L0.5 3.5",
  unknown: "M-4 0 H-3.9 M0 0 H0.1 M4 0 H4.1",
};

/** Outlines around the origin, for a width and a height. All are flat at the top and the bottom, where lines end. */
export const SHAPES: Readonly<Record<NodeForm, (width: number, height: number) => string>> = {
  original: (w, h) => {
    const [x, r] = [w / 2 - h / 2, h / 2];
    return `M${-x} ${-r} H${x} A${r} ${r} 0 0 1 ${x} ${r} H${-x} A${r} ${r} 0 0 1 ${-x} ${-r} Z`;
  },
  edited: (w, h) => box(w, h),
  derived: (w, h) => {
    const slant = h / 4;
    return `M${-w / 2 + slant} ${-h / 2} H${w / 2} L${w / 2 - slant} ${h / 2} H${-w / 2} Z`;
  },
  generated: (w, h) => {
    const x = w / 2 - h / 3;
    return `M${-x} ${-h / 2} H${x} L${w / 2} 0 L${x} ${h / 2} H${-x} L${-w / 2} 0 Z`;
  },
  "trained-on": (w, h) => {
    const [rx, ry] = [w / 2, h / 9];
    const [top, bottom] = [-h / 2 + ry, h / 2 - ry];
    const side = `M${-rx} ${top} A${rx} ${ry} 0 0 1 ${rx} ${top} V${bottom} A${rx} ${ry} 0 0 1 ${-rx} ${bottom} Z`;
    return `${side} M${-rx} ${top} A${rx} ${ry} 0 0 0 ${rx} ${top}`;
  },
  aggregated: (w, h) => {
    const shift = h / 10;
    const back = `M${-w / 2 + shift} ${-h / 2} H${w / 2} V${h / 2 - shift} H${w / 2 - shift} V${-h / 2 + shift}`;
    const front = `M${-w / 2} ${-h / 2 + shift} H${w / 2 - shift} V${h / 2} H${-w / 2} Z`;
    return `${back} H${-w / 2 + shift} Z ${front}`;
  },
  set: (w, h) => {
    const tab = h / 7;
    const rim = `M${-w / 2} ${h / 2} V${-h / 2} H${-w / 5} L${-w / 5 + tab} ${-h / 2 + tab} H${w / 2} V${h / 2} Z`;
    return `${rim} M${-w / 2} ${-h / 2 + tab} H${-w / 5 + tab}`;
  },
  unknown: (w, h) => box(w, h),
};

function box(w: number, h: number): string {
  return `M${-w / 2} ${-h / 2} H${w / 2} V${h / 2} H${-w / 2} Z`;
}
