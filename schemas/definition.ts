/**
 * Checks a schema that came from outside before anything is compiled from it. The Avro library builds code from
 * names and looks types up in plain objects, so names, sizes and depth are settled here first.
 */
import { SchemaError } from './errors.ts'
import type {
  AvroEnum,
  AvroField,
  AvroFixed,
  AvroPrimitive,
  AvroRecord,
  AvroSchema,
} from './record-schema.ts'

/** Types, fields and symbols of one schema together. */
export const MAX_SCHEMA_NODES = 10_000
/** Levels of nesting of one schema. */
export const MAX_SCHEMA_DEPTH = 64
/** Size of one `fixed` type. */
export const MAX_FIXED_BYTES = 65_536

export type NamedSchema = AvroRecord | AvroEnum | AvroFixed

interface Named {
  readonly name: string
  readonly namespace?: string | undefined
}

const primitives: ReadonlySet<string> = new Set([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
])
const simpleName = /^[A-Za-z_][A-Za-z0-9_]*$/

export function isPrimitiveName(name: string): boolean {
  return primitives.has(name)
}

/** `name` as a full name, seen from `namespace`. */
export function fullName(name: string, namespace: string | undefined): string {
  return name.includes('.') || namespace === undefined || namespace === '' ? name : `${namespace}.${name}`
}

/** The namespace that holds inside a named type. */
export function innerNamespace(schema: Named, outer: string | undefined): string | undefined {
  const dot = schema.name.lastIndexOf('.')
  if (dot > 0) return schema.name.slice(0, dot)
  return schema.namespace ?? outer
}

/** Full name of a named type that stands in `namespace`. */
export function nameOf(schema: NamedSchema, namespace: string | undefined): string {
  return fullName(schema.name, innerNamespace(schema, namespace))
}

/**
 * Returns the schema with every name written in full, if it is a well-formed, self-contained Avro schema of bounded
 * size.
 * @throws SchemaError `invalid-schema`, `proto-key`, `too-deep`, `too-large`
 */
export function checkDefinition(schema: unknown): AvroSchema {
  return new DefinitionCheck().visit(schema, undefined, 0)
}

type Json = Readonly<Record<string, unknown>>

class DefinitionCheck {
  readonly #names = new Set<string>()
  #nodes = 0

  visit(schema: unknown, namespace: string | undefined, depth: number): AvroSchema {
    this.#count()
    if (depth > MAX_SCHEMA_DEPTH) throw new SchemaError('too-deep', `more than ${MAX_SCHEMA_DEPTH} levels`)
    if (typeof schema === 'string') return this.#reference(schema, namespace)
    if (Array.isArray(schema)) return this.#union(schema, namespace, depth)
    if (isObject(schema)) return this.#complex(schema, namespace, depth)
    throw invalid(`a schema cannot be ${schema === null ? 'null' : typeof schema}`)
  }

  #reference(name: string, namespace: string | undefined): AvroSchema {
    if (isPrimitiveName(name)) return name
    const full = fullName(name, namespace)
    if (!this.#names.has(full)) throw invalid(`unknown type ${quote(name)}`)
    return full
  }

