import type { Command } from "commander";
import { compareCode } from "../chain/compare-code.js";
import { HoldfastError } from "../errors.js";
import { localBuild } from "./artifacts.js";
import { type ChainFlags, chainCommand, printResult, withChain } from "./context.js";
import { table } from "./table.js";

/** `holdfast verify-deployment [--network NAME] [--deployment FILE]`. */
export function verifyDeploymentCommand(): Command {
  return chainCommand("verify-deployment")
    .description("compare a deployment on its chain with a fresh build of these sources: code, immutables, parameters")
    .action((flags: ChainFlags) =>
      withChain(flags, async ({ provider, deployment }) => {
        // Opening the chain has compared chain id, parameters and who calls whom.
        const contracts = await compareCode(provider, deployment, localBuild);
        const columns = [{ title: "contract" }, { title: "address" }, { title: "code" }];
        printResult(flags, { chainId: deployment.chainId, contracts }, () =>
          table(
            columns,
            contracts.map(({ name, address, differs = "as built" }) => [name, address, differs]),
          ),
        );
        const wrong = contracts.filter(({ differs }) => differs !== undefined).map(({ name }) => name);
        if (wrong.length === 0) return;
        const hint = "check out the commit that the deployment's file names, or take another deployment";
        throw new HoldfastError("DEPLOYMENT_MISMATCH", `the code of ${wrong.join(", ")} is not of this build`, hint);
      }),
    );
}
