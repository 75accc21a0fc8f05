/**
 * The table of rooms holds, checked twice: here over the parsed sources, and by the linter, which is shown to fail
 * on samples that break each rule.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgeImport, ROOMS, roomOf } from './rooms.ts'
import { importsOf, ROOT, sourceFiles, starExportsOf } from './sources.ts'

const files = sourceFiles()
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}

/** Imports that break the table, each with the file it stands in. */
const WRONG: readonly (readonly [file: string, code: string, reason: string])[] = [
  ['schemas/a.ts', "import { x } from '../state/index.ts'", 'schemas may not import state'],
  ['state/a.ts', "import { x } from '../streams/index.ts'", 'state may not import streams'],
  ['state/a.ts', "import avro from 'avsc'", 'state may not import the package avsc'],
  ['streams/a.ts', "import { x } from '../schemas/index.ts'", 'streams may not import schemas'],
  ['streams/kit/a.ts', "import { x } from '../../processors/index.ts'", 'streams may not import processors'],
  ['streams/a.ts', "import { x } from '../state/deep.ts'", 'state/deep.ts is inside state'],
  ['streams/a.ts', "import { readFile } from 'node:fs/promises'", 'streams is pure'],
  ['processors/a.ts', "import { readFileSync } from 'node:fs'", 'processors is pure'],
  ['processors/a.ts', "import { createHash, randomUUID } from 'node:crypto'", 'processors is pure'],
  ['processors/a.ts', "import * as crypto from 'node:crypto'", 'processors is pure'],
  ['processors/a.ts', "import { x } from '../streams/index.ts'", 'only types of streams'],
  ['processors/a.ts', "import { type X } from '../state/index.ts'", 'only types of state'],
  ['processors/a.ts', "export { x } from '../streams/index.ts'", 'only types of streams'],
  [
    'processors/a.ts',
    "import type { X } from '../topologies/index.ts'",
    'processors may not import topologies',
  ],
  [
    'topologies/a.ts',
    "import { x } from '../transports/embedded/index.ts'",
    'may not import transports/embedded',
  ],
  ['transports/embedded/a.ts', "import { Kafka } from 'kafkajs'", 'may not import the package kafkajs'],
  ['transports/embedded/a.ts', "import { x } from '../kafka/index.ts'", 'may not import transports/kafka'],
  [
    'transports/kafka/a.ts',
    "import { x } from '../../state/index.ts'",
    'transports/kafka may not import state',
  ],
  ['testing/a.ts', "import { x } from '../transports/embedded/index.ts'", 'testing may not import'],
  ['connectors/a.ts', "import { x } from '../api/index.ts'", 'connectors may not import api'],
  ['api/a.ts', "const x = await import('../processors/index.ts')", 'api may not import processors'],
  ['telemetry/a.ts', "import { x } from '../streams/index.ts'", 'only types of streams'],
  ['telemetry/a.ts', "let x: import('../state/index.ts').X", 'telemetry may not import state'],
  ['config/a.ts', "export * from '../schemas/index.ts'", 'config may not import schemas'],
  ['cli/a.ts', "import { x } from '../api/server.ts'", 'api/server.ts is inside api'],
  ['api/a.ts', "import { x } from '../streams'", 'write the extension'],
]

const RIGHT: readonly (readonly [file: string, code: string])[] = [
  ['schemas/a.ts', "import avro from 'avsc'"],
  ['streams/a.ts', "import { crc32 } from 'node:zlib'"],
  ['processors/a.ts', "import type { X } from '../streams/index.ts'"],
  ['processors/a.ts', "import { x } from '../streams/kit/index.ts'"],
  ['processors/coupons/a.ts', "import { x } from '../../schemas/index.ts'"],
  ['processors/a.ts', "import { createHash } from 'node:crypto'"],
  ['testing/a.ts', "import { x } from '../transports/simulated/index.ts'"],
  ['api/a.ts', "import swagger from '@fastify/swagger'"],
  ['cli/a.ts', "import { x } from '../transports/embedded/index.ts'"],
  ['test/unit/state/a.ts', "import { x } from '../../../state/deep.ts'"],
]

describe('the sources', () => {
  test('import only what the table of rooms allows', () => {
    const problems = files.flatMap((file) =>
      importsOf(file).flatMap((one) => {
        const reason = judgeImport(one)
        return reason === undefined ? [] : [`${file}: ${reason}`]
      }),
    )
    expect(problems).toEqual([])
  })

  test('all lie in a room of the table', () => {
    const known = new Set(['bin', ...Object.keys(ROOMS).map((room) => room.split('/')[0])])
    const strays = files.filter((file) => file.includes('/') && !known.has(file.split('/')[0] ?? ''))
    expect(strays).toEqual([])
    expect(files.filter((file) => file.startsWith('transports/') && roomOf(file) === undefined)).toEqual([])
  })

  test('have names in kebab-case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
    expect(files.filter((file) => !kebab.test(basename(file)))).toEqual([])
  })

  test('name what a room exports one by one', () => {
    const stars = files
      .filter((file) => basename(file) === 'index.ts')
      .flatMap((file) => starExportsOf(file).map((from) => `${file}: export * from ${from}`))
    expect(stars).toEqual([])
  })

  test('import only packages that are installed with the published package', () => {
    const unpublished = new Set(['test', 'bench', 'docs', 'ops', 'samples', 'dashboard'])
    const missing = files
      .filter((file) => file.endsWith('.ts') && file.includes('/') && !unpublished.has(roomOf(file) ?? ''))
      .flatMap((file) => importsOf(file))
      .filter((one) => !one.typeOnly && !/^(\.|node:)/.test(one.specifier))
      .filter((one) => !Object.hasOwn(manifest.dependencies, packageName(one.specifier)))
      .map((one) => `${one.file}: ${one.specifier}`)
    expect(missing).toEqual([])
  })
})

