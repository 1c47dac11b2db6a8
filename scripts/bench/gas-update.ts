/** Measures the gas and takes the figures as the new ones: `npm run gas:update`. */
import { measureGas } from "./gas/rows.js";
import { writeSnapshot } from "./gas/snapshot.js";

writeSnapshot(await measureGas());
