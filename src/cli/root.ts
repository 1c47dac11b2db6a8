import { fileURLToPath } from "node:url";

/** The project's root folder, whatever directory the command was called from. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
