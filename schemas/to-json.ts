/** Records as JSON-compatible data, for HTTP. */
import { isObject, namedTypes, type JsonObject, type NamedTypes } from './named-types.ts'
import { isUnion, type AvroRecord, type AvroSchema, type RecordSchema } from './record-schema.ts'

export interface ToJsonOptions {
  /** `tagged` is Avro's own JSON encoding; `plain` leaves the tags out. Default `plain`. */
  readonly unions?: 'plain' | 'tagged'
}

/** A record as JSON-compatible data. The value must fit its schema. */
export function toJson<T>(schema: RecordSchema<T>, value: T, options: ToJsonOptions = {}): unknown {
  return new JsonWriter(schema.definition, options.unions === 'tagged').write(value)
}

class JsonWriter {
  readonly #types: NamedTypes
  readonly #tagged: boolean

  constructor(definition: AvroRecord, tagged: boolean) {
    this.#types = namedTypes(definition)
    this.#tagged = tagged
  }

  write(value: unknown): unknown {
    return this.#value(this.#types.root, value)
  }

  #value(reference: AvroSchema, value: unknown): unknown {
    const schema = this.#types.deref(reference)
    if (Buffer.isBuffer(value)) return value.toString('latin1')
    if (typeof schema === 'string') return value
    if (isUnion(schema)) return this.#union(schema, value)
    switch (schema.type) {
      case 'record': {
        const record = value as JsonObject
        const fields = schema.fields.filter((field) => record[field.name] !== undefined)
        return Object.fromEntries(
          fields.map((field) => [field.name, this.#value(field.type, record[field.name])]),
        )
      }
      case 'array':
        return (value as readonly unknown[]).map((item) => this.#value(schema.items, item))
      case 'map':
        return Object.fromEntries(
          Object.entries(value as JsonObject).map(([key, item]) => [key, this.#value(schema.values, item)]),
        )
      default:
        return value
    }
  }

  #union(branches: readonly AvroSchema[], value: unknown): unknown {
    if (value === null) return null
    const others = branches.filter((branch) => branch !== 'null')
    const branch = others.find((each) => this.#fits(each, value)) ?? others[0] ?? 'null'
    const json = this.#value(branch, value)
    return this.#tagged ? { [this.#types.tag(branch)]: json } : json
  }

  /** Whether a value has the kind of a branch; the branches of a union that can be read untagged differ in kind. */
  #fits(branch: AvroSchema, value: unknown): boolean {
    const schema = this.#types.deref(branch)
    const type = typeof schema === 'string' ? schema : isUnion(schema) ? 'union' : schema.type
    switch (type) {
      case 'boolean':
        return typeof value === 'boolean'
      case 'int':
      case 'long':
      case 'float':
      case 'double':
        return typeof value === 'number'
      case 'string':
      case 'enum':
        return typeof value === 'string'
      case 'bytes':
      case 'fixed':
        return Buffer.isBuffer(value)
      case 'array':
        return Array.isArray(value)
      default:
        return isObject(value)
    }
  }
}
