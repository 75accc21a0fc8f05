/** Records from parsed JSON, for HTTP: Avro's own JSON encoding and plain JSON alike. */
import { JsonValueError, type JsonProblem } from './errors.ts'
import { isObject, namedTypes, type JsonObject, type NamedTypes } from './named-types.ts'
import {
  isUnion,
  type AvroEnum,
  type AvroRecord,
  type AvroSchema,
  type RecordSchema,
} from './record-schema.ts'

/** Problems reported of one value. */
const MAX_PROBLEMS = 20
/** Values inside values. */
const MAX_DEPTH = 64
/** The symbol that an old reader sees in place of one it does not know; nobody writes it. */
const RESERVED_SYMBOL = 'UNKNOWN'

export interface FromJsonOptions {
  /** What to do with fields that the record does not have. Default `refuse`. */
  readonly unknownFields?: 'refuse' | 'ignore'
}

/**
 * A record from parsed JSON. A value of a union may be tagged as Avro does (`{"string": "x"}`) or stand for itself
 * (`"x"`). Absent fields get their default. Bytes are strings with one character per byte. The result is a new
 * object with exactly the record's fields.
 * @throws JsonValueError with the path of each field that does not fit
 */
export function fromJson<T>(schema: RecordSchema<T>, json: unknown, options: FromJsonOptions = {}): T {
  const reader = new JsonReader(schema.definition, options.unknownFields === 'ignore')
  const value = reader.read(json)
  if (reader.problems.length > 0) throw new JsonValueError(schema.definition.name, reader.problems)
  return value as T
}

type Path = readonly (string | number)[]

class JsonReader {
  readonly problems: JsonProblem[] = []
  readonly #types: NamedTypes
  readonly #ignoreUnknown: boolean

  constructor(definition: AvroRecord, ignoreUnknown: boolean) {
    this.#types = namedTypes(definition)
    this.#ignoreUnknown = ignoreUnknown
  }

  read(json: unknown): unknown {
    return this.#value(this.#types.root, json, [])
  }

