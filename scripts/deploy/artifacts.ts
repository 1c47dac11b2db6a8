/** Compiled contracts, for Ignition. */
import type { ArtifactResolver } from "@nomicfoundation/ignition-core";
import hre from "hardhat";

/** From `artifacts/`, as the launcher has compiled them. */
export const artifacts: ArtifactResolver = {
  loadArtifact: (name) => hre.artifacts.readArtifact(name) as ReturnType<ArtifactResolver["loadArtifact"]>,
  // Only Ignition's own verification asks for it.
  getBuildInfo: async () => undefined,
};
