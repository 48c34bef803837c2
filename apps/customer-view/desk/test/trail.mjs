// The audit trail as a test reads it: plainly, all of it.
import { bucket, eachOf } from "../../staff/objects.mjs";

const trail = () => bucket(process.env.REQUESTS_BUCKET);

export const readTrail = async () => eachOf(await trail().list("audit/"), ({ key }) => trail().get(key));
