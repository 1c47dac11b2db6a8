/** A start tag, as it was read. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Names of the elements around it, the outermost first. */
  readonly within: readonly string[];
  text: string;
}

const NAME = "[A-Za-z_][\\w.:-]*";
const TOKEN = new RegExp(`<(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>|</(${NAME})\\s*>|([^<>]+)`, "gy");
const ATTRIBUTE = new RegExp(`(${NAME})="([^"]*)"`, "g");
/** What XML 1.0 allows (production 2), and no escape of anything else. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]|\p{Cs}/u;
const LOOSE_AMPERSAND = /&(?!(amp|lt|gt|quot|apos);)/;

/**
 * Reads XML of the plainest sort: elements, attributes and text, of entities the five that XML has; no comments, CDATA,
 * declarations or processing instructions.
 *
 * @throws Error at what isn't well-formed, or isn't of that sort
 */
export function readXml(xml: string): Element[] {
  if (FORBIDDEN.test(xml)) throw new Error("a character that XML can't have");
  if (LOOSE_AMPERSAND.test(xml)) throw new Error("an ampersand that stands for itself");
  const elements: Element[] = [];
  const open: Element[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(xml);
    if (!token) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 80)}`);
    const [, start, attributes = "", empty, end, text] = token;
    if (start !== undefined) {
      if (open.length === 0 && elements.length > 0) throw new Error("a second root");
      const element = {
        name: start,
        attributes: attributesOf(attributes),
        within: open.map((it) => it.name),
        text: "",
      };
      elements.push(element);
      if (empty === "") open.push(element);
    } else if (end !== undefined) {
      if (open.pop()?.name !== end) throw new Error(`</${end}> closes nothing`);
    } else if (open.length > 0) {
      open.at(-1)!.text += unescaped(text!);
    } else if (text!.trim() !== "") {
      throw new Error("text outside the root");
    }
  }
  if (open.length > 0) throw new Error(`<${open[0]!.name}> isn't closed`);
  return elements;
}

function attributesOf(source: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, value] of source.matchAll(ATTRIBUTE)) {
    if (attributes.has(name!)) throw new Error(`${name} comes twice`);
    attributes.set(name!, unescaped(value!));
  }
  return attributes;
}

function unescaped(text: string): string {
  const characters: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(\w+);/g, (_, name: string) => characters[name]!);
}
