import { HoldfastError } from "../../errors.js";
import type { FolderArchive } from "./archive.js";
import type { FolderOutline, Outline } from "./outline.js";
import type { FolderNode } from "./unixfs.js";

/**
 * The outline of an old folder with a new one laid over it. Folders that the new one does not touch are kept as a whole,
 * and not even read.
 *
 * @throws HoldfastError `PATH_CONFLICT` where one side has a file and the other a folder, `NOT_A_FOLDER` where the old
 *   archive holds one file; what reading the archive throws
 */
export async function mergedOutline(old: FolderArchive, added: FolderOutline): Promise<FolderOutline> {
  return overlay(old, await old.folder(""), added, "");
}

async function overlay(
  old: FolderArchive,
  below: FolderNode,
  above: FolderOutline,
  path: string,
): Promise<FolderOutline> {
  const children = new Map<string, Outline>();
  for await (const { name, cid, blockBytes } of old.list(below)) {
    const added = above.children.get(name);
    const here = path === "" ? name : `${path}/${name}`;
    if (!added) {
      children.set(name, { kind: "kept", cid, size: blockBytes });
      continue;
    }
    const known = await old.node(cid);
    if (known.type === "folder" && added.kind === "folder") children.set(name, await overlay(old, known, added, here));
    else if (known.type === "folder" || added.kind === "folder") throw conflict(here);
    else children.set(name, added);
  }
  for (const [name, added] of above.children) {
    if (!children.has(name)) children.set(name, added);
  }
  return { kind: "folder", children };
}

function conflict(path: string): HoldfastError {
  return new HoldfastError(
    "PATH_CONFLICT",
    `${JSON.stringify(path)} is a file on one side and a folder on the other`,
    "rename one of them: neither is replaced by the other",
  );
}
