/**
 * `policy.yaml`, read and put on a chain.
 *
 * @packageDocumentation
 */
export { type PolicyFile, parsePolicy } from "./file.js";
export { amountsOf, type GasPolicy, gasPolicy, type NodePolicy, nodePolicy, restoreLimits } from "./resolve.js";
export * as scalars from "./scalars.js";
export { settlingOf } from "./settling.js";
export { parseYaml } from "./yaml-file.js";
