/** Finding the ids to write with, registering, and a record that grows. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { registryErrorTable } from '../../../connectors/index.ts'
import {
  type AvroRecord,
  avroSerde,
  createTopics,
  type RecordSchema,
  SerializationError,
  topics,
} from '../../../schemas/index.ts'
import type { Trouble } from './fake-registry.ts'
import {
  CALL_TIMEOUT_MS,
  decode,
  definition,
  eachWithRegistry,
  eventually,
  instead,
  type Note,
  notes,
  noteSchema,
  reports,
  status,
} from './registry-given.ts'

const given = eachWithRegistry()

describe('opening', () => {
  test('takes the ids to write with from the registry', async () => {
    await given.open()
    const { serde, schemas } = await given.open({ register: false })
    const bytes = serde.serialize({ id: 'abc', stars: 1 })
    expect(bytes.readInt32BE(1)).toBe(schemas.idOf('test.Note'))
    expect(bytes.readInt32BE(1)).toBeGreaterThan(100)
    expect(serde.deserialize(bytes)).toEqual({ id: 'abc', stars: 1 })
    expect(given.registry.lookups).toEqual([])
  })

  test('works for the whole catalogue', async () => {
    const { schemas } = await given.open({ topics: undefined })
    const { cartChanged } = createTopics(schemas)
    const bytes = cartChanged.value.serialize({ userId: 'u', items: [] })
    expect(bytes.readInt32BE(1)).toBe(schemas.idOf(cartChanged.schema.name))
    for (const { name } of Object.values(topics))
      expect(given.registry.texts(`${name}-value`)).toHaveLength(1)
  })

  test('refuses what is not registered, naming subject and command', async () => {
    await expect(given.open({ register: false })).rejects.toMatchObject({
      code: 'SCHEMA_UNREGISTERED',
      message: expect.stringMatching(/notes-value.*millrace schemas register/) as string,
    })
    expect(given.registry.texts('notes-value')).toEqual([])
  })

  test('registers when it is asked to, under FULL_TRANSITIVE, once, and without docs', async () => {
    await given.open()
    const commented = { ...noteSchema, definition: { ...definition, doc: 'Another comment.' } }
    await given.open({ topics: [{ ...notes, schema: commented }], register: false })
    expect(given.registry.levels.get('notes-value')).toBe('FULL_TRANSITIVE')
    expect(given.registry.texts('notes-value')).toHaveLength(1)
    expect(given.registry.texts('notes-value')[0]).not.toContain('doc')
    const level = given.registry.calls.indexOf('PUT /config/notes-value')
    expect(level).toBeGreaterThan(-1)
    expect(level).toBeLessThan(given.registry.calls.indexOf('POST /subjects/notes-value/versions'))
  })

  test('does not register a change that the registry refuses', async () => {
    await given.open()
    const retyped = { ...definition, fields: [{ name: 'id', type: 'long' }] } as AvroRecord
    await expect(
      given.open({ topics: [{ ...notes, schema: { ...noteSchema, definition: retyped } }] }),
    ).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      reaction: 'stop',
      message: expect.stringContaining('notes-value') as string,
    })
    expect(given.registry.texts('notes-value')).toHaveLength(1)
  })

  test('waits for a registry that gives no answer, longer each time', async () => {
    const { seen, onUnavailable, next } = reports()
    given.registry.trouble = status(503)
    const opening = given.open({ onUnavailable })
    for (let round = 0; round < 8; round++) {
      await next()
      given.clock.advance(seen.at(-1)!.retryInMs)
    }
    await next()
    expect(seen.map(({ retryInMs }) => retryInMs)).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ])
    given.registry.trouble = () => false
    given.clock.advance(30_000)
    await opening
  })

  const register = 'POST /subjects/notes-value/versions'
  const rows: readonly [what: string, trouble: Trouble, how?: 'too late'][] = [
    ['503', status(503)],
    ['no word at all', instead(() => {}), 'too late'],
    [
      'half an answer',
      instead((response) => void response.writeHead(200, { 'content-length': 9 }).write('{')),
      'too late',
    ],
    ['a broken connection', instead((response) => void response.destroy())],
  ]
  test.each(rows)('waits where registering has for an answer %s', async (_what, trouble, how) => {
    const { seen, onUnavailable, next } = reports()
    const calls = () => given.registry.calls.filter((call) => call === register).length
    given.registry.trouble = (call, response) => call === register && trouble(call, response)
    const opening = given.open({ onUnavailable })
    if (how === 'too late') {
      await eventually(calls).toBe(1)
      given.clock.advance(CALL_TIMEOUT_MS)
    }
    await next()
    expect(seen).toEqual([{ code: 'REGISTRY_UNAVAILABLE', retryInMs: 500 }])
    expect(calls()).toBe(1)
    given.registry.trouble = () => false
    given.clock.advance(500)
    await opening
    expect(given.registry.texts('notes-value')).toHaveLength(1)
  })

  test('gives up when it is told to', async () => {
    const { onUnavailable, next } = reports()
    const giveUp = new AbortController()
    given.registry.trouble = status(503)
    const opening = given.open({ onUnavailable, signal: giveUp.signal })
    await next()
    giveUp.abort(new Error('enough'))
    await expect(opening).rejects.toThrow('enough')
  })

  test('does not wait where nobody is let in', async () => {
    given.registry.trouble = status(401)
    await expect(given.open()).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
  })

  test('sends a password with every call and shows it in no error', async () => {
    const auth = { username: 'shop', password: 'hush-hush' }
    await given.open({ registry: { url: given.registry.url, auth } })
    expect([...given.registry.credentials]).toEqual([
      `Basic ${Buffer.from('shop:hush-hush').toString('base64')}`,
    ])
    given.registry.trouble = status(403)
    const denied = await given
      .open({ registry: { url: given.registry.url, auth } })
      .catch((error: unknown) => error)
    expect(JSON.stringify(denied) + String(denied)).not.toContain('hush')
  })

  test.each([
    ['no URL', 'registry'],
    ['another protocol', 'ftp://registry'],
    ['a password in the URL', 'http://shop:hush@127.0.0.1'],
    ['a query', 'http://127.0.0.1/?a=b'],
  ])('refuses %s', async (_, url) => {
    const refused = await given.open({ registry: { url } }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'REGISTRY_ADDRESS' })
    expect(String(refused)).not.toContain('hush')
  })

  test('sends a password to other machines over https only', async () => {
    const auth = { username: 'u', password: 'p' }
    await expect(given.open({ registry: { url: 'http://registry:8081', auth } })).rejects.toMatchObject({
      code: 'REGISTRY_ADDRESS',
    })
  })
})

describe('a record that grows, FULL_TRANSITIVE', () => {
  interface Grown extends Note {
    readonly mood: string
  }
  const mood = { type: 'enum', name: 'Mood', symbols: ['UNKNOWN', 'GOOD'], default: 'UNKNOWN' } as const
  const grown: RecordSchema<Grown> = {
    name: 'test.Note',
    version: 2,
    definition: {
      ...definition,
      fields: [...definition.fields, { name: 'mood', type: mood, default: 'GOOD' }],
    },
  }

  test('is read by old programs and new ones, whoever wrote it, with the ids of the registry', async () => {
    const { serde: old, schemas: oldSchemas } = await given.open()
    const { schemas: newSchemas } = await given.open({ topics: [{ name: 'notes', schema: grown }] })
    const fresh = avroSerde(grown, newSchemas)
    expect(newSchemas.idOf('test.Note')).not.toBe(oldSchemas.idOf('test.Note'))
    const byOld = old.serialize({ id: 'o', stars: 1 })
    const byNew = fresh.serialize({ id: 'n', stars: 2, mood: 'UNKNOWN' })
    expect(await decode(old, byNew)).toEqual({ id: 'n', stars: 2 })
    expect(await decode(fresh, byOld)).toEqual({ id: 'o', stars: 1, mood: 'GOOD' })
    expect(await decode(fresh, byNew)).toEqual({ id: 'n', stars: 2, mood: 'UNKNOWN' })
    expect(() => old.serialize({ id: 7 } as never)).toThrow(SerializationError)
    // The old program starts again after the new one registered its schema: nothing has to be registered.
    const { schemas: again } = await given.open({ register: false })
    expect(again.idOf('test.Note')).toBe(oldSchemas.idOf('test.Note'))
  })
})

test.each(Object.keys(registryErrorTable))('the docs explain %s', (code) => {
  const docs = readFileSync(join(import.meta.dirname, '../../../docs/schemas.md'), 'utf8')
  expect(docs).toContain(`\`${code}\``)
})
