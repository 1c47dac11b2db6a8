/**
 * Lineages of records: the graph, its drawing, and its exchange with others as W3C PROV-JSON.
 *
 * @packageDocumentation
 */
export { type Lineage, type LineageNode, type LineageOptions, lineageOf, type Relation } from "./graph.js";
export { countLineage, type LineageCounts, type LineageJson, lineageJson } from "./json.js";
export { type ProvJson, type ProvOptions, provJson } from "./prov-json.js";
export { NODE_STATES, type NodeState, stateOf } from "./state.js";
export { type DrawOptions, drawLineage } from "./svg.js";
export { MAX_TAINTED_BY } from "./taint.js";
export { type ChildrenIndex, childrenIndex, type LineageEdge } from "./walk.js";
