/**
 * How many runs a property gets: `usual`, times the environment's TEST_EFFORT for a longer search.
 *
 * @example
 * // TEST_EFFORT=20 npx hardhat test mocha test/model.test.ts
 */
export const runs = (usual: number): number => Math.ceil(usual * Number(process.env.TEST_EFFORT ?? 1));
