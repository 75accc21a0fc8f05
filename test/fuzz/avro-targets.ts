/** Messages of every topic of the catalogue, and of a record with everything that those lack. */
import { avroSerde, embeddedSchemas, fixedSource, topics, type Topic } from '../../schemas/index.ts'
import type { AvroRecord } from '../../schemas/record-schema.ts'
import { seededRandom } from '../support/random.ts'
import { sampleOf } from './samples.ts'

const SAMPLES = 10
const SEED = 7

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

const everythingSchema = { name: 'test.Everything', version: 1, definition: everything }
const everythingTopic: Topic<unknown>['value'] = avroSerde<unknown>(
  everythingSchema,
  fixedSource([{ id: 1, ...everythingSchema }]),
)

/** The topics of the catalogue, and one of `everything`. */
export interface AvroTarget {
  readonly name: string
  readonly serde: Topic<unknown>['value']
  readonly messages: readonly Buffer[]
}

export function avroTargets(): readonly AvroTarget[] {
  const random = seededRandom(SEED)
  const known = (Object.values(topics) as Topic<unknown>[]).map((topic) => {
    const serde = avroSerde(topic.schema, embeddedSchemas)
    const samples = Array.from({ length: SAMPLES }, () => sampleOf(topic.schema.definition, random))
    return { name: topic.name, serde, messages: samples.map((value) => serde.serialize(value)) }
  })
  return [
    ...known,
    { name: 'everything', serde: everythingTopic, messages: [everythingTopic.serialize(nested)] },
  ]
}
