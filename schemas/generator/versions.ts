/**
 * The committed history of every message and stored value: one file per version in `versions/`. The file's name
 * carries the id, so an id is never given twice and never changes.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkCompatibility } from '../compatibility.ts'
import { SchemaError } from '../errors.ts'
import type { AvroRecord } from '../record-schema.ts'
import type { Use } from './load.ts'

export interface Recorded {
  /** The id in the header of a message; null for a stored value, which has no header. */
  readonly id: number | null
  readonly name: string
  readonly version: number
  readonly definition: AvroRecord
}

/** A schema as it is now, to be compared with what was recorded. */
export interface Current {
  readonly name: string
  readonly use: Use
  readonly definition: AvroRecord
}

const filePattern = /^(?:(\d{4,})-)?([A-Za-z_.]+)-v(\d+)\.avsc$/

/** Every recorded version, by id, then stored values by name; versions of one name ascend without a gap. */
export function loadVersions(folder: string): Recorded[] {
  const recorded = readdirSync(folder)
    .filter((file) => file.endsWith('.avsc'))
    .map((file) => {
      const [, id, name, version] = filePattern.exec(file) ?? []
      if (name === undefined)
        throw new SchemaError('invalid-schema', `versions/${file} is not named id-name-vN.avsc`)
      const definition = JSON.parse(readFileSync(join(folder, file), 'utf8')) as AvroRecord
      return {
        id: id === undefined ? null : Number(id),
        name: `millrace.${name}`,
        version: Number(version),
        definition,
      }
    })
  recorded.sort(inOrder)
  checkHistory(recorded)
  return recorded
}

function inOrder(a: Recorded, b: Recorded): number {
  if (a.id !== null && b.id !== null) return a.id - b.id
  if (a.id !== null || b.id !== null) return a.id === null ? 1 : -1
  return a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1
}

function checkHistory(recorded: readonly Recorded[]): void {
  const ids = new Set<number>()
  const versions = new Map<string, number>()
  for (const { id, name, version, definition } of recorded) {
    if (id !== null && (ids.has(id) || id < 1))
      throw new SchemaError('invalid-schema', `schema id ${id} is given twice`)
    if (id !== null) ids.add(id)
    if (version !== (versions.get(name) ?? 0) + 1) {
      throw new SchemaError(
        'invalid-schema',
        `${name} v${version} does not follow v${versions.get(name) ?? 0}`,
      )
    }
    if (`${definition.namespace}.${definition.name}` !== name) {
      throw new SchemaError('invalid-schema', `${name} v${version} holds another record`)
    }
    versions.set(name, version)
  }
}

/** File name of a version. */
export function versionFile({ id, name, version }: Recorded): string {
  const prefix = id === null ? '' : `${String(id).padStart(4, '0')}-`
  return `${prefix}${name.replace(/^millrace\./, '')}-v${version}.avsc`
}

/** The newest recorded version of each name. */
export function latestByName(recorded: readonly Recorded[]): Map<string, Recorded> {
  return new Map(recorded.map((each) => [each.name, each]))
}

/** Messages and stored values whose schema is not what was last recorded; differences in `doc` do not count. */
export function unrecorded(current: readonly Current[], recorded: readonly Recorded[]): Current[] {
  const latest = latestByName(recorded)
  return current.filter(({ name, use, definition }) => {
    const last = latest.get(name)
    return use !== 'part' && (last === undefined || canonical(last.definition) !== canonical(definition))
  })
}

/** Recorded names that are gone from the `.avsc` files; their ids stay readable. */
export function removed(current: readonly Current[], recorded: readonly Recorded[]): string[] {
  const names = new Set(current.map(({ name }) => name))
  return [...latestByName(recorded).keys()].filter((name) => !names.has(name))
}

/**
 * The next versions for what is unrecorded, with the next free ids.
 * @throws SchemaError `invalid-schema` if one is not FULL_TRANSITIVE compatible with every earlier version.
 */
export function recordNext(current: readonly Current[], recorded: readonly Recorded[]): Recorded[] {
  let lastId = Math.max(0, ...recorded.map(({ id }) => id ?? 0))
  return unrecorded(current, recorded).map(({ name, use, definition }) => {
    const earlier = recorded.filter((each) => each.name === name)
    const problems = earlier.flatMap((each) => checkCompatibility(definition, each.definition))
    if (problems.length > 0) {
      throw new SchemaError(
        'invalid-schema',
        `${name} breaks compatibility: ${problems.map(String).join('; ')}`,
      )
    }
    if (use === 'message') lastId += 1
    return { id: use === 'message' ? lastId : null, name, version: earlier.length + 1, definition }
  })
}

/** The schema as text without docs and without regard to the order of attributes. */
export function canonical(schema: unknown): string {
  return JSON.stringify(schema, (key, value: unknown) => {
    if (key === 'doc' && typeof value === 'string') return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
