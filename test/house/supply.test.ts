/** What is published with Millrace: known to the last package, and asked after. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { verdictOf } from '../../ops/package/audit.ts'
import { billOf, type Lock } from '../../ops/package/sbom.ts'

const root = join(import.meta.dirname, '../..')
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
  optionalDependencies: Record<string, string>
}

describe('the bill of materials', () => {
  const bill = billOf(lock)
  const names = new Set(bill.components.map(({ name }) => name))

  test('has every package that the published one needs', () => {
    const needed = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    expect(needed.filter((name) => !names.has(name))).toEqual([])
  })

  test('has no package that is not needed by another or by Millrace', () => {
    const edges = new Map(bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
    const reached = new Set<string>()
    const queue = [`pkg:npm/${lock.name}@${lock.version}`]
    for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
      for (const next of edges.get(ref) ?? []) if (!reached.has(next)) queue.push(next)
      reached.add(ref)
    }
    expect(bill.components.map(({ purl }) => purl).filter((purl) => !reached.has(purl))).toEqual([])
  })

  test('is the same each time', () => {
    expect(billOf(lock)).toEqual(bill)
  })

  test.each([
    ['a hash', { version: '1.0.0', license: 'MIT' }, /^evil has no hash$/],
    ['a licence', { version: '1.0.0', integrity: 'sha512-AAAA' }, /^evil has the licence of nobody$/],
    [
      'a licence that is allowed',
      { version: '1.0.0', integrity: 'sha512-AAAA', license: 'AGPL-3.0' },
      /AGPL-3\.0$/,
    ],
  ])('is refused for a package without %s', (_what, locked, message) => {
    const packages = { ...lock.packages, 'node_modules/evil': locked }
    expect(() => billOf({ ...lock, packages })).toThrow(message)
  })
})

test.each([
  ['{"metadata":{"vulnerabilities":{"low":3,"moderate":1,"high":0,"critical":0}}}', 'clean'],
  ['{"metadata":{"vulnerabilities":{"high":1,"critical":0}}}', 'vulnerable'],
  ['{"metadata":{"vulnerabilities":{"high":0,"critical":2}}}', 'vulnerable'],
  ['{"message":"405 Method Not Allowed","error":{"summary":"","detail":""}}', 'not asked'],
  ['', 'not asked'],
])('an audit that says %s is %s', (stdout, verdict) => {
  expect(verdictOf(stdout)).toBe(verdict)
})
