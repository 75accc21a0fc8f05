/** External topics as topics of the log: JSON, or Avro of the shop's own schema. */
import { isUtf8 } from 'node:buffer'
import {
  avroSerde,
  DeserializationError,
  fixedSource,
  fromJson,
  type RecordSchema,
  SerializationError,
  type Serde,
  stringSerde,
  toJson,
} from '../../schemas/index.ts'
import type { Topic } from '../../streams/index.ts'
import { parseExactly } from './numbers.ts'
import type { ExternalTopic } from './profile.ts'

/** Throws what the schema is refused with. */
export function externalTopic(
  name: string,
  { keys = 'text', format = 'json', schema, schemaId }: ExternalTopic,
): Topic<string, unknown> {
  const avro = format === 'avro' && schema !== undefined && schemaId !== undefined
  const value = avro
    ? shopAvroSerde({ name: fullName(schema), version: 1, definition: schema }, schemaId)
    : jsonSerde
  return { name, key: keySerdes[keys], value, cleanup: 'delete', timestamps: 'CreateTime' }
}

/** Digits on this side, big-endian bytes on the other. */
function integerSerde(bytes: 4 | 8): Serde<string> {
  return {
    serialize(text) {
      if (!/^-?\d{1,19}$/.test(text)) throw new SerializationError('invalid-value', 'key', 'not an integer')
      const number = BigInt(text)
      if (BigInt.asIntN(bytes * 8, number) !== number)
        throw new SerializationError('invalid-value', 'key', `not an integer of ${bytes} bytes`)
      const key = Buffer.alloc(8)
      key.writeBigInt64BE(number)
      return key.subarray(8 - bytes)
    },
    deserialize(key) {
      if (key.length !== bytes) throw new DeserializationError('undecodable', `a key is not ${bytes} bytes`)
      return String(bytes === 8 ? key.readBigInt64BE() : key.readInt32BE())
    },
  }
}

const keySerdes = { text: stringSerde, long: integerSerde(8), int: integerSerde(4) } as const

/** UTF-8 JSON. Deserializing throws a `DeserializationError`. */
export const jsonSerde: Serde<unknown> = {
  serialize: (value) => Buffer.from(JSON.stringify(value)),
  deserialize(bytes) {
    if (bytes.length === 0) throw new DeserializationError('empty', 'no JSON')
    if (!isUtf8(bytes)) throw new DeserializationError('invalid-utf8', 'JSON that is not UTF-8')
    try {
      return parseExactly(bytes.toString('utf8'))
    } catch (cause) {
      // A RangeError: so deep that the stack ends.
      if (cause instanceof RangeError) throw new DeserializationError('too-deep', 'JSON', { cause })
      throw new DeserializationError('undecodable', 'not JSON, or with a key __proto__', { cause })
    }
  },
}

/** Plain JSON on this side, Confluent framing and Avro on the other. */
function shopAvroSerde(schema: RecordSchema<unknown>, id: number): Serde<unknown> {
  const serde = avroSerde(schema, fixedSource([{ id, name: schema.name, definition: schema.definition }]))
  return {
    serialize: (json) => serde.serialize(fromJson(schema, json)),
    deserialize: (bytes) => toJson(schema, serde.deserialize(bytes)),
  }
}

function fullName({ name, namespace }: { readonly name: string; readonly namespace?: string }): string {
  return namespace === undefined ? name : `${namespace}.${name}`
}
