/** The schema registry connector against a real registry with Confluent's API, beside the library that others use. */
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, inject, test } from 'vitest'
import {
  checkSubjects,
  openRegistrySchemas,
  registerSubjects,
  RegistryClient,
  type RegistrySchemas,
  subjectsOf,
  type WrittenTopic,
} from '../../connectors/index.ts'
import {
  type AvroRecord,
  avroSerde,
  createTopics,
  DeserializationError,
  frame,
  type RecordSchema,
  type Serde,
  topics,
} from '../../schemas/index.ts'
import '../support/kafka/fixture.ts'

const { registryUrl: url } = inject('kafka')
const registry = { url }
const opened: RegistrySchemas[] = []
afterAll(async () => {
  for (const schemas of opened) await schemas.close()
})

async function open(written: readonly WrittenTopic[], register = true): Promise<RegistrySchemas> {
  const schemas = await openRegistrySchemas({ registry, topics: written, register })
  opened.push(schemas)
  return schemas
}

/** Decodes as the engine does: waits for what has to be fetched. */
async function decode<T>(serde: Serde<T>, bytes: Buffer): Promise<T> {
  for (;;) {
    try {
      return serde.deserialize(bytes)
    } catch (error) {
      if (!(error instanceof DeserializationError) || error.ready === undefined) throw error
      await error.ready
    }
  }
}

interface Note {
  readonly id: string
  readonly stars: number
}
interface Grown extends Note {
  readonly mood: string
}

/** A record of this test alone: registries keep what tests leave. */
let namespace: string
let topic: string
beforeEach(() => {
  namespace = `test.r${randomUUID().replaceAll('-', '')}`
  topic = `${namespace}.notes`
})

function note(): RecordSchema<Note> {
  const fields = [
    { name: 'id', type: 'string', doc: 'Who.' },
    { name: 'stars', type: 'long', default: 3 },
  ]
  return {
    name: `${namespace}.Note`,
    version: 1,
    definition: { type: 'record', name: 'Note', namespace, fields },
  }
}

function grown(): RecordSchema<Grown> {
  const mood = { type: 'enum', name: 'Mood', symbols: ['UNKNOWN', 'GOOD'], default: 'UNKNOWN' } as const
  const { name, definition } = note()
  const fields = [...definition.fields, { name: 'mood', type: mood, default: 'GOOD' }]
  return { name, version: 2, definition: { ...definition, fields } }
}

function retyped(): RecordSchema<Note> {
  const { name, definition } = note()
  const wrong: AvroRecord = { ...definition, fields: [{ name: 'id', type: 'long' }] }
  return { name, version: 2, definition: wrong }
}

describe('the catalogue', () => {
  test('is registered once, under FULL_TRANSITIVE, and written with the ids of the registry', async () => {
    const client = new RegistryClient(registry)
    const subjects = subjectsOf(Object.values(topics))
    await registerSubjects(client, subjects)
    const again = await registerSubjects(client, subjects)
    const checked = await checkSubjects(client, subjects)
    await client.close()
    expect(again.map(({ state }) => state)).toEqual(subjects.map(() => 'registered'))
    expect(checked).toEqual(again)
    expect(new Set(checked.map(({ level }) => level))).toEqual(new Set(['FULL_TRANSITIVE']))
    const schemas = await open(Object.values(topics), false)
    const { cartChanged } = createTopics(schemas)
    const bytes = cartChanged.value.serialize({ userId: 'u', items: [] })
    expect(bytes.readInt32BE(1)).toBe(checked.find(({ subject }) => subject === 'cart.changed-value')?.id)
    expect(cartChanged.value.deserialize(bytes)).toEqual({ userId: 'u', items: [] })
  })
})

describe('a record of its own', () => {
  test('is not written before it is registered', async () => {
    await expect(open([{ name: topic, schema: note() }], false)).rejects.toMatchObject({
      code: 'SCHEMA_UNREGISTERED',
      message: expect.stringContaining(`${topic}-value; run: millrace schemas register`) as string,
    })
  })

  test('grows: old and new programs read what both wrote', async () => {
    const old = avroSerde(note(), await open([{ name: topic, schema: note() }]))
    const fresh = avroSerde(grown(), await open([{ name: topic, schema: grown() }]))
    const byOld = old.serialize({ id: 'o', stars: 1 })
    const byNew = fresh.serialize({ id: 'n', stars: 2, mood: 'UNKNOWN' })
    expect(byOld.readInt32BE(1)).not.toBe(byNew.readInt32BE(1))
    expect(await decode(old, byNew)).toEqual({ id: 'n', stars: 2 })
    expect(await decode(fresh, byOld)).toEqual({ id: 'o', stars: 1, mood: 'GOOD' })
  })

  test('does not change incompatibly, and is told why', async () => {
    await open([{ name: topic, schema: note() }])
    const written = [{ name: topic, schema: retyped() }]
    await expect(open(written)).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      message: expect.stringMatching(new RegExp(`${topic}-value: .*(?:LONG|long)`)) as string,
    })
    const client = new RegistryClient(registry)
    const subjects = subjectsOf(written)
    const report = { state: 'incompatible', reason: expect.stringMatching(/LONG|long/) as string }
    expect(await checkSubjects(client, subjects)).toMatchObject([report])
    expect(await registerSubjects(client, subjects)).toMatchObject([report])
    await client.close()
  })

  test('may be checked before it grows', async () => {
    await open([{ name: topic, schema: note() }])
    const client = new RegistryClient(registry)
    const [report] = await checkSubjects(client, subjectsOf([{ name: topic, schema: grown() }]))
    await client.close()
    expect(report).toMatchObject({ state: 'compatible', id: undefined, level: 'FULL_TRANSITIVE' })
  })

  test('is exchanged with programs that use the common library', async () => {
    const serde = avroSerde(note(), await open([{ name: topic, schema: note() }]))
    const library = new SchemaRegistry({ host: url })
    expect(await library.decode(serde.serialize({ id: 'ours', stars: 1 }))).toMatchObject({
      id: 'ours',
      stars: 1,
    })
    const { id } = await library.register(
      { type: 'record', name: 'Note', namespace, fields: [{ name: 'id', type: 'string' }] } as never,
      { subject: `${topic}.theirs-value` },
    )
    expect(await decode(serde, await library.encode(id, { id: 'theirs' }))).toEqual({
      id: 'theirs',
      stars: 3,
    })
  })

  test('with an id that does not exist is poison', async () => {
    const serde = avroSerde(note(), await open([{ name: topic, schema: note() }]))
    await expect(decode(serde, frame(2_000_000_000, Buffer.from([0])))).rejects.toMatchObject({
      code: 'unknown-schema',
    })
  })
})