  #union(branches: readonly unknown[], namespace: string | undefined, depth: number): AvroSchema {
    if (branches.length === 0) throw invalid('an empty union')
    return branches.map((branch) => {
      if (Array.isArray(branch)) throw invalid('a union directly in a union')
      return this.visit(branch, namespace, depth + 1)
    })
  }

  #complex(schema: Json, namespace: string | undefined, depth: number): AvroSchema {
    const { type } = schema
    switch (type) {
      case 'record':
        return this.#record(schema, namespace, depth)
      case 'enum':
        return this.#enum(schema, namespace)
      case 'fixed':
        return this.#fixed(schema, namespace)
      case 'array':
        return { type, items: this.visit(schema['items'], namespace, depth + 1) }
      case 'map':
        return { type, values: this.visit(schema['values'], namespace, depth + 1) }
      default:
        if (typeof type === 'string' && isPrimitiveName(type)) return schema as unknown as AvroPrimitive
        throw invalid(`unknown type ${quote(type)}`)
    }
  }

  #record(schema: Json, outer: string | undefined, depth: number): AvroRecord {
    const named = this.#define(schema, outer)
    if (!Array.isArray(schema['fields'])) throw invalid(`${quote(named.name)} has no fields`)
    const names = new Set<string>()
    const fields = (schema['fields'] as readonly unknown[]).map((field): AvroField => {
      if (!isObject(field)) throw invalid(`a field of ${quote(named.name)} is not an object`)
      const name = checkName(field['name'])
      if (names.has(name)) throw invalid(`field ${quote(name)} twice`)
      names.add(name)
      const aliases = checkAliases(field['aliases'], undefined)
      const type = this.visit(field['type'], innerNamespace(named, undefined), depth + 1)
      return { ...field, name, type, ...(aliases && { aliases }) }
    })
    return { ...named, type: 'record', fields }
  }

  #enum(schema: Json, outer: string | undefined): AvroEnum {
    const named = this.#define(schema, outer)
    const { symbols, default: fallback } = schema
    if (!Array.isArray(symbols) || symbols.length === 0) throw invalid(`${quote(named.name)} has no symbols`)
    const names = new Set<string>()
    for (const symbol of symbols as readonly unknown[]) {
      this.#count()
      names.add(checkName(symbol))
    }
    if (names.size < symbols.length) throw invalid(`${quote(named.name)} has a symbol twice`)
    if (fallback === undefined) return { ...named, type: 'enum', symbols: [...names] }
    if (typeof fallback === 'string' && names.has(fallback)) {
      return { ...named, type: 'enum', symbols: [...names], default: fallback }
    }
    throw invalid(`the default of ${quote(named.name)} is not one of its symbols`)
  }

  #fixed(schema: Json, outer: string | undefined): AvroFixed {
    const named = this.#define(schema, outer)
    const { size } = schema
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > MAX_FIXED_BYTES) {
      throw invalid(`${quote(named.name)} has size ${quote(size)}`)
    }
    return { ...named, type: 'fixed', size }
  }

  /** Notes a named type; returns its name in full. */
  #define(schema: Json, outer: string | undefined): { name: string; aliases?: readonly string[] } {
    const { name, namespace } = schema
    if (typeof name !== 'string') throw invalid(`a ${String(schema['type'])} without a name`)
    for (const part of name.split('.')) checkName(part)
    if (namespace !== undefined && typeof namespace !== 'string')
      throw invalid('a namespace that is not a string')
    if (namespace) for (const part of namespace.split('.')) checkName(part)
    const inner = innerNamespace({ name, namespace }, outer)
    const full = fullName(name, inner)
    if (isPrimitiveName(full) || this.#names.has(full)) throw invalid(`${quote(full)} is defined twice`)
    this.#names.add(full)
    const aliases = checkAliases(schema['aliases'], inner)
    return { name: full, ...(aliases && { aliases }) }
  }

  #count(): void {
    this.#nodes += 1
    if (this.#nodes > MAX_SCHEMA_NODES)
      throw new SchemaError('too-large', `more than ${MAX_SCHEMA_NODES} nodes`)
  }
}

function checkName(name: unknown): string {
  if (typeof name !== 'string' || !simpleName.test(name)) throw invalid(`${quote(name)} is not a name`)
  if (name === '__proto__') throw new SchemaError('proto-key', 'something is named __proto__')
  return name
}

function checkAliases(aliases: unknown, namespace: string | undefined): readonly string[] | undefined {
  if (aliases === undefined) return undefined
  if (!Array.isArray(aliases)) throw invalid('aliases that are not a list')
  return (aliases as readonly unknown[]).map((alias) => {
    if (typeof alias !== 'string') throw invalid('an alias that is not a string')
    for (const part of alias.split('.')) checkName(part)
    return fullName(alias, namespace)
  })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(detail: string): SchemaError {
  return new SchemaError('invalid-schema', detail)
}

function quote(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 100) ?? String(value)
}