  #problem(path: Path, message: string): undefined {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ path: path.join('.'), message })
    return undefined
  }

  #value(reference: AvroSchema, json: unknown, path: Path): unknown {
    if (path.length > MAX_DEPTH) return this.#problem(path, `nested more than ${MAX_DEPTH} deep`)
    const schema = this.#types.deref(reference)
    if (typeof schema === 'string') return this.#primitive(schema, json, path)
    if (isUnion(schema)) return this.#union(schema, json, path)
    switch (schema.type) {
      case 'record':
        return isObject(json) ? this.#record(schema, json, path) : this.#problem(path, 'must be an object')
      case 'enum':
        return this.#enum(schema, json, path)
      case 'fixed':
        return this.#bytes(json, path, schema.size)
      case 'array':
        if (!Array.isArray(json)) return this.#problem(path, 'must be an array')
        return (json as readonly unknown[]).map((item, i) => this.#value(schema.items, item, [...path, i]))
      case 'map':
        return isObject(json)
          ? this.#map(schema.values, json, path)
          : this.#problem(path, 'must be an object')
      default:
        return this.#primitive(schema.type, json, path)
    }
  }

  #record(schema: AvroRecord, json: JsonObject, path: Path): unknown {
    const value: Record<string, unknown> = {}
    for (const field of schema.fields) {
      const at = [...path, field.name]
      if (Object.hasOwn(json, field.name)) value[field.name] = this.#value(field.type, json[field.name], at)
      else if (field.default !== undefined) value[field.name] = this.#default(field.type, field.default, at)
      else this.#problem(at, 'is missing')
    }
    if (this.#ignoreUnknown) return value
    const names = new Set(schema.fields.map((field) => field.name))
    for (const key of Object.keys(json)) if (!names.has(key)) this.#problem([...path, key], 'is not a field')
    return value
  }

  /** A default stands for the first branch of a union. */
  #default(schema: AvroSchema, json: unknown, path: Path): unknown {
    return this.#value(isUnion(schema) ? (schema[0] ?? 'null') : schema, json, path)
  }

  #enum(schema: AvroEnum, json: unknown, path: Path): unknown {
    const symbols = schema.symbols.filter((symbol) => symbol !== RESERVED_SYMBOL || schema.default !== symbol)
    if (typeof json === 'string' && symbols.includes(json)) return json
    return this.#problem(path, `must be one of ${symbols.join(', ')}`)
  }

  #map(values: AvroSchema, json: JsonObject, path: Path): unknown {
    const map = Object.create(null) as Record<string, unknown>
    for (const [key, item] of Object.entries(json)) {
      if (key === '__proto__' || !key.isWellFormed()) this.#problem([...path, key], 'is not a key')
      else map[key] = this.#value(values, item, [...path, key])
    }
    return map
  }

  #union(branches: readonly AvroSchema[], json: unknown, path: Path): unknown {
    if (json === null && branches.includes('null')) return null
    const tagged = this.#taggedBranch(branches, json)
    if (tagged !== undefined) {
      const found = this.problems.length
      const value = this.#value(tagged.branch, tagged.json, path)
      if (this.problems.length === found) return value
      // It may be a plain record whose one field is named like a branch.
      if (branches.length > 2) return value
      const asTagged = this.problems.splice(found)
      const plain = this.#value(tagged.branch, json, path)
      if (this.problems.length === found) return plain
      this.problems.splice(found, Infinity, ...asTagged)
      return undefined
    }
    const others = branches.filter((branch) => branch !== 'null')
    if (others.length === 1 && others[0] !== undefined) return this.#value(others[0], json, path)
    for (const branch of others) {
      const found = this.problems.length
      const value = this.#value(branch, json, path)
      if (this.problems.length === found && found < MAX_PROBLEMS) return value
      this.problems.splice(found)
    }
    const tags = branches.map((branch) => this.#types.tag(branch))
    return this.#problem(path, `must be one of the types ${tags.join(', ')}`)
  }

  #taggedBranch(
    branches: readonly AvroSchema[],
    json: unknown,
  ): { branch: AvroSchema; json: unknown } | undefined {
    if (!isObject(json)) return undefined
    const [key, ...more] = Object.keys(json)
    if (key === undefined || more.length > 0) return undefined
    const branch = branches.find((each) => this.#types.tag(each) === key)
    return branch === undefined ? undefined : { branch, json: json[key] }
  }

  #primitive(name: string, json: unknown, path: Path): unknown {
    switch (name) {
      case 'null':
        return json === null ? null : this.#problem(path, 'must be null')
      case 'boolean':
        return typeof json === 'boolean' ? json : this.#problem(path, 'must be true or false')
      case 'int':
        return Number.isInteger(json) && (json as number) === ((json as number) | 0)
          ? (json as number) + 0
          : this.#problem(path, 'must be an integer of 32 bits')
      case 'long':
        return Number.isSafeInteger(json)
          ? (json as number) + 0
          : this.#problem(path, 'must be an integer within ±(2^53 - 1)')
      case 'float':
      case 'double':
        return Number.isFinite(json) ? json : this.#problem(path, 'must be a number')
      case 'bytes':
        return this.#bytes(json, path, undefined)
      default:
        if (typeof json !== 'string') return this.#problem(path, 'must be a string')
        return json.isWellFormed() ? json : this.#problem(path, 'has half a surrogate pair')
    }
  }

  #bytes(json: unknown, path: Path, size: number | undefined): unknown {
    if (typeof json !== 'string' || /[^\u0000-\u00ff]/.test(json)) {
      return this.#problem(path, 'must be a string of characters up to U+00FF, one per byte')
    }
    if (size !== undefined && json.length !== size) return this.#problem(path, `must be ${size} bytes`)
    return Buffer.from(json, 'latin1')
  }
}
