/** As much of PromQL as alerts and dashboards here are written in. What it does not know, it refuses. */

export interface Matcher {
  readonly label: string;
  readonly op: string;
  readonly value: string;
}

export type Expr =
  | { readonly kind: "number"; readonly value: number }
  | {
      readonly kind: "selector";
      readonly metric: string;
      readonly matchers: readonly Matcher[];
      readonly range: string | undefined;
      readonly offset: string | undefined;
    }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expr[] }
  | { readonly kind: "aggregate"; readonly name: string; readonly by: readonly string[]; readonly of: Expr }
  | { readonly kind: "binary"; readonly op: string; readonly left: Expr; readonly right: Expr; readonly match: Match };

/** By which labels two sides are paired. */
export interface Match {
  readonly how: "all" | "on" | "ignoring";
  readonly labels: readonly string[];
}

const TOKEN =
  /\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|==|!=|=~|!~|<=|>=|[a-zA-Z_:$][\w:$]*|\d+(?:\.\d+)?[smhdw]?|[-+*/(){},=<>])/y;
const AGGREGATES = new Set(["sum", "min", "max", "count", "avg"]);
/** The loosest first. */
const PRECEDENCE = [["or"], ["and", "unless"], ["==", "!=", "<", ">", "<=", ">="], ["+", "-"], ["*", "/"]];

/** @throws Error where it is no expression of the known kind */
export function parsePromql(text: string): Expr {
  const parser = new Parser(text);
  const expr = parser.binary(0);
  parser.end();
  return expr;
}

class Parser {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    TOKEN.lastIndex = 0;
    for (let end = 0; text.slice(end).trim() !== ""; end = TOKEN.lastIndex) {
      const [, token] = TOKEN.exec(text) ?? [];
      if (token === undefined) throw this.#wrong(`at ${end}`);
      this.#tokens.push(token);
    }
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#wrong(`${this.#tokens[this.#at]} comes after its end`);
  }

  binary(level: number): Expr {
    const ops = PRECEDENCE[level];
    if (ops === undefined) return this.#primary();
    let left = this.binary(level + 1);
    while (ops.includes(this.#peek())) {
      const op = this.#take();
      const match = this.#match();
      left = { kind: "binary", op, left, right: this.binary(level + 1), match };
    }
    return left;
  }

  #match(): Match {
    const how = this.#peek();
    if (how !== "on" && how !== "ignoring") return { how: "all", labels: [] };
    this.#take();
    return { how, labels: this.#names() };
  }

  #primary(): Expr {
    const token = this.#take();
    if (/^\d/.test(token)) return { kind: "number", value: Number(token) };
    if (token === "(") {
      const inner = this.binary(0);
      this.#expect(")");
      return inner;
    }
    if (!/^[a-z_]/i.test(token)) throw this.#wrong(`${token} begins nothing`);
    if (AGGREGATES.has(token)) return this.#aggregate(token);
    if (this.#peek() !== "(") return this.#selector(token);
    return { kind: "call", name: token, args: this.#list(() => this.binary(0)) };
  }

  #aggregate(name: string): Expr {
    const by = this.#isNext("by") ? this.#names() : [];
    this.#expect("(");
    const of = this.binary(0);
    this.#expect(")");
    return { kind: "aggregate", name, by, of };
  }

  #selector(metric: string): Expr {
    const matchers: Matcher[] = [];
    if (this.#peek() === "{") {
      this.#take();
      while (this.#peek() !== "}") {
        const [label, op, value] = [this.#take(), this.#take(), this.#take()];
        if (!/^(=|!=|=~|!~)$/.test(op) || !value.startsWith('"'))
          throw this.#wrong(`${label}${op}${value} matches nothing`);
        matchers.push({ label, op, value: JSON.parse(value) });
        if (this.#peek() === ",") this.#take();
      }
      this.#take();
    }
    const range = this.#peek().startsWith("[") ? this.#take().slice(1, -1) : undefined;
    const offset = this.#isNext("offset") ? this.#take() : undefined;
    return { kind: "selector", metric, matchers, range, offset };
  }

  #names(): string[] {
    return this.#list(() => this.#take());
  }

  #list<T>(read: () => T): T[] {
    const items: T[] = [];
    this.#expect("(");
    while (this.#peek() !== ")") {
      items.push(read());
      if (this.#peek() === ",") this.#take();
    }
    this.#take();
    return items;
  }

  /** Takes a word where it comes next. */
  #isNext(word: string): boolean {
    if (this.#peek() !== word) return false;
    this.#at++;
    return true;
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? "";
  }

  #take(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw this.#wrong("it ends too early");
    return token;
  }

  #expect(wanted: string): void {
    const token = this.#take();
    if (token !== wanted) throw this.#wrong(`${wanted} was due, not ${token}`);
  }

  #wrong(why: string): Error {
    return new Error(`${this.#text}: ${why}`);
  }
}
