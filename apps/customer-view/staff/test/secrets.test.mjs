import assert from "node:assert/strict";
import { test } from "node:test";
import { PUBLIC, refusePublicSecrets } from "../../secrets.mjs";

const refuses = (environment, name) => assert.throws(() => refusePublicSecrets(environment), new RegExp(`^Error: set ${name}:`));

test("a public word is a secret nowhere but in the stage dev", () => {
  refusePublicSecrets({ STAGE: "dev", CUSTOMER_VIEW_PEPPER: PUBLIC, STAFF_TOKENS: `officer=${PUBLIC}` });
  refuses({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: PUBLIC }, "CUSTOMER_VIEW_PEPPER");
  refuses({ CUSTOMER_VIEW_PEPPER: PUBLIC }, "CUSTOMER_VIEW_PEPPER");
  refuses({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: " " }, "CUSTOMER_VIEW_PEPPER");
  refuses({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", STAFF_TOKENS: `a=own,officer=${PUBLIC}` }, "STAFF_TOKENS");
  refusePublicSecrets({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", STAFF_TOKENS: "officer=own" });
});

test("tokens of a secret leave the variable unused", () => {
  refusePublicSecrets({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", STAFF_SECRET: "staff", STAFF_TOKENS: `officer=${PUBLIC}` });
});

test("a key of the audit trail's own is as secret as the pepper, which serves where there is none", () => {
  refuses({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", AUDIT_KEY: PUBLIC }, "AUDIT_KEY");
  refuses({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", AUDIT_KEY: " " }, "AUDIT_KEY");
  refusePublicSecrets({ STAGE: "prod", CUSTOMER_VIEW_PEPPER: "own", AUDIT_KEY: "" });
});
