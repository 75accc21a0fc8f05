/** A task whose records carry ids of a registry: it waits for a schema that may come, and only for one of those. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRegistrySchemas, type RegistrySchemas } from '../../../connectors/index.ts'
import { type AvroRecord, avroSerde, frame, type RecordSchema } from '../../../schemas/index.ts'
import { memoryBackend } from '../../../state/index.ts'
import {
  processor,
  redecide,
  shape,
  Streams,
  type Topic,
  topology,
  type Topology,
} from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'
import { MemoryLog } from '../../../transports/simulated/index.ts'
import { topicSpec } from '../../support/engine-shop.ts'
import { stringTopic } from '../../support/topics.ts'
import { FakeRegistry } from './fake-registry.ts'
import { eventually } from './registry-given.ts'

interface Note {
  readonly id: string
}
const definition: AvroRecord = {
  type: 'record',
  name: 'Note',
  namespace: 'test',
  fields: [{ name: 'id', type: 'string' }],
}
const schema: RecordSchema<Note> = { name: 'test.Note', version: 1, definition }
/** As others write it. */
const foreign: AvroRecord = {
  ...definition,
  fields: [...definition.fields, { name: 'more', type: 'int', default: 0 }],
}
const START = Date.UTC(2026, 0, 1)
const copies = stringTopic('copies')
const lines = stringTopic('lines')

let registry: FakeRegistry
let schemas: RegistrySchemas
let clock: ManualClock
let log: MemoryLog
let streams: Streams
let runner: ReturnType<Streams['runner']>
let troubles: number

beforeEach(async () => {
  clock = new ManualClock(START)
  registry = await FakeRegistry.open()
  troubles = 0
  schemas = await openRegistrySchemas({
    registry: { url: registry.url },
    topics: [{ name: 'notes', schema }],
    register: true,
    clock,
    onUnavailable: () => void troubles++,
  })
  log = new MemoryLog({ stateHome: 'log', now: () => clock.now() })
  streams = new Streams({
    application: 'test',
    topologies: [copying()],
    log,
    clock,
    topicSpec: (use) => ({ ...topicSpec(use), partitions: 2 }),
  })
  await streams.open()
  runner = streams.runner('copying')
})

afterEach(async () => {
  await streams.close()
  await log.close()
  await schemas.close()
  await registry.close()
})

/** Notes and lines, by time, into one topic. */
function copying(): Topology {
  const notes: Topic<string, Note> = { ...stringTopic('notes'), value: avroSerde(schema, schemas) }
  const idOf = processor({
    name: 'id-of-note',
    input: shape<string, Note>(),
    outputs: { out: shape<string, string>() },
    process: (record, { emit }) => emit.out(record.key, record.value.id),
  })
  return topology('copying', (t) => {
    t.stream(notes).process(idOf).out.merge(t.stream(lines)).to(copies)
  })
}

async function append(topic: string, partition: number, value: Buffer, at: number): Promise<void> {
  const record = { topic, partition, key: Buffer.from('k'), value, timestamp: START + at, headers: [] }
  await log.append([{ ...record, lineage: { eventId: `${topic}-${at}` } }])
}

/** A note as others write it, with a field that we do not have. */
function note(id: string, schemaId: number): Buffer {
  return frame(schemaId, Buffer.concat([Buffer.from([id.length * 2]), Buffer.from(id), Buffer.from([0])]))
}

/** A note as we write it. */
function ownNote(id: string): Buffer {
  return avroSerde(schema, schemas).serialize({ id })
}

/** Runs until nothing moves any more, and commits. */
async function settle(): Promise<void> {
  while (await runner.step());
  await runner.commitNow()
}

const copied = (): (string | undefined)[] => log.records('copies').map(({ value }) => value?.toString())
const deadLetters = (): string[] => log.records('notes.dlq').map(({ offset }) => `${offset}`)

test('a schema on its way: the task waits at the record, nothing overtakes it, and others go on', async () => {
  await append('notes', 0, ownNote('first'), 1)
  await append('notes', 0, note('second', registry.add(foreign)), 2)
  await append('lines', 0, Buffer.from('third'), 3)
  await append('lines', 1, Buffer.from('elsewhere'), 4)
  await settle()
  expect(copied()).toEqual(['first', 'elsewhere'])
  expect(runner.progress.position('notes', 0)).toBe(1)
  await eventually(async () => (await settle(), copied())).toEqual(['first', 'elsewhere', 'second', 'third'])
  expect(registry.lookups).toHaveLength(1)
})

test('the runner wakes up by itself when the schema is there', async () => {
  await append('notes', 0, note('late', registry.add(foreign)), 1)
  await settle()
  runner.run()
  await eventually(copied).toEqual(['late'])
})

test('a registry that is down: the task is paused and not dead, nothing goes to the dead letters, calls are few', async () => {
  const id = registry.add(foreign)
  registry.trouble = (_call, response) => Boolean(response.writeHead(503).end())
  for (let i = 0; i < 100; i++) await append('notes', 0, note(`n${i}`, id), i + 1)
  await append('lines', 0, Buffer.from('last'), 1_000)
  for (let round = 1; round <= 5; round++) {
    await eventually(async () => (await settle(), troubles)).toBe(round)
    expect(registry.lookups).toHaveLength(round)
    for (let i = 0; i < 100; i++) await settle()
    if (round === 5) registry.trouble = () => false
    clock.advance(60_000)
  }
  await eventually(async () => (await settle(), copied().length)).toBe(101)
  expect(copied()).toEqual([...Array.from({ length: 100 }, (_, i) => `n${i}`), 'last'])
  expect(registry.lookups).toHaveLength(6)
  expect(deadLetters()).toEqual([])
  expect(runner.tasks.map((task) => task.failure)).toEqual([undefined, undefined])
})

test('ids that do not exist: each message to the dead letters, each id asked for once', async () => {
  for (let i = 0; i < 100; i++)
    await append('notes', 0, i % 2 === 0 ? ownNote(`n${i}`) : note('x', 900 + (i % 5)), i + 1)
  await eventually(async () => (await settle(), copied().length)).toBe(50)
  await eventually(async () => (await settle(), deadLetters().length)).toBe(50)
  expect(registry.lookups).toHaveLength(5)
})

test('what was decided is decided again, schemas fetched anew', async () => {
  await append('notes', 0, ownNote('first'), 1)
  await append('notes', 0, note('second', registry.add(foreign)), 2)
  await eventually(async () => (await settle(), copied())).toEqual(['first', 'second'])
  await schemas.close()
  schemas = await openRegistrySchemas({
    registry: { url: registry.url },
    topics: [{ name: 'notes', schema }],
  })
  const task = runner.tasks[0]!.task
  const journal = log.journal(task)
  const again = await redecide({ topology: copying(), task, log, journal, backend: memoryBackend() })
  expect(again).toMatchObject({ records: 2, firstDifference: undefined })
  expect(registry.lookups).toHaveLength(2)
})
