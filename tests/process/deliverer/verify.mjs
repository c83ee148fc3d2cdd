// Verifies requests with the official package. Input: {"secret", "requests": [{"headers", "body"}]}. Output: a list.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { Webhook } = createRequire(process.argv[2] + "/")("standardwebhooks");
const { secret, requests } = JSON.parse(readFileSync(0, "utf-8"));
const webhook = new Webhook(secret);
const results = requests.map(({ headers, body }) => {
  try {
    return webhook.verify(body, headers).id;
  } catch (error) {
    return error.constructor.name;
  }
});
console.log(JSON.stringify(results));
