/**
 * Avro types as the Avro library makes them, with four of its leaf types replaced:
 *
 * - long: exact over ±(2⁵³ − 1); the library's own silently changes odd longs below −2⁵²,
 * - string: half surrogate pairs are refused instead of written as invalid UTF-8,
 * - enum: a symbol is looked up as an own key, so `constructor` is not one,
 * - map: read into an object without prototype, and `__proto__` is refused as a key.
 *
 * This is the one file that knows the library's inner methods; the test of this file holds it to them.
 */
import avro from 'avsc'
import { checkDefinition } from './definition.ts'
import { SchemaError } from './errors.ts'
import type { AvroSchema } from './record-schema.ts'

export type AvroType = avro.Type

/** The library's cursor over a buffer. Writing past the end moves `pos` on and writes nothing. */
interface Tap {
  readonly buf: Buffer
  pos: number
  readLong(): number
  readString(): string
  writeLong(value: number): void
}

/** What every type has inside. `hook` is told of each value that does not fit. */
interface InnerType {
  _read(tap: Tap): unknown
  _write(tap: Tap, value: unknown): void
  _check(value: unknown, flags: number, hook: Hook | undefined, path?: string[]): boolean
}

type Hook = (value: unknown, type: AvroType) => void

const TWO_POW_27 = 2 ** 27
/** Longest string, in UTF-16 units, whose length prefix is certain to be one byte. */
const SHORT_STRING = 63

class ExactLongType extends avro.types.LongType {
  _check(value: unknown, _flags: number, hook: Hook | undefined): boolean {
    const fits = Number.isSafeInteger(value)
    if (!fits) hook?.(value, this)
    return fits
  }

  _read(tap: Tap): number {
    const { buf } = tap
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = buf[tap.pos++] ?? 0
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
    }
    let high = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = buf[tap.pos++] ?? 0
      high += (byte & 0x7f) * unit
      if (byte < 0x80) break
    }
    const half = high * TWO_POW_27 + (low >>> 1)
    const value = (low & 1) === 0 ? half : -half - 1
    if (!Number.isSafeInteger(value)) throw new Error('a long outside ±(2^53 - 1)')
    return value
  }

  _write(tap: Tap, value: unknown): void {
    if (!Number.isSafeInteger(value)) throw new Error('not an integer within ±(2^53 - 1)')
    const { buf } = tap
    const number = value as number
    const half = number < 0 ? -number - 1 : number
    let high = Math.floor(half / TWO_POW_27)
    let low = ((half - high * TWO_POW_27) << 1) | (number < 0 ? 1 : 0)
    if (high === 0) {
      for (; low > 0x7f; low >>>= 7) buf[tap.pos++] = (low & 0x7f) | 0x80
      buf[tap.pos++] = low
      return
    }
    for (let i = 0; i < 4; i += 1, low >>>= 7) buf[tap.pos++] = (low & 0x7f) | 0x80
    for (; high > 0x7f; high = Math.floor(high / 128)) buf[tap.pos++] = (high & 0x7f) | 0x80
    buf[tap.pos++] = high
  }
}

class WellFormedStringType extends avro.types.StringType {
  _check(value: unknown, _flags: number, hook: Hook | undefined): boolean {
    const fits = typeof value === 'string' && value.isWellFormed()
    if (!fits) hook?.(value, this)
    return fits
  }

  _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'string') throw new Error('not a string')
    const { buf, pos } = tap
    const { length } = value
    if (length <= SHORT_STRING && pos + length < buf.length && writeAscii(buf, pos + 1, value)) {
      buf[pos] = length << 1
      tap.pos = pos + 1 + length
      return
    }
    if (!value.isWellFormed()) throw new Error('half a surrogate pair')
    const bytes = Buffer.byteLength(value)
    tap.writeLong(bytes)
    const start = tap.pos
    tap.pos += bytes
    if (tap.pos <= buf.length) buf.write(value, start, bytes, 'utf8')
  }
}

/** Writes the string unless it has a character outside ASCII. */
function writeAscii(buf: Buffer, start: number, value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const unit = value.charCodeAt(i)
    if (unit > 0x7f) return false
    buf[start + i] = unit
  }
  return true
}

class OwnKeyEnumType extends avro.types.EnumType {
  _check(value: unknown, _flags: number, hook: Hook | undefined): boolean {
    const fits = typeof value === 'string' && this.symbols.includes(value)
    if (!fits) hook?.(value, this)
    return fits
  }

  _write(tap: Tap, value: unknown): void {
    const index = this.symbols.indexOf(value as string)
    if (index < 0) throw new Error('not a symbol of the enum')
    tap.writeLong(index)
  }
}

class PlainMapType extends avro.types.MapType {
  _check(value: unknown, flags: number, hook: Hook | undefined, path: string[] = []): boolean {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (!isMap || Object.hasOwn(value, '__proto__')) {
      hook?.(value, this)
      return false
    }
    const inner = inside(this.valuesType as AvroType)
    return Object.entries(value).every(([key, item]) => {
      path.push(key)
      const fits = inner._check(item, flags, hook, path)
      path.pop()
      return fits
    })
  }

  _read(tap: Tap): Record<string, unknown> {
    const map = Object.create(null) as Record<string, unknown>
    const inner = inside(this.valuesType as AvroType)
    for (;;) {
      let count = tap.readLong()
      if (count === 0) return map
      if (count < 0) {
        count = -count
        tap.readLong()
      }
      while (count-- > 0) {
        const key = tap.readString()
        map[key] = inner._read(tap)
      }
    }
  }

  _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not a map')
    const entries = Object.entries(value)
    const inner = inside(this.valuesType as AvroType)
    if (entries.length > 0) {
      tap.writeLong(entries.length)
      for (const [key, item] of entries) {
        if (key === '__proto__') throw new Error('the key __proto__')
        inside(wellFormedString)._write(tap, key)
        inner._write(tap, item)
      }
    }
    tap.writeLong(0)
  }
}

function inside(type: AvroType): InnerType {
  return type as unknown as InnerType
}

const exactLong = new ExactLongType()
const wellFormedString = new WellFormedStringType()

interface ForSchemaOptions {
  namespace?: string
}

/** Puts the types above in place of the library's. */
function replaceType(schema: AvroSchema, options: ForSchemaOptions): AvroType | undefined {
  const name = typeof schema === 'object' && 'type' in schema ? schema.type : schema
  switch (name) {
    case 'long':
      return exactLong
    case 'string':
      return wellFormedString
    case 'enum':
      return new OwnKeyEnumType(schema as avro.Schema, options)
    case 'map':
      return new PlainMapType(schema as avro.Schema, options)
    default:
      return undefined
  }
}

const types = new WeakMap<object, AvroType>()

/**
 * The type of a schema, compiled once per schema object.
 * @throws SchemaError `invalid-schema`, `proto-key`, `too-deep`, `too-large`
 */
export function avroType(schema: AvroSchema): AvroType {
  const known = typeof schema === 'object' ? types.get(schema) : undefined
  if (known !== undefined) return known
  const type = compile(checkDefinition(schema))
  if (typeof schema === 'object') types.set(schema, type)
  return type
}

function compile(schema: AvroSchema): AvroType {
  try {
    return avro.Type.forSchema(schema as avro.Schema, {
      registry: Object.create(null) as Record<string, AvroType>,
      omitRecordMethods: true,
      typeHook: replaceType as never,
    })
  } catch (cause) {
    throw new SchemaError('invalid-schema', (cause as Error).message, { cause })
  }
}
