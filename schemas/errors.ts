/** What can go wrong with schemas and with the bytes and values they describe. Codes are stable; never match messages. */

/** A schema that cannot be used. */
export const schemaErrors = {
  'invalid-schema': 'Not an Avro schema: unknown type, missing name, bad default, undefined reference …',
  'proto-key': 'A field, symbol or type is named `__proto__`.',
  'too-deep': 'Nested deeper than allowed.',
  'too-large': 'More types, fields or symbols than allowed.',
  unregistered: 'The source has no id for a schema that is to be written with.',
} as const

export type SchemaErrorCode = keyof typeof schemaErrors

export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly code: SchemaErrorCode

  constructor(code: SchemaErrorCode, detail: string, options?: ErrorOptions) {
    super(`Schema refused (${code}): ${detail}`, options)
    this.code = code
  }
}

/** Why bytes could not be decoded. All but `schema-not-loaded` are poison: the same bytes fail again. */
export const deserializationErrors = {
  empty: 'No byte at all.',
  'too-short': 'Fewer than the five bytes of the header.',
  'bad-magic': 'The first byte is not 0.',
  'unknown-schema': 'The schema id is negative or known not to exist.',
  'schema-not-loaded': 'The schema id is not known here yet; load it and try again.',
  'incompatible-schema':
    "The writer's schema cannot be read as the reader's: another record, or an incompatible change.",
  truncated: 'The bytes end too early.',
  'trailing-bytes': 'Bytes are left over.',
  'bad-varint': 'A number of more bytes than its type can have.',
  'bad-length': 'A negative length, or a block whose size does not match its items.',
  'bad-boolean': 'A boolean that is neither 0 nor 1.',
  'bad-union-index': 'A union has no such branch.',
  'bad-enum-index': 'An enum has no such symbol.',
  'count-too-large': 'An array or map says it has more items than the bytes can hold.',
  'too-deep': 'A recursive value nested deeper than allowed.',
  'too-large': 'The value would take more memory than allowed.',
  precision: 'A long outside ±(2⁵³ − 1), which a JavaScript number cannot hold exactly.',
  'invalid-utf8': 'A string that is not UTF-8.',
  'proto-key': 'A map has the key `__proto__`.',
  undecodable: 'Anything else; see the cause.',
} as const

export type DeserializationErrorCode = keyof typeof deserializationErrors

export class DeserializationError extends Error {
  override readonly name = 'DeserializationError'
  readonly code: DeserializationErrorCode
  /** The message without code and offset. */
  readonly detail: string
  /** Where in the bytes; absent when it concerns them all. */
  readonly offset: number | undefined
  /** The id in the header, where it came that far. */
  readonly schemaId: number | undefined
  /** Ends when the same bytes are worth another try; of `schema-not-loaded`, where its source fetches schemas. */
  readonly ready: Promise<void> | undefined

  constructor(
    code: DeserializationErrorCode,
    detail: string,
    options: {
      cause?: unknown
      offset?: number | undefined
      schemaId?: number | undefined
      ready?: Promise<void> | undefined
    } = {},
  ) {
    const at = options.offset === undefined ? '' : ` at byte ${options.offset}`
    super(
      `Cannot decode (${code})${at}: ${detail}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.detail = detail
    this.offset = options.offset
    this.schemaId = options.schemaId
    this.ready = options.ready
  }

  /** Whether the same bytes may decode later; false means dead letter. */
  get retriable(): boolean {
    return this.code === 'schema-not-loaded'
  }
}

/** Why a value could not be encoded. */
export const serializationErrors = {
  'invalid-value': 'It does not fit its schema.',
  precision: 'An integer outside ±(2⁵³ − 1).',
  'invalid-utf8': 'A string with half of a surrogate pair, which UTF-8 cannot hold.',
  'proto-key': 'A map has the key `__proto__`.',
} as const

export type SerializationErrorCode = keyof typeof serializationErrors

export class SerializationError extends Error {
  override readonly name = 'SerializationError'
  readonly code: SerializationErrorCode
  /** The field, e.g. `items.2.quantity`; empty for the value itself. */
  readonly path: string

  constructor(code: SerializationErrorCode, path: string, detail: string, options?: ErrorOptions) {
    super(`Cannot encode (${code})${path === '' ? '' : ` ${path}`}: ${detail}`, options)
    this.code = code
    this.path = path
  }
}

/** One thing wrong with a JSON value. */
export interface JsonProblem {
  /** The field, e.g. `items.2.quantity`; empty for the value itself. */
  readonly path: string
  readonly message: string
}

/** A JSON value does not fit its record; lists every problem found, up to a limit. */
export class JsonValueError extends Error {
  override readonly name = 'JsonValueError'
  readonly code = 'invalid-json-value'
  readonly problems: readonly JsonProblem[]

  constructor(record: string, problems: readonly JsonProblem[]) {
    const lines = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    super(`Not a ${record}: ${lines.join('; ')}`)
    this.problems = problems
  }
}
