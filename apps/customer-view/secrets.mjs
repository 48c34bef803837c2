// Words that everybody can read in this app's files keep nothing secret: they are for the stage `dev`, on one's own
// machine. Imported for what it does: anywhere else a function that was told one, or nothing, does not start.

/** What the secrets are where nobody set them. */
export const PUBLIC = "only-good-on-your-own-machine";

const NAMES = ["CUSTOMER_VIEW_PEPPER", "STAFF_TOKENS", "AUDIT_KEY"];
/** Where there is none, or nothing, something else serves. */
const OPTIONAL = new Set(["AUDIT_KEY"]);

/** Throws where a secret of this environment is public, or empty, and the stage is not `dev`. */
export function refusePublicSecrets(environment) {
  if (environment.STAGE === "dev") return;
  for (const name of NAMES) {
    const value = environment[name];
    if (value === undefined || (OPTIONAL.has(name) && value === "") || (name === "STAFF_TOKENS" && environment.STAFF_SECRET)) continue;
    if (value.trim() === "" || value.includes(PUBLIC)) {
      throw new Error(`set ${name}: outside the stage \`dev\` it may be neither empty nor the word that stands in the app's files`);
    }
  }
}

refusePublicSecrets(process.env);
