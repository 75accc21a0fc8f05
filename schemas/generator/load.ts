/** Reads the `.avsc` files and makes each record's schema self-contained. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  checkDefinition,
  fullName,
  innerNamespace,
  isPrimitiveName,
  type NamedSchema,
} from '../definition.ts'
import { SchemaError } from '../errors.ts'
import { isUnion, type AvroRecord, type AvroSchema } from '../record-schema.ts'

/** What a file's record is for: a topic's values, a store's values, or only a part of others. */
export type Use = 'message' | 'state' | 'part'

export interface SchemaFile {
  /** Relative to the room, e.g. `coupon/coupon-issued.avsc`. */
  readonly path: string
  /** The folder, e.g. `coupon`. */
  readonly domain: string
  readonly use: Use
  /** As written, names not resolved. */
  readonly source: NamedSchema
  /** Full name. */
  readonly name: string
}

const notDomains: ReadonlySet<string> = new Set(['generated', 'generator', 'versions'])

/** Every `.avsc` file under the room's domain folders, in the order of their paths. */
export function loadSchemaFiles(room: string): SchemaFile[] {
  const domains = readdirSync(room, { withFileTypes: true }).filter(
    (e) => e.isDirectory() && !notDomains.has(e.name),
  )
  const paths = domains.flatMap(({ name }) => {
    const files = readdirSync(join(room, name)).filter((file) => file.endsWith('.avsc'))
    return files.map((file) => ({ domain: name, path: `${name}/${file}` }))
  })
  paths.sort((a, b) => (a.path < b.path ? -1 : 1))
  return paths.map(({ domain, path }) => parseFile(path, domain, readFileSync(join(room, path), 'utf8')))
}

function parseFile(path: string, domain: string, text: string): SchemaFile {
  const { use = 'part', ...source } = JSON.parse(text) as NamedSchema & { use?: Use }
  const name = fullName(source.name, source.namespace)
  if (source.namespace !== `millrace.${domain}`) {
    throw new SchemaError('invalid-schema', `${path} must have the namespace millrace.${domain}`)
  }
  if (path !== `${domain}/${kebab(source.name)}.avsc`) {
    throw new SchemaError(
      'invalid-schema',
      `${path} must be named after its type: ${kebab(source.name)}.avsc`,
    )
  }
  return { path, domain, use, source, name }
}

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase()
}

/** The record of `file` with every type that it uses written out where it is first used. */
export function selfContained(file: SchemaFile, files: readonly SchemaFile[]): AvroRecord {
  const byName = new Map(files.map((each) => [each.name, each]))
  const seen = new Set<string>()

  const expand = (schema: AvroSchema, namespace: string | undefined): AvroSchema => {
    if (typeof schema === 'string') {
      if (isPrimitiveName(schema)) return schema
      const name = fullName(schema, namespace)
      const found = byName.get(name)
      return seen.has(name) || found === undefined ? name : expand(found.source, undefined)
    }
    if (isUnion(schema)) return schema.map((branch) => expand(branch, namespace))
    switch (schema.type) {
      case 'record': {
        const inner = define(schema, namespace)
        const fields = schema.fields.map((field) => ({ ...field, type: expand(field.type, inner) }))
        return { ...schema, ...named(schema, inner), fields }
      }
      case 'enum':
      case 'fixed':
        return { ...schema, ...named(schema, define(schema, namespace)) }
      case 'array':
        return { ...schema, items: expand(schema.items, namespace) }
      case 'map':
        return { ...schema, values: expand(schema.values, namespace) }
      default:
        return schema
    }
  }
  const define = (schema: NamedSchema, namespace: string | undefined): string | undefined => {
    const inner = innerNamespace(schema, namespace)
    seen.add(fullName(schema.name, inner))
    return inner
  }

  const record = expand(file.source, undefined)
  try {
    checkDefinition(record)
  } catch (cause) {
    throw new SchemaError('invalid-schema', `${file.path}: ${(cause as Error).message}`, { cause })
  }
  return record as AvroRecord
}

function named(schema: NamedSchema, namespace: string | undefined): { name: string; namespace: string } {
  return { name: schema.name.slice(schema.name.lastIndexOf('.') + 1), namespace: namespace ?? '' }
}
