import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  avroSerde,
  DeserializationError,
  deserializationErrors,
  embeddedSchemas,
  fixedSource,
  topics,
  type Topic,
} from '../../../schemas/index.ts'
import type { AvroRecord } from '../../../schemas/record-schema.ts'
import { valuesOf } from './arbitrary.ts'

const MIB = 1024 * 1024
const MESSAGES = 100_000

/** A record with everything that the pipeline's own records lack: maps, recursion, wide unions, fixed. */
const everything: AvroRecord = {
  type: 'record',
  name: 'Everything',
  namespace: 'test',
  fields: [
    { name: 'map', type: { type: 'map', values: ['null', 'string', 'long', 'boolean'] } },
    { name: 'next', type: ['null', 'Everything'] },
    { name: 'children', type: { type: 'array', items: 'Everything' } },
    { name: 'id', type: { type: 'fixed', name: 'Id', size: 4 } },
    { name: 'nothing', type: { type: 'array', items: 'null' } },
    { name: 'ratio', type: 'double' },
  ],
}
const leaf = { map: {}, next: null, children: [], id: Buffer.alloc(4), nothing: [], ratio: 0.5 }
const nested = {
  ...leaf,
  map: { a: 'x', b: 7, c: true, d: null },
  next: leaf,
  children: [leaf, leaf],
  nothing: [null],
}

/** Repeatable pseudo-random numbers below `limit` (mulberry32). */
function chance(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** Flips, cuts, repeats or inflates: what a bad disk, a bad producer or an enemy would do. */
function mutate(message: Buffer, below: (limit: number) => number): Buffer {
  const copy = Buffer.from(message)
  const at = 5 + below(Math.max(1, copy.length - 5))
  switch (below(5)) {
    case 0:
      copy[at] = below(256)
      return copy
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << below(8))
      return copy
    case 2:
      return copy.subarray(0, below(copy.length + 1))
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at - below(at)), copy.subarray(at)])
    default: {
      const huge = Buffer.alloc(1 + below(11), 0xff)
      return Buffer.concat([copy.subarray(0, at), huge, copy.subarray(at + below(3))])
    }
  }
}

function seedMessages(): { deserialize: (bytes: Buffer) => unknown; message: Buffer }[] {
  const schema = { name: 'test.Everything', version: 1, definition: everything }
  const own = avroSerde<unknown>(schema, fixedSource([{ id: 1, ...schema }]))
  const known = (Object.values(topics) as Topic<unknown>[]).flatMap((topic) => {
    const serde = avroSerde(topic.schema, embeddedSchemas)
    const samples = fc.sample(valuesOf(topic.schema.definition), { numRuns: 10, seed: 7 })
    return samples.map((value) => ({
      deserialize: (bytes: Buffer) => serde.deserialize(bytes),
      message: serde.serialize(value),
    }))
  })
  return [...known, { deserialize: (bytes) => own.deserialize(bytes), message: own.serialize(nested) }]
}

describe('mutated messages', () => {
  it(`${MESSAGES} of them decode or are refused with a known code, in bounded memory`, {
    timeout: 60_000,
  }, () => {
    const seeds = seedMessages()
    const below = chance(20_240_501)
    const refused = new Map<string, number>()
    const before = process.memoryUsage().rss
    let decoded = 0
    for (let i = 0; i < MESSAGES; i += 1) {
      const { deserialize, message } = seeds[i % 4 === 0 ? seeds.length - 1 : below(seeds.length)]!
      try {
        deserialize(mutate(message, below))
        decoded += 1
      } catch (error) {
        if (!(error instanceof DeserializationError)) throw error
        refused.set(error.code, (refused.get(error.code) ?? 0) + 1)
      }
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
    expect(decoded).toBeGreaterThan(MESSAGES / 100)
    // The scan foresees everything: nothing is left for the Avro library to stumble over.
    expect([...refused.keys()].filter((code) => !(code in deserializationErrors))).toEqual([])
    expect(refused.get('undecodable')).toBeUndefined()
    for (const code of [
      'truncated',
      'trailing-bytes',
      'count-too-large',
      'bad-union-index',
      'invalid-utf8',
    ]) {
      expect(refused.get(code)).toBeGreaterThan(0)
    }
  })
})
