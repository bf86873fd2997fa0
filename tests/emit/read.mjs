// Reads emitted policies with other people's readers.
//
// stdin:  [{"terraform": TEXT, "cdk": DOCUMENT}, ...]
// stdout: [{"formatted": TEXT, "read": TEXT | ERROR, "cdk": DOCUMENT}, ...]: the text as `terraform fmt` formats it (hclwrite),
//         what HashiCorp's HCL reads in it as Terraform's JSON, and what the CDK makes of the document
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const { format } = require("@cdktf/hcl-tools");
const { parse } = require("@cdktf/hcl2json");
const { App, Stack } = require("aws-cdk-lib");
const { PolicyDocument } = require("aws-cdk-lib/aws-iam");

const stack = new Stack(new App(), "x");
const results = [];
for (const { terraform, cdk } of JSON.parse(readFileSync(0, "utf8"))) {
  const read = await parse("policy.tf", terraform).catch((e) => ({ error: String(e) }));
  results.push({ formatted: await format(terraform), read, cdk: stack.resolve(PolicyDocument.fromJson(cdk)) });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
