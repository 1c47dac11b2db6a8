/** The commands of the program, in the order of its help. */
import type { Command } from "commander";

/** A command of the program. Its module is loaded only when the command line asks for it, so that starting is quick. */
export interface Entry {
  path: readonly [string] | readonly [string, string];
  summary: string;
  load: () => Promise<Command>;
}

export const ENTRIES: readonly Entry[] = [
  {
    path: ["demo"],
    summary: "run the whole market on this machine",
    load: async () => (await import("./demo.js")).demoCommand(),
  },
  {
    path: ["deploy"],
    summary: "put Holdfast on a chain",
    load: async () => (await import("./deploy.js")).deployCommand(),
  },
  {
    path: ["verify-deployment"],
    summary: "compare a deployment with a fresh build, show its sources",
    load: async () => (await import("./verify-deployment.js")).verifyDeploymentCommand(),
  },
  {
    path: ["doctor"],
    summary: "look at everything that has to be right on a network",
    load: async () => (await import("./doctor.js")).doctorCommand(),
  },
  {
    path: ["piece"],
    summary: "print the piece commitment of a file",
    load: async () => (await import("./piece.js")).pieceCommand(),
  },
  {
    path: ["quote"],
    summary: "ask all providers what storing would cost",
    load: async () => (await import("./quote.js")).quoteCommand(),
  },
  {
    path: ["store"],
    summary: "store a file or a folder with providers, and pay for it",
    load: async () => (await import("./store.js")).storeCommand(),
  },
  {
    path: ["fetch"],
    summary: "fetch a file, or one of a folder, verified",
    load: async () => (await import("./fetch.js")).fetchCommand(),
  },
  {
    path: ["deals"],
    summary: "list deals",
    load: async () => (await import("./deals.js")).dealsCommand(),
  },
  {
    path: ["deal", "show"],
    summary: "print how a deal stands",
    load: async () => (await import("./deal.js")).dealShowCommand(),
  },
  {
    path: ["deal", "extend"],
    summary: "pay for more periods of a deal",
    load: async () => (await import("./deal.js")).dealExtendCommand(),
  },
  {
    path: ["deal", "terminate"],
    summary: "end a deal",
    load: async () => (await import("./deal.js")).dealTerminateCommand(),
  },
  {
    path: ["deal", "amend"],
    summary: "put another file in the place of a deal's",
    load: async () => (await import("./deal-changes.js")).dealAmendCommand(),
  },
  {
    path: ["deal", "migrate"],
    summary: "move a deal to another provider, or to another market",
    load: async () => (await import("./deal-changes.js")).dealMigrateCommand(),
  },
  {
    path: ["deal", "transfer"],
    summary: "hand a deal to somebody else",
    load: async () => (await import("./deal.js")).dealTransferCommand(),
  },
  {
    path: ["request", "post"],
    summary: "ask the open market to store a file",
    load: async () => (await import("./request.js")).requestPostCommand(),
  },
  {
    path: ["request", "list"],
    summary: "list requests",
    load: async () => (await import("./request.js")).requestListCommand(),
  },
  {
    path: ["request", "show"],
    summary: "print how a request stands",
    load: async () => (await import("./request.js")).requestShowCommand(),
  },
  {
    path: ["request", "cancel"],
    summary: "take a request off the market",
    load: async () => (await import("./request.js")).requestCancelCommand(),
  },
  {
    path: ["request", "refund"],
    summary: "give back what nobody filled",
    load: async () => (await import("./request.js")).requestRefundCommand(),
  },
  {
    path: ["request", "terminate"],
    summary: "end a replica",
    load: async () =>
      (await import("./request.js")).replicaCommand(
        "terminate",
        "end the deal of a replica, for good: it is not repaired",
      ),
  },
  {
    path: ["request", "release"],
    summary: "take over a replica's deal",
    load: async () =>
      (await import("./request.js")).replicaCommand(
        "release",
        "take over the deal of a replica yourself: it is not repaired any more",
      ),
  },
  {
    path: ["request", "collect"],
    summary: "pass on what a replica gave back",
    load: async () =>
      (await import("./request.js")).replicaCommand(
        "collect",
        "pass on to the client what a replica has given back so far",
      ),
  },
  {
    path: ["request", "repair"],
    summary: "post a replica again that has defaulted",
    load: async () =>
      (await import("./request.js")).replicaCommand(
        "repair",
        "settle a replica that has defaulted, for the bounty, and post it again",
      ),
  },
  {
    path: ["verify"],
    summary: "hold a file against what is registered of it",
    load: async () => (await import("./verify.js")).verifyCommand(),
  },
  {
    path: ["provenance", "register"],
    summary: "claim where a file or a folder came from",
    load: async () => (await import("./register.js")).registerCommand(),
  },
  {
    path: ["provenance", "attest"],
    summary: "vouch for a record, or dispute it",
    load: async () => (await import("./provenance.js")).attestCommand(),
  },
  {
    path: ["provenance", "revoke"],
    summary: "take back what you said",
    load: async () => (await import("./provenance.js")).revokeCommand(),
  },
  {
    path: ["provenance", "withdraw"],
    summary: "stand by a record no longer",
    load: async () => (await import("./provenance.js")).withdrawCommand(),
  },
  {
    path: ["provenance", "supersede"],
    summary: "put a later record in the place of one",
    load: async () => (await import("./provenance.js")).supersedeCommand(),
  },
  {
    path: ["provenance", "link"],
    summary: "name the deals that hold a record's piece",
    load: async () => (await import("./provenance.js")).linkCommand(),
  },
  {
    path: ["provenance", "prove"],
    summary: "write the proof that a file is in an anchored folder",
    load: async () => (await import("./membership.js")).proveCommand(),
  },
  {
    path: ["provenance", "publish"],
    summary: "register a file of an anchored folder by itself",
    load: async () => (await import("./membership.js")).publishCommand(),
  },
  {
    path: ["provenance", "manifest"],
    summary: "print what a manifest says, and check it",
    load: async () => (await import("./manifest.js")).manifestCommand(),
  },
  {
    path: ["provenance", "show"],
    summary: "print a record, and what is said of it",
    load: async () => (await import("./lineage.js")).showCommand(),
  },
  {
    path: ["provenance", "lineage"],
    summary: "print or draw where a record came from",
    load: async () => (await import("./lineage.js")).lineageCommand(),
  },
  {
    path: ["provider", "init"],
    summary: "make a provider's folder, register it and stake",
    load: async () => (await import("./provider-init.js")).providerInitCommand(),
  },
  {
    path: ["provider", "run"],
    summary: "run a provider's node and its keepers",
    load: async () => (await import("./provider-run.js")).providerRunCommand(),
  },
  {
    path: ["provider", "status"],
    summary: "deals, next windows, earnings and risk of a provider",
    load: async () => (await import("./provider-status.js")).providerStatusCommand(),
  },
  {
    path: ["provider", "bind"],
    summary: "let a Filecoin miner's sectors prove the provider's deals",
    load: async () => (await import("./provider-miner.js")).minerBindCommand(),
  },
  {
    path: ["provider", "unbind"],
    summary: "let a miner's sectors prove nothing any more",
    load: async () => (await import("./provider-miner.js")).minerUnbindCommand(),
  },
  {
    path: ["keeper", "init"],
    summary: "make a folder for a keeper that settles anybody's deals",
    load: async () => (await import("./keeper-init.js")).keeperInitCommand(),
  },
  {
    path: ["keeper", "run"],
    summary: "prove, settle and restore until stopped",
    load: async () => (await import("./keeper-run.js")).keeperRunCommand(),
  },
  {
    path: ["keeper", "status"],
    summary: "what a keeper has to do now and next, and whether it is well",
    load: async () => (await import("./keeper-status.js")).keeperStatusCommand(),
  },
  {
    path: ["keeper", "abandon"],
    summary: "give up what a key has on its way that is not used any more",
    load: async () => (await import("./keeper-abandon.js")).keeperAbandonCommand(),
  },
  {
    path: ["keeper", "fund"],
    summary: "keep deals alive from a budget",
    load: async () => (await import("./keeper.js")).keeperFundCommand(),
  },
  {
    path: ["keeper", "replicas"],
    summary: "make lost unique replicas anew elsewhere",
    load: async () => (await import("./keeper.js")).keeperReplicasCommand(),
  },
  {
    path: ["keys", "new"],
    summary: "make a key, encrypted in a file",
    load: async () => (await import("./keys.js")).keysNewCommand(),
  },
  {
    path: ["keys", "list"],
    summary: "list encrypted keys",
    load: async () => (await import("./keys.js")).keysListCommand(),
  },
  {
    path: ["keys", "import"],
    summary: "encrypt a key that there is",
    load: async () => (await import("./keys.js")).keysImportCommand(),
  },
  {
    path: ["bench", "piece"],
    summary: "measure how fast piece commitments are computed",
    load: async () => (await import("./bench-piece.js")).benchPieceCommand(),
  },
  {
    path: ["bench", "upload"],
    summary: "measure how fast a node takes uploads",
    load: async () => (await import("./bench-upload.js")).benchUploadCommand(),
  },
  {
    path: ["bench", "retrieval"],
    summary: "measure how fast a node serves pieces, beside nginx",
    load: async () => (await import("./bench-retrieval.js")).benchRetrievalCommand(),
  },
  {
    path: ["bench", "keeper"],
    summary: "measure proving many deals of one provider",
    load: async () => (await import("./bench-keeper.js")).benchKeeperCommand(),
  },
  {
    path: ["bench", "folder"],
    summary: "measure storing a folder of small files",
    load: async () => (await import("./bench-folder.js")).benchFolderCommand(),
  },
  {
    path: ["bench", "anchor"],
    summary: "measure claiming a folder of many files",
    load: async () => (await import("./bench-anchor.js")).benchAnchorCommand(),
  },
  {
    path: ["bench", "lineage"],
    summary: "measure reading and drawing a lineage of many records",
    load: async () => (await import("./bench-lineage.js")).benchLineageCommand(),
  },
  {
    path: ["bench", "gas"],
    summary: "measure the gas of every entry point",
    load: async () => (await import("./bench-gas.js")).benchGasCommand(),
  },
  {
    path: ["test"],
    summary: "run the tests",
    load: async () => (await import("./test.js")).testCommand(),
  },
  {
    path: ["lint"],
    summary: "check style and types",
    load: async () => (await import("./lint.js")).lintCommand(),
  },
  {
    path: ["coverage"],
    summary: "measure the line coverage of the contracts",
    load: async () => (await import("./coverage.js")).coverageCommand(),
  },
];

/** Summaries of the words that only group commands. */
export const GROUPS: Readonly<Record<string, string>> = {
  deal: "look at one deal, or change it",
  request: "ask the open market, and see what came of it",
  provenance: "claim where data came from, and see what others claim",
  provider: "store for others, and be paid for it",
  keeper: "keep the market honest, and what you own alive",
  keys: "make and see the keys that commands act with",
  bench: "measure what the figures in the docs promise",
};
