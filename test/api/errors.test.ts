import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { apiErrorTable, defaultLimits } from '../../api/index.ts'
import { start } from './support.ts'

const root = join(import.meta.dirname, '../..')
const docs = readFileSync(join(root, 'docs/http.md'), 'utf8')
const source = readdirSync(join(root, 'api'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
  .map((file) => readFileSync(join(root, 'api', file), 'utf8'))
  .join('\n')

it.each(Object.entries(apiErrorTable))('docs/http.md explains %s with its status', (code, { status }) => {
  expect(docs).toMatch(new RegExp(`^\\| \`${code}\` \\| ${status} \\| .+`, 'm'))
})

it('docs/http.md explains no code that there is not', () => {
  const codes = [...docs.matchAll(/^\| `([A-Z_]+)` \| \d{3} \|/gm)].map(([, code]) => code)
  expect(new Set(codes)).toEqual(new Set(Object.keys(apiErrorTable)))
})

it.each(Object.keys(apiErrorTable))('%s is used', (code) => {
  // The issuer's own codes reach the table by name.
  const fromIssuer = [
    'QUOTA_BELOW_ISSUED',
    'CAMPAIGN_CLOSED',
    'STATUS_NOT_ALLOWED',
    'REVISION_CONFLICT',
    'DRAW_NOT_SUPPORTED',
    'SHARDS_NOT_SUPPORTED',
  ]
  if (!fromIssuer.includes(code))
    expect(source).toMatch(new RegExp(`(ApiError\\(|unavailable\\(|failure\\(|\\[|\\? |: )\\s*'${code}'`))
})

it.each(Object.entries(defaultLimits))('docs/http.md names the limit %s with its default', (name, value) => {
  expect(docs).toMatch(new RegExp(`^\\| \`${name}\` \\| ${value.toLocaleString('en-US')} \\|`, 'm'))
})

it('docs/http.md has every route', async () => {
  const { api } = start()
  await api.app.ready()
  for (const { method, url } of api.routes.filter((route) => route.method !== 'HEAD')) {
    expect(docs).toMatch(
      new RegExp(`^\\| ${method} \`${RegExp.escape(url.replace(/:(\w+)/g, '{$1}'))}\``, 'm'),
    )
  }
})
