/**
 * Makes `generated/` out of the `.avsc` files and `versions/`.
 *
 *     node schemas/generate.ts            write
 *     node schemas/generate.ts --check    write nothing; exit 1 if anything would change
 *     node schemas/generate.ts --record   also record changed schemas as new versions, with new ids
 *     node schemas/generate.ts --amend    replace the newest version of changed schemas instead; only for a version
 *                                         that no log or store has been written with
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SchemaError } from './errors.ts'
import { loadSchemaFiles, selfContained } from './generator/load.ts'
import { domainModule, formatSchema, versionsModule } from './generator/typescript.ts'
import {
  latestByName,
  loadVersions,
  recordNext,
  removed,
  unrecorded,
  versionFile,
  type Current,
  type Recorded,
} from './generator/versions.ts'

/** What to do with schemas that changed since their last recorded version. */
export type OnChange = 'refuse' | 'record' | 'amend'

/**
 * The files to be written, by path relative to `room`, with their text.
 * @throws SchemaError `invalid-schema` if a schema is malformed, breaks compatibility, or changed without being recorded
 */
export function plan(room: string, onChange: OnChange = 'refuse'): Map<string, string> {
  const files = loadSchemaFiles(room)
  const definitions = new Map(
    files.flatMap((file) => (file.use === 'part' ? [] : [[file.name, selfContained(file, files)]])),
  )
  const current: Current[] = files.flatMap(({ name, use }) => {
    const definition = definitions.get(name)
    return definition === undefined ? [] : [{ name, use, definition }]
  })
  checkNames(files.map(({ source }) => source.name))

  const committed = loadVersions(join(room, 'versions'))
  const gone = removed(current, committed)
  if (gone.length > 0) throw new SchemaError('invalid-schema', `recorded but gone: ${gone.join(', ')}`)
  const recorded = bringUpToDate(current, committed, onChange)
  const latest = latestByName(recorded)

  const output = new Map<string, string>()
  for (const each of recorded) {
    if (!committed.includes(each))
      output.set(`versions/${versionFile(each)}`, `${formatSchema(each.definition)}\n`)
  }
  for (const domain of new Set(files.map((file) => file.domain))) {
    const inDomain = files.filter((file) => file.domain === domain)
    output.set(`generated/${domain}.ts`, domainModule({ domain, files: inDomain, latest, definitions }))
  }
  output.set('generated/versions.ts', versionsModule(recorded, latest))
  return output
}

function bringUpToDate(
  current: readonly Current[],
  committed: readonly Recorded[],
  onChange: OnChange,
): Recorded[] {
  const changed = unrecorded(current, committed)
  if (changed.length === 0) return [...committed]
  if (onChange === 'refuse') {
    const names = changed.map(({ name }) => name).join(', ')
    throw new SchemaError('invalid-schema', `changed since last recorded: ${names}; run with --record`)
  }
  if (onChange === 'amend') {
    const latest = latestByName(committed)
    return committed.map((each) => {
      const now = changed.find(({ name }) => name === each.name)
      return now === undefined || latest.get(each.name) !== each
        ? each
        : { ...each, definition: now.definition }
    })
  }
  const next = [...committed, ...recordNext(current, committed)]
  return [...next.filter(({ id }) => id !== null), ...next.filter(({ id }) => id === null)]
}

function checkNames(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new SchemaError('invalid-schema', `two types are named ${twice}`)
}

/** Paths of `planned` whose file is missing or has another text. */
export function stale(room: string, planned: ReadonlyMap<string, string>): string[] {
  return [...planned].flatMap(([path, text]) => (readText(join(room, path)) === text ? [] : [path]))
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Runs the command; returns its exit code. */
export function main(args: readonly string[], room: string, print: (line: string) => void): number {
  const unknown = args.find((arg) => !['--check', '--record', '--amend'].includes(arg))
  if (unknown !== undefined || args.length > 1) {
    print(`usage: node schemas/generate.ts [--check | --record | --amend]`)
    return 2
  }
  try {
    const onChange = args[0] === '--record' ? 'record' : args[0] === '--amend' ? 'amend' : 'refuse'
    const planned = plan(room, onChange)
    const changes = stale(room, planned)
    if (args[0] === '--check') {
      for (const path of changes) print(`stale: schemas/${path}; run node schemas/generate.ts`)
      return changes.length === 0 ? 0 : 1
    }
    mkdirSync(join(room, 'generated'), { recursive: true })
    for (const path of changes) {
      writeFileSync(join(room, path), planned.get(path) ?? '')
      print(`wrote schemas/${path}`)
    }
    return 0
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    print(error.message)
    return 1
  }
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2), import.meta.dirname, console.log)
