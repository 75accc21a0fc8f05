/** Finds the types of a schema by their names, for code that walks values along a schema. */
import { checkDefinition, nameOf } from './definition.ts'
import { isUnion, type AvroRecord, type AvroSchema } from './record-schema.ts'

/** Named types by full name, and the schema with every name in full. */
export class NamedTypes {
  readonly root: AvroSchema
  readonly #named = new Map<string, AvroSchema>()

  constructor(definition: AvroSchema) {
    this.root = checkDefinition(definition)
    this.#collect(this.root)
  }

  #collect(schema: AvroSchema): void {
    if (typeof schema === 'string') return
    if (isUnion(schema)) return schema.forEach((branch) => this.#collect(branch))
    if (schema.type === 'record' || schema.type === 'enum' || schema.type === 'fixed') {
      this.#named.set(nameOf(schema, undefined), schema)
    }
    if (schema.type === 'record') for (const field of schema.fields) this.#collect(field.type)
    if (schema.type === 'array') this.#collect(schema.items)
    if (schema.type === 'map') this.#collect(schema.values)
  }

  /** The definition behind a reference; a primitive stays as it is. */
  deref(schema: AvroSchema): AvroSchema {
    return typeof schema === 'string' ? (this.#named.get(schema) ?? schema) : schema
  }

  /** The name that tags a branch of a union. */
  tag(branch: AvroSchema): string {
    if (typeof branch === 'string') return branch
    if (isUnion(branch)) return 'union'
    return 'name' in branch ? nameOf(branch, undefined) : branch.type
  }
}

const cache = new WeakMap<object, NamedTypes>()

/** The types of a record's schema, collected once per schema object. */
export function namedTypes(definition: AvroRecord): NamedTypes {
  const known = cache.get(definition)
  if (known !== undefined) return known
  const types = new NamedTypes(definition)
  cache.set(definition, types)
  return types
}

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
