// Answers requests with @cloud-copilot/iam-simulate.
//
// stdin:  a JSON list of {"policies": [DOCUMENT, ...], "principal": ARN, "action": A, "resource": R, "account": ID, "context": {KEY: VALUE or [VALUE, ...]}}
// stdout: a JSON list of "Allowed", "ExplicitlyDenied", "ImplicitlyDenied", or "error: …", in the same order
//
// The simulation without validation is used: which keys and resources an action has is not what is compared.

import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/package.json')
const { runUnsafeSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))

const answer = (question) => {
  const simulation = {
    request: {
      principal: question.principal,
      action: question.action,
      resource: { resource: question.resource, accountId: question.account },
      contextVariables: question.context
    },
    identityPolicies: question.policies.map((policy, n) => ({ name: `policy${n}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }
  try {
    return runUnsafeSimulation(simulation, {})
  } catch (error) {
    return `error: ${error.message}`
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(answer)))
