/**
 * Whether a piece is here, how it fares, whether the node is well, and what it does not serve.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../../errors.js";
import type { App } from "../app.js";
import type { Served } from "../retrieval.js";
import { healthOf } from "./health.js";
import { canonical, isHere, type PdpParts } from "./parts.js";

/** Adds the routes. @param isComing - whether bytes of a piece are on their way */
export function addFinding(app: App, parts: PdpParts, served: Served, isComing: (pieceCid: string) => boolean): void {
  const troubleOf = healthOf(parts);
  app.get("/pdp/ping", async (c) => {
    const trouble = await troubleOf();
    return trouble === undefined ? c.body(null, 200) : c.text(`the node is not well: ${trouble}`, 503);
  });
  app.get("/pdp/piece", async (c) => {
    const pieceCid = c.req.query("pieceCid") ?? "";
    if (await isHere(parts, pieceCid)) return c.json({ pieceCid });
    if (isComing(canonical(pieceCid))) return c.json({ pieceCid }, 202);
    return c.text(`piece ${pieceCid} is not here`, 404);
  });
  app.get("/pdp/piece/:cid/status", async (c) => {
    const pieceCid = c.req.param("cid");
    const here = (await parts.store.find(pieceCid)) !== undefined;
    if (!here && !isComing(canonical(pieceCid))) return c.text(`piece ${pieceCid} is not here`, 404);
    // The two in the middle are about an index of the network's that this node does not announce to: the chain's deals say
    // who has what.
    const at = here ? served.lastOf(canonical(pieceCid)) : undefined;
    const rest = { indexed: false, advertised: false, retrieved: at !== undefined };
    const status = at === undefined ? "pending" : "retrieved";
    return c.json({ pieceCid, status, ...rest, ...(at === undefined ? {} : { retrievedAt: at.toISOString() }) });
  });
  for (const path of ["/pdp/data-sets", "/pdp/data-sets/*"]) {
    app.all(path, () => {
      const hint = "POST /deals with terms to have a piece kept, POST /amendments to change which; see docs/pdp.md";
      throw new HoldfastError(
        "NOT_SERVED",
        "data sets belong to another contract system, and are not served here",
        hint,
      );
    });
  }
}
