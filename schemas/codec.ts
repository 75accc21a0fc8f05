/** Serdes of records: with a header for topics, without one for stores. */
import { avroType, type AvroType } from './avro-type.ts'
import { checkDefinition } from './definition.ts'
import { encode } from './encoder.ts'
import { DeserializationError, SchemaError, SerializationError } from './errors.ts'
import { HEADER_BYTES, readSchemaId, writeHeader } from './framing.ts'
import type { AvroSchema, RecordSchema } from './record-schema.ts'
import type { SchemaSource } from './registry.ts'
import { compileScanner, type Scanner } from './scan.ts'
import { defaultScanLimits, type ScanLimits } from './scan-cursor.ts'
import type { Serde } from './serde.ts'

export interface AvroSerdeOptions extends Partial<ScanLimits> {
  /** Skip the scan: only for bytes that this program wrote itself and whose checksum was checked. Default false. */
  readonly trusted?: boolean
}

/** Writer schemas remembered per serde; a topic rarely has more than a few. */
const MAX_WRITERS = 1_000

/**
 * The serde of a topic's values: Confluent header, then Avro. Reads what any compatible version wrote.
 *
 * Serializing throws SerializationError, or SchemaError `unregistered` if the source has no id for the record.
 * Deserializing throws DeserializationError.
 */
export function avroSerde<T>(
  schema: RecordSchema<T>,
  source: SchemaSource,
  options: AvroSerdeOptions = {},
): Serde<T> {
  return new AvroSerde(schema, source, options)
}

class AvroSerde<T> implements Serde<T> {
  readonly #schema: RecordSchema<T>
  readonly #source: SchemaSource
  readonly #options: AvroSerdeOptions
  readonly #type: AvroType
  readonly #writers = new Map<number, Reader | DeserializationError>()
  #id = -1
  #lastWriterId = -1
  #lastReader: Reader | undefined

  constructor(schema: RecordSchema<T>, source: SchemaSource, options: AvroSerdeOptions) {
    this.#schema = schema
    this.#source = source
    this.#options = options
    this.#type = avroType(schema.definition)
  }

  serialize(value: T): Buffer {
    if (this.#id < 0) this.#id = this.#findId()
    const message = encodeOrExplain(this.#type, value, HEADER_BYTES)
    writeHeader(message, 0, this.#id)
    return message
  }

  deserialize(bytes: Buffer): T {
    const id = readSchemaId(bytes)
    if (id !== this.#lastWriterId) {
      this.#lastReader = this.#readerFor(id)
      this.#lastWriterId = id
    }
    return (this.#lastReader as Reader).read(bytes, HEADER_BYTES, id) as T
  }

  #findId(): number {
    const { name } = this.#schema
    const id = this.#source.idOf(name)
    if (id === undefined) throw new SchemaError('unregistered', `no schema id for ${name}`)
    return id
  }

  #readerFor(schemaId: number): Reader {
    const known = this.#writers.get(schemaId)
    if (known instanceof Reader) return known
    if (known !== undefined) throw known
    try {
      return this.#remember(schemaId, new Reader(this.#type, this.#writer(schemaId), this.#options))
    } catch (cause) {
      if (cause instanceof DeserializationError) throw cause
      const detail = `schema id ${schemaId} cannot be read as ${this.#schema.name}: ${(cause as Error).message}`
      const error = new DeserializationError('incompatible-schema', detail, { cause, schemaId })
      throw this.#remember(schemaId, error)
    }
  }

  #remember<R extends Reader | DeserializationError>(schemaId: number, reader: R): R {
    if (this.#writers.size >= MAX_WRITERS) this.#writers.clear()
    this.#writers.set(schemaId, reader)
    return reader
  }

  #writer(schemaId: number): AvroSchema {
    const writer = this.#source.byId(schemaId)
    if (writer === undefined) {
      const ready = this.#source.load?.(schemaId)
      throw new DeserializationError('schema-not-loaded', `schema id ${schemaId}`, { schemaId, ready })
    }
    if (writer === null)
      throw new DeserializationError('unknown-schema', `schema id ${schemaId}`, { schemaId })
    return writer
  }
}

/**
 * The serde of a store's values: Avro without a header, so the store itself has to know what it was written with.
 * Trusts its bytes: the store checks their sum.
 * @param writer the schema that the bytes were written with, if not today's: an older recorded version
 */
export function stateSerde<T>(schema: RecordSchema<T>, writer: AvroSchema = schema.definition): Serde<T> {
  const type = avroType(schema.definition)
  const reader = new Reader(type, writer, { trusted: true })
  return {
    serialize: (value) => encodeOrExplain(type, value, 0),
    deserialize: (bytes) => reader.read(bytes, 0, undefined) as T,
  }
}

/** Reads what one schema wrote as another. */
class Reader {
  readonly #type: AvroType
  readonly #resolver: ReturnType<AvroType['createResolver']> | undefined
  readonly #scan: Scanner
  readonly #trusted: boolean

  constructor(type: AvroType, writer: AvroSchema, { trusted = false, ...limits }: AvroSerdeOptions) {
    const writerType = avroType(writer)
    this.#type = type
    this.#resolver = type.equals(writerType) ? undefined : type.createResolver(writerType)
    this.#scan = compileScanner(checkDefinition(writer), { ...defaultScanLimits, ...limits })
    this.#trusted = trusted
  }

  read(bytes: Buffer, start: number, schemaId: number | undefined): unknown {
    try {
      if (!this.#trusted) this.#scan(bytes, start, schemaId)
      const { value, offset } = this.#type.decode(bytes, start, this.#resolver)
      if (offset === bytes.length) return value
    } catch (error) {
      throw this.#explain(error, bytes, start, schemaId)
    }
    throw this.#explain(undefined, bytes, start, schemaId)
  }

  /** Trusted bytes were not scanned: now the scan says what is wrong with them. */
  #explain(error: unknown, bytes: Buffer, start: number, schemaId: number | undefined): unknown {
    if (error instanceof DeserializationError) return error
    try {
      this.#scan(bytes, start, schemaId)
    } catch (found) {
      return found
    }
    const detail = error instanceof Error ? error.message : 'the value and the bytes end in different places'
    return new DeserializationError('undecodable', detail, { cause: error, schemaId })
  }
}

function encodeOrExplain(type: AvroType, value: unknown, headerBytes: number): Buffer {
  try {
    return encode(type, value, headerBytes)
  } catch (cause) {
    throw explainInvalid(type, value, cause)
  }
}

/** Finds the first field that does not fit. */
function explainInvalid(type: AvroType, value: unknown, cause: unknown): SerializationError {
  let found: SerializationError | undefined
  type.isValid(value, {
    errorHook: (path, part, partType) => {
      found ??= describe(path.join('.'), part, partType.typeName, cause)
    },
  })
  return found ?? new SerializationError('invalid-value', '', (cause as Error).message, { cause })
}

function describe(path: string, part: unknown, typeName: string, cause: unknown): SerializationError {
  if (typeName === 'long' && Number.isInteger(part)) {
    return new SerializationError('precision', path, 'an integer outside ±(2^53 - 1)', { cause })
  }
  if (typeName === 'string' && typeof part === 'string') {
    return new SerializationError('invalid-utf8', path, 'half a surrogate pair', { cause })
  }
  if (typeName === 'map' && typeof part === 'object' && part !== null && !Array.isArray(part)) {
    return new SerializationError('proto-key', path, 'a map has the key __proto__', { cause })
  }
  return new SerializationError('invalid-value', path, `not a ${typeName}`, { cause })
}
