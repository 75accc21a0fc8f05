/** Avro schemas as plain JSON, and the typed handle that the generated code gives for each record. */

export type AvroPrimitiveName = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

/** A primitive with attributes, such as a logical type; the attributes do not change how it is decoded. */
export interface AvroPrimitive {
  readonly type: AvroPrimitiveName
  readonly logicalType?: string
}

export interface AvroField {
  readonly name: string
  readonly type: AvroSchema
  readonly doc?: string
  readonly default?: unknown
  readonly aliases?: readonly string[]
}

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly aliases?: readonly string[]
  readonly fields: readonly AvroField[]
}

export interface AvroEnum {
  readonly type: 'enum'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly aliases?: readonly string[]
  readonly symbols: readonly string[]
  readonly default?: string
}

export interface AvroFixed {
  readonly type: 'fixed'
  readonly name: string
  readonly namespace?: string
  readonly aliases?: readonly string[]
  readonly size: number
}

export interface AvroArray {
  readonly type: 'array'
  readonly items: AvroSchema
}

export interface AvroMap {
  readonly type: 'map'
  readonly values: AvroSchema
}

/** An Avro schema as JSON; a string is a primitive or the full name of a type defined earlier in the same schema. */
export type AvroSchema =
  | string
  | AvroPrimitive
  | AvroRecord
  | AvroEnum
  | AvroFixed
  | AvroArray
  | AvroMap
  | readonly AvroSchema[]

export function isUnion(schema: AvroSchema): schema is readonly AvroSchema[] {
  return Array.isArray(schema)
}

/** A record's own schema together with the TypeScript type of its values. */
export interface RecordSchema<T> {
  /** Full name, e.g. `millrace.coupon.CouponIssued`. */
  readonly name: string
  /** 1, 2, …: which of the recorded versions this is. */
  readonly version: number
  /** Self-contained: every type that it uses is defined inside. */
  readonly definition: AvroRecord
  /** Carries the value type for the compiler; never set. */
  readonly valueType?: T
}
