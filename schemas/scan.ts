/**
 * Walks a datum before it is decoded, so that decoding cannot fail or take more memory than allowed whatever the
 * bytes are. Compiled once per writer schema.
 *
 * 1. No byte is read beyond the end, and none is left over.
 * 2. An array or map has no more items than its bytes can hold; items of no bytes are capped.
 * 3. The walk allocates nothing that grows with the datum, and is linear in its bytes.
 */
import { isPrimitiveName, nameOf } from './definition.ts'
import { isUnion, type AvroEnum, type AvroRecord, type AvroSchema } from './record-schema.ts'
import { defaultScanLimits, ScanCursor, type ScanLimits } from './scan-cursor.ts'

/** Throws DeserializationError, with `schemaId`, unless `bytes` from `start` on are exactly one datum. */
export type Scanner = (bytes: Buffer, start: number, schemaId?: number) => void

/** Compiles the scanner of a schema that `checkDefinition` has returned. */
export function compileScanner(schema: AvroSchema, limits: ScanLimits = defaultScanLimits): Scanner {
  const { step } = new ScanCompiler(limits.utf8 === 'strict').compile(schema)
  const cursor = new ScanCursor(limits)
  return (bytes, start, schemaId) => {
    cursor.begin(bytes, start, schemaId)
    step(cursor)
    cursor.finish()
  }
}

type Step = (cursor: ScanCursor) => void

/** A compiled type: how to walk it and the fewest bytes it can have (0 until a record's fields are compiled). */
interface Part {
  readonly step: Step
  minBytes: number
}

// Estimates of what a decoded value takes; rather too high than too low.
const BUFFER_BYTES = 96
const OBJECT_BYTES = 24
const SLOT_BYTES = 8
const ARRAY_BYTES = 32
const MAP_ENTRY_BYTES = 48

class ScanCompiler {
  readonly #strict: boolean
  readonly #named = new Map<string, Part>()

  constructor(strict: boolean) {
    this.#strict = strict
  }

  compile(schema: AvroSchema): Part {
    if (typeof schema === 'string')
      return isPrimitiveName(schema) ? this.#primitive(schema) : this.#find(schema)
    if (isUnion(schema)) return this.#union(schema)
    switch (schema.type) {
      case 'record':
        return this.#record(schema)
      case 'enum':
        return this.#enum(schema)
      case 'fixed':
        return this.#define(nameOf(schema, undefined), fixed(schema.size))
      case 'array':
        return this.#blocks(this.compile(schema.items), false)
      case 'map':
        return this.#blocks(this.compile(schema.values), true)
      default:
        return this.#primitive(schema.type)
    }
  }

  #find(name: string): Part {
    const part = this.#named.get(name)
    if (part === undefined) throw new TypeError(`undefined type ${name}`)
    return part
  }

  #define(name: string, part: Part): Part {
    this.#named.set(name, part)
    return part
  }

  #primitive(name: string): Part {
    const strict = this.#strict
    switch (name) {
      case 'null':
        return { minBytes: 0, step: () => undefined }
      case 'boolean':
        return { minBytes: 1, step: boolean }
      case 'int':
        return { minBytes: 1, step: (cursor) => cursor.skipInt() }
      case 'long':
        return { minBytes: 1, step: (cursor) => cursor.skipLong() }
      case 'float':
        return { minBytes: 4, step: (cursor) => cursor.skip(4) }
      case 'double':
        return { minBytes: 8, step: (cursor) => cursor.skip(8) }
      case 'bytes':
        return { minBytes: 1, step: bytes }
      default:
        return { minBytes: 1, step: (cursor) => cursor.string(strict) }
    }
  }

  #record(schema: AvroRecord): Part {
    const steps: Step[] = []
    const heapBytes = OBJECT_BYTES + SLOT_BYTES * schema.fields.length
    const step: Step = (cursor) => {
      cursor.enter()
      cursor.charge(heapBytes)
      for (const field of steps) field(cursor)
      cursor.leave()
    }
    // Known under its name before its fields are, for a record that contains itself.
    const record = this.#define(nameOf(schema, undefined), { step, minBytes: 0 })
    for (const field of schema.fields) {
      const part = this.compile(field.type)
      steps.push(part.step)
      record.minBytes += part.minBytes
    }
    return record
  }

  #enum(schema: AvroEnum): Part {
    const count = schema.symbols.length
    return this.#define(nameOf(schema, undefined), {
      minBytes: 1,
      step: (cursor) => {
        const index = cursor.long()
        if (index < 0 || index >= count) cursor.fail('bad-enum-index', `symbol ${index} of ${count}`)
      },
    })
  }

  #union(branches: readonly AvroSchema[]): Part {
    const parts = branches.map((branch) => this.compile(branch))
    const steps = parts.map(({ step }) => step)
    return {
      minBytes: 1 + Math.min(...parts.map(({ minBytes }) => minBytes)),
      step: (cursor) => {
        const index = cursor.long()
        const step = steps[index]
        if (step === undefined) return cursor.fail('bad-union-index', `branch ${index} of ${steps.length}`)
        step(cursor)
      },
    }
  }

  /** Arrays and maps: blocks of items until a block of none. */
  #blocks(item: Part, keyed: boolean): Part {
    const strict = this.#strict
    const keyBytes = keyed ? 1 : 0
    const heapBytes = keyed ? MAP_ENTRY_BYTES : SLOT_BYTES
    const step: Step = (cursor) => {
      const minBytes = item.minBytes + keyBytes
      cursor.charge(ARRAY_BYTES)
      for (;;) {
        const count = cursor.long()
        if (count === 0) return
        const size = count < 0 ? cursor.length() : -1
        const items = Math.abs(count)
        const end = cursor.pos + size
        if (items * minBytes > cursor.left)
          cursor.fail('count-too-large', `${items} items in ${cursor.left} bytes`)
        if (minBytes === 0) cursor.chargeEmptyItems(items)
        cursor.charge(items * heapBytes)
        for (let i = 0; i < items; i += 1) {
          if (keyed) cursor.key(strict)
          item.step(cursor)
        }
        if (size >= 0 && cursor.pos !== end)
          cursor.fail('bad-length', `a block of ${size} bytes has another size`)
      }
    }
    return { step, minBytes: 1 }
  }
}

function boolean(cursor: ScanCursor): void {
  const byte = cursor.byte()
  if (byte > 1) cursor.fail('bad-boolean', `a boolean of ${byte}`)
}

function bytes(cursor: ScanCursor): void {
  const length = cursor.length()
  cursor.charge(BUFFER_BYTES + length)
  cursor.skip(length)
}

function fixed(size: number): Part {
  return {
    minBytes: size,
    step: (cursor) => {
      cursor.charge(BUFFER_BYTES + size)
      cursor.skip(size)
    },
  }
}
