/**
 * The pieces of a drawing: nodes, lines and their marks, as SVG.
 *
 * @packageDocumentation
 */

import { NODE_HEIGHT, NODE_WIDTH } from "./frames.js";
import type { LineageNode } from "./graph.js";
import type { PlacedBond, PlacedFrame, PlacedNode, Point } from "./layout.js";
import { cut, escapeXml, oneLine, shortId } from "./text.js";
import { ALARM, FAINT_INK, formOf, INK, LINE, type NodeForm, SHAPES, STATE_COLOURS, STATE_GLYPHS } from "./theme.js";

/** What a node's second line holds. */
const FOOT_COLUMNS = 33;
const TOOLTIP_LENGTH = 300;
/** How far the outlines that mark a node lie outside its own. */
const MARK_GAP = 6;

export const CLIP_ID = "holdfast-label";
export const ARROW_ID = "holdfast-arrow";
export const ALARM_ARROW_ID = "holdfast-arrow-alarm";

/** Written once, for all that refers to it. */
export const DEFINITIONS = [
  "<defs>",
  arrow(ARROW_ID, LINE),
  arrow(ALARM_ARROW_ID, ALARM),
  // Whatever font a reader has, its letters stay within the node.
  `<clipPath id="${CLIP_ID}"><rect x="${14 - NODE_WIDTH / 2}" y="${-NODE_HEIGHT / 2}" width="${NODE_WIDTH - 28}" height="${NODE_HEIGHT}"/></clipPath>`,
  "</defs>",
].join("\n");

function arrow(id: string, colour: string): string {
  const box = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse"';
  return `<marker id="${id}" ${box} orient="auto"><path d="M0 0.5 L10 5 L0 9.5 Z" fill="${colour}"/></marker>`;
}

export const FRAME_STYLE = `rx="10" fill="#f7f7f7" stroke="${LINE}" stroke-width="1.3" stroke-dasharray="1 3"`;

/** A number as it stands in the file: no more digits than anybody can see. */
export function px(value: number): string {
  return `${Math.round(value * 10) / 10 + 0}`;
}

export interface TextStyle {
  readonly size: number;
  readonly bold?: boolean;
  readonly colour?: string;
  readonly anchor?: "start" | "middle";
}

/** One line of text. It is escaped here, and nowhere else. */
export function text({ x, y }: Point, content: string, style: TextStyle): string {
  const { size, bold = false, colour = INK, anchor = "middle" } = style;
  const weight = bold ? ' font-weight="bold"' : "";
  const at = `x="${px(x)}" y="${px(y)}" font-size="${size}" text-anchor="${anchor}"`;
  return `<text ${at} fill="${colour}"${weight}>${escapeXml(content)}</text>`;
}

/** The outline of a node in the colours of its state. */
export function outline(form: NodeForm, state: LineageNode["state"], width: number, height: number, bold = false) {
  const { fill, stroke } = STATE_COLOURS[state];
  const dash = form === "unknown" ? ' stroke-dasharray="5 4"' : "";
  const line = `stroke="${stroke}" stroke-width="${bold ? 4 : 1.6}" stroke-linejoin="round"`;
  return `<path d="${shape(form, width, height)}" fill="${fill}" ${line}${dash}/>`;
}

/** A second, broken outline around one of something tainted. */
export function taintOutline(form: NodeForm, width: number, height: number): string {
  const d = shape(form, width + 2 * MARK_GAP, height + 2 * MARK_GAP);
  // Some shapes have lines inside; only the outermost is wanted.
  const rim = d.slice(0, d.indexOf("Z") + 1);
  return `<path d="${rim}" fill="none" stroke="${ALARM}" stroke-width="2" stroke-dasharray="7 4"/>`;
}

function shape(form: NodeForm, width: number, height: number): string {
  return SHAPES[form](width, height).replace(/-?\d+\.\d+(e-\d+)?/g, (number) => px(Number(number)));
}

/** The badge of a state. */
export function stateBadge(state: LineageNode["state"], { x, y }: Point): string {
  const disc = `<circle r="9" fill="${STATE_COLOURS[state].stroke}" stroke="#ffffff" stroke-width="1.5"/>`;
  const line = 'fill="none" stroke="#ffffff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
  return `<g transform="translate(${px(x)} ${px(y)})">${disc}<path d="${STATE_GLYPHS[state]}" ${line}/></g>`;
}

/** The badge of something tainted. */
export function taintBadge({ x, y }: Point): string {
  const sign = `<path d="M0 -11 L11 8.5 H-11 Z" fill="${ALARM}" stroke="#ffffff" stroke-width="1.5" stroke-linejoin="round"/>`;
  const mark = '<path d="M0 -4 V2 M0 5 V5.1" stroke="#ffffff" stroke-width="2.2" stroke-linecap="round"/>';
  return `<g transform="translate(${px(x)} ${px(y)})">${sign}${mark}</g>`;
}

