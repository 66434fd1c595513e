// Makes src/api/schema.ts, the types of the service's answers, from its OpenAPI document:
//   cargo run -p sharpeyes-web --example openapi > openapi.json && npm run schema -- openapi.json
// (a second name: where to write them instead)
// The routes are left out: client.ts names them, and the service's tests hold them against its handlers.
import { readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'

const [file, to = new URL('../src/api/schema.ts', import.meta.url)] = process.argv.slice(2)
if (!file) {
  console.error('usage: npm run schema -- <file with the document of /api/v1/openapi.json>')
  process.exit(2)
}
const document = JSON.parse(readFileSync(file, 'utf8'))
const types = astToString(await openapiTS({ ...document, paths: {} }))
const head = '// Made by `npm run schema` from the service’s OpenAPI document; not edited by hand.\n\n'
writeFileSync(to, head + types)
