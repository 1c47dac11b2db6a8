/**
 * What must not leave the process: private keys, passwords, the secret parts of URLs. Whoever comes to hold one says so here;
 * what writes logs and messages leaves all of them out, wherever in an error or a stack they turn up.
 */

const CENSORED = "[secret]";
/** Shorter ones would take half the words out of a log, and protect nothing. */
const MIN_LENGTH = 6;
/** Path segments of a URL that are this long are keys. */
const MIN_SEGMENT = 16;

const known = new Set<string>();

/**
 * Keeps a text out of everything that {@link withoutSecrets} is used on, also as JSON and URLs spell it, for as long as the
 * process runs. Fewer than six characters are not kept.
 */
export function keepSecret(secret: string): void {
  if (secret.length < MIN_LENGTH) return;
  const spellings = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
  if (/^0x[0-9a-f]{64}$/i.test(secret)) spellings.push(secret.slice(2), secret.slice(2).toLowerCase());
  for (const spelling of spellings) known.add(spelling);
}

/**
 * Keeps what a URL holds besides its host: password, long path segments and the values of its query. A user without a password is
 * a key; one with a password is a name, and may be any word.
 */
export function keepSecretsOfUrl(text: string): void {
  const url = URL.parse(text);
  if (url === null) return;
  keepSecret(decoded(url.password === "" ? url.username : url.password));
  for (const segment of url.pathname.split("/")) if (segment.length >= MIN_SEGMENT) keepSecret(decoded(segment));
  for (const value of url.searchParams.values()) keepSecret(value);
}

/** Settings whose values are secrets themselves, and not the names of files that hold one. */
const SECRET_SETTING = /PRIVATE_KEY|API_KEY|PASSWORD|PASSPHRASE|SECRET|TOKEN|MNEMONIC/;
const URL_SETTING = /^HOLDFAST_(RPC|.*_?SIGNER)$|DATABASE_URL|_API_URL$/;

/** Keeps the secrets among the settings of a process. */
export function keepSecretsOfEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value = ""] of Object.entries(environment)) {
    if (SECRET_SETTING.test(name) && !name.endsWith("_FILE")) keepSecret(value);
    if (URL_SETTING.test(name)) for (const url of value.split(/[\s,]+/)) keepSecretsOfUrl(url);
  }
}

/** A text without any of the secrets. */
export function withoutSecrets(text: string): string {
  let clean = text;
  // The longest first: one may be a part of another.
  for (const secret of [...known].sort((a, b) => b.length - a.length)) {
    if (clean.includes(secret)) clean = clean.replaceAll(secret, CENSORED);
  }
  return clean;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
