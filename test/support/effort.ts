/**
 * How many runs a property gets: `usual`, times the environment's TEST_EFFORT for a longer search.
 *
 * @example
 * // TEST_EFFORT=20 npx hardhat test mocha test/model.test.ts
 */
export const runs = (usual: number): number => Math.ceil(usual * Number(process.env.TEST_EFFORT ?? 1));

/**
 * The seed of a property that counts what it met: the same draws in every run, or a rare kind fails it by bad luck one day.
 *
 * @example
 * // TEST_SEED=7 TEST_EFFORT=20 npx hardhat test mocha test/model.test.ts
 */
export const seed = (usual: number): number => Number(process.env.TEST_SEED ?? usual);
