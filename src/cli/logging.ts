/** The one place where a command's logger is made, so that there is one place where secrets could get out. */
import { type DestinationStream, destination, type Logger, pino } from "pino";
import { withoutSecrets } from "../secrets.js";

/** Members of what is logged that are never shown, whatever they hold. */
const SECRET_MEMBERS = [
  ...["privateKey", "private_key", "password", "passphrase", "mnemonic", "secret", "seedPhrase", "apiKey", "api_key"],
  ...["authorization", "Authorization", "cookie", "DATABASE_URL", "HOLDFAST_PRIVATE_KEY", "HOLDFAST_KEY_PASSWORD"],
];
/** How deep in what is logged they are looked for. */
const DEPTHS = ["", "*.", "*.*.", "*.*.*."];

/** Bytes in hex that are longer than any address, hash or signature. */
const LONG_BYTES = /(0x[\da-f]{16})([\da-f]{496,})/gi;

/** A line without what ethers puts into its errors: a transaction of 128 KiB would be in it as often as its error is told of. */
function withoutBytes(line: string): string {
  return line.replace(LONG_BYTES, (_, start: string, rest: string) => `${start}… (${8 + rest.length / 2} bytes)`);
}

/**
 * A logger without secrets: members with a telling name are censored, and whatever `keepSecret` was told of is taken out of
 * the finished line, stacks and all.
 *
 * @param stream - Standard error by default.
 */
export function secretFreeLogger(
  level: string,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  const paths = DEPTHS.flatMap((depth) => SECRET_MEMBERS.map((name) => depth + name));
  const clean = { write: (line: string) => stream.write(withoutBytes(withoutSecrets(line))) };
  return pino({ level, redact: { paths, censor: "[secret]" } }, clean);
}