describe('the judge', () => {
  test.each(WRONG)('in %s refuses %s', (file, code, reason) => {
    const reasons = importsOf(file, code).map((one) => judgeImport(one))
    expect(reasons).toEqual([expect.stringContaining(reason)])
  })

  test.each(RIGHT)('in %s accepts %s', (file, code) => {
    const imports = importsOf(file, code)
    expect(imports).toHaveLength(1)
    expect(imports.map((one) => judgeImport(one))).toEqual([undefined])
  })
})

/** Things a pure room must not do, and the rule that says so. */
const IMPURE: readonly (readonly [code: string, rule: string])[] = [
  ['export const x = Date.now()', 'no-restricted-properties'],
  ['export const x = new Date()', 'house(pure)'],
  ['export const x = Date()', 'house(pure)'],
  ['export const x = performance.now()', 'no-restricted-globals'],
  ['export const x = Math.random()', 'no-restricted-properties'],
  ['export const x = crypto.randomUUID()', 'no-restricted-globals'],
  ['export const x = setTimeout(() => {}, 1)', 'no-restricted-globals'],
  ['export const x = globalThis.Date', 'no-restricted-globals'],
  ['export const x = process.env', 'no-restricted-globals'],
]

describe('the linter', () => {
  let house: string
  let reported: Map<string, string[]>

  beforeAll(() => {
    house = mkdtempSync(join(tmpdir(), 'millrace-lint-'))
    cpSync(join(ROOT, '.oxlintrc.json'), join(house, '.oxlintrc.json'))
    cpSync(join(ROOT, 'package.json'), join(house, 'package.json'))
    mkdirSync(join(house, 'test/house'), { recursive: true })
    for (const file of ['oxlint-plugin.ts', 'rooms.ts']) {
      cpSync(join(ROOT, 'test/house', file), join(house, 'test/house', file))
    }
    symlinkSync(join(ROOT, 'node_modules'), join(house, 'node_modules'), 'junction')
    for (const [index, [file, code]] of WRONG.entries()) write(`${dirname(file)}/wrong-${index}.ts`, code)
    for (const [index, [file, code]] of RIGHT.entries()) write(`${dirname(file)}/right-${index}.ts`, code)
    for (const [index, [code]] of IMPURE.entries()) write(`processors/impure-${index}.ts`, code)
    write('processors/pure.ts', 'export const x = new Date(0).toISOString()')
    write('api/camelCase.ts', 'export const x = 1')
    write('api/default-export.ts', 'export default 1')
    reported = lint()
  }, 60_000)

  afterAll(() => rmSync(house, { recursive: true, force: true }))

  function write(file: string, code: string): void {
    mkdirSync(join(house, dirname(file)), { recursive: true })
    writeFileSync(join(house, file), `${code}\n`)
  }

  /** Rules broken, by file. */
  function lint(): Map<string, string[]> {
    const oxlint = join(ROOT, 'node_modules/oxlint/bin/oxlint')
    const { stdout } = spawnSync(process.execPath, [oxlint, '-f', 'json'], { cwd: house, encoding: 'utf8' })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] }
    const byFile = new Map<string, string[]>()
    for (const { filename, code } of diagnostics) {
      const rules = byFile.get(filename) ?? []
      byFile.set(filename, [...rules, code])
    }
    return byFile
  }

  test.each(WRONG.entries().toArray())('refuses wrong import %i', (index, [file]) => {
    expect(reported.get(`${dirname(file)}/wrong-${index}.ts`)).toContain('house(rooms)')
  })

  test.each(RIGHT.entries().toArray())('accepts right import %i', (index, [file]) => {
    expect(reported.get(`${dirname(file)}/right-${index}.ts`) ?? []).not.toContain('house(rooms)')
  })

  test.each(IMPURE.entries().toArray())('refuses impure code %i', (index, [, rule]) => {
    expect(reported.get(`processors/impure-${index}.ts`)).toContainEqual(expect.stringContaining(rule))
  })

  test('accepts a date made from a number', () => {
    expect(reported.get('processors/pure.ts')).toBeUndefined()
  })

  test('wants kebab-case and named exports', () => {
    expect(reported.get('api/camelCase.ts')).toContainEqual(expect.stringContaining('filename-case'))
    expect(reported.get('api/default-export.ts')).toContainEqual(expect.stringContaining('no-default-export'))
  })
})

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