/** A node with its labels, marks and tooltip. */
export function drawNode({ node, x, y }: PlacedNode): string {
  const form = formOf(node);
  const self = node.relation === "self";
  const [head, foot] = labelsOf(node, form);
  return [
    `<g transform="translate(${px(x)} ${px(y)})">`,
    `<title>${escapeXml(tooltip(node))}</title>`,
    node.tainted ? taintOutline(form, NODE_WIDTH, NODE_HEIGHT) : "",
    outline(form, node.state, NODE_WIDTH, NODE_HEIGHT, self),
    `<g clip-path="url(#${CLIP_ID})">`,
    text({ x: 0, y: 1 }, head, { size: 12.5, bold: true }),
    text({ x: 0, y: 18 }, foot, { size: 11.5, colour: FAINT_INK }),
    "</g>",
    stateBadge(node.state, { x: -NODE_WIDTH / 2, y: 0 }),
    node.tainted ? taintBadge({ x: NODE_WIDTH / 2, y: 0 }) : "",
    "</g>",
  ].join("");
}

function labelsOf({ id, claim }: LineageNode, form: NodeForm): [string, string] {
  const head = `${form} · ${shortId(id)}`;
  if (!claim) return [head, "not read, or not registered"];
  const use = ` · AI ${claim.aiTraining}`;
  return [head, `${oneLine(claim.license || "no licence", FOOT_COLUMNS - use.length)}${use}`];
}

function tooltip(node: LineageNode): string {
  const { id, known, claim, state } = node;
  const lines = [`${formOf(node)} ${id}`, state];
  if (known?.withdrawn !== undefined) lines.push(`withdrawn: ${cut(known.withdrawn, TOOLTIP_LENGTH)}`);
  if (known?.supersededBy !== undefined) lines.push(`superseded by ${known.supersededBy}`);
  if (known) lines.push(`registered by ${known.registrant}`);
  if (claim)
    lines.push(`licence: ${cut(claim.license, TOOLTIP_LENGTH) || "not stated"}, AI training: ${claim.aiTraining}`);
  if (node.tainted) lines.push(`tainted by ${node.taintedBy.join(", ")}`);
  // escapeXml has no line breaks: they could be a stranger's as well.
  return lines.join(" | ");
}

/** What holds nodes that all hang from one line. */
export function drawFrame({ x, y, width, height }: PlacedFrame): string {
  const at = `x="${px(x - width / 2)}" y="${px(y - height / 2)}" width="${px(width)}" height="${px(height)}"`;
  return `<rect ${at} ${FRAME_STYLE}/>`;
}

/** A line from a parent to a child; its label is drawn by {@link drawLabel}, over all lines. */
export function drawBond({ bond, label, points, labelAt, from, to }: PlacedBond): string {
  const alarm = bond.conflict;
  const style = alarm
    ? `stroke="${ALARM}" stroke-width="2" stroke-dasharray="2 3" marker-end="url(#${ALARM_ARROW_ID})"`
    : `stroke="${LINE}" stroke-width="1.3" marker-end="url(#${ARROW_ID})"`;
  const faint = labelAt === undefined && !alarm ? ' stroke-opacity="0.45"' : "";
  const title = escapeXml(`${from} → ${to}: ${label}${alarm ? ", rights in conflict" : ""}`);
  return `<path d="${curve(points)}" fill="none" ${style}${faint}><title>${title}</title></path>`;
}

/** What a line is, in its middle. */
export function drawLabel({ bond, label, labelAt }: PlacedBond): string {
  if (!labelAt) return "";
  const { x, y } = labelAt;
  const width = label.length * 6.2 + 6;
  const ground = `<rect x="${px(x - width / 2)}" y="${px(y - 8)}" width="${px(width)}" height="16" fill="#ffffff" fill-opacity="0.85"/>`;
  return (
    ground +
    text({ x, y: y + 4 }, label, { size: 11.5, colour: bond.conflict ? ALARM : FAINT_INK, bold: bond.conflict })
  );
}

/** Through all points, straight down in each. */
function curve([start, ...rest]: readonly Point[]): string {
  let last = start!;
  const parts = rest.map((to) => {
    const middle = px((last.y + to.y) / 2);
    const part = `C${px(last.x)} ${middle} ${px(to.x)} ${middle} ${px(to.x)} ${px(to.y)}`;
    last = to;
    return part;
  });
  return `M${px(start!.x)} ${px(start!.y)} ${parts.join(" ")}`;
}
