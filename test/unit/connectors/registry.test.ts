/** A registry's schemas as the codec sees them, with a registry that misbehaves in every way. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import {
  type AvroRecord,
  avroSerde,
  type AvroSchema,
  DeserializationError,
  frame,
} from '../../../schemas/index.ts'
import type { Trouble } from './fake-registry.ts'
import {
  CALL_TIMEOUT_MS,
  datum,
  decode,
  definition,
  eachWithRegistry,
  eventually,
  failure,
  foreign,
  instead,
  noteSchema,
  reports,
  status,
} from './registry-given.ts'

const given = eachWithRegistry()

describe('an id that is not known yet', () => {
  test('is fetched once, for however many messages, and then for ever', async () => {
    const { schemas } = await given.open()
    const id = given.registry.add(foreign)
    const serdes = Array.from({ length: 20 }, () => avroSerde(noteSchema, schemas))
    const values = await Promise.all(serdes.map((serde) => decode(serde, frame(id, datum))))
    expect(values).toEqual(serdes.map(() => ({ id: 'abc', stars: 3 })))
    given.clock.advance(3_600_000)
    await decode(avroSerde(noteSchema, schemas), frame(id, datum))
    expect(given.registry.lookups).toEqual([`GET /schemas/ids/${id}`])
  })

  test('says so in an error that can be waited for and is no poison', async () => {
    const { serde } = await given.open()
    const error = failure(serde, frame(given.registry.add(foreign), datum))
    expect(error).toMatchObject({ code: 'schema-not-loaded', retriable: true })
    await error.ready
    expect(serde.deserialize(frame(error.schemaId!, datum))).toEqual({ id: 'abc', stars: 3 })
  })

  test('is not asked for with bytes that have no header', async () => {
    const { serde } = await given.open()
    for (const bytes of ['', '00', '00000001', '0100000001', '00ffffffff06616263']) {
      expect(failure(serde, Buffer.from(bytes, 'hex'))).toMatchObject({ retriable: false, ready: undefined })
    }
    expect(given.registry.lookups).toEqual([])
  })

  test('is forgotten when a thousand others came after it', async () => {
    const { schemas, serde } = await given.open()
    const ids = Array.from({ length: 1_001 }, () => given.registry.add(foreign))
    for (const id of ids) await schemas.load(id)
    expect(schemas.byId(ids[0]!)).toBeUndefined()
    expect(schemas.byId(ids[1]!)).toEqual(foreign)
    expect(schemas.byId(schemas.idOf('test.Note')!)).toEqual(definition)
    expect(await decode(serde, frame(ids[0]!, datum))).toEqual({ id: 'abc', stars: 3 })
  })
})

describe('an id that does not exist', () => {
  test('is poison after one call, for thirty seconds', async () => {
    const { serde } = await given.open()
    for (let i = 0; i < 1_000; i++) {
      await expect(decode(serde, frame(7, datum))).rejects.toMatchObject({
        code: 'unknown-schema',
        retriable: false,
      })
    }
    given.clock.advance(29_999)
    expect(failure(serde, frame(7, datum)).code).toBe('unknown-schema')
    expect(given.registry.lookups).toHaveLength(1)
    given.clock.advance(1)
    expect(failure(serde, frame(7, datum)).code).toBe('schema-not-loaded')
  })

  test('is read once it is registered and the thirty seconds are over', async () => {
    const { serde } = await given.open()
    await expect(decode(serde, frame(7, datum))).rejects.toMatchObject({ code: 'unknown-schema' })
    given.registry.add(foreign, 7)
    given.clock.advance(30_000)
    expect(await decode(serde, frame(7, datum))).toEqual({ id: 'abc', stars: 3 })
    expect(given.registry.lookups).toHaveLength(2)
  })
})

describe('a registry without an answer is never taken for one that knows no such schema', () => {
  const drip = (response: ServerResponse): void => {
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  }
  const rows: readonly [what: string, trouble: Trouble, how?: 'REGISTRY_DENIED' | 'too late'][] = [
    ['500', status(500)],
    ['503 of a proxy', status(503, '<html>')],
    ['429', status(429)],
    ['302', status(302)],
    ['401', status(401), 'REGISTRY_DENIED'],
    ['404 of a proxy', status(404, '<html>not here</html>')],
    ['404 of another service', status(404, '{"error_code": 404, "message": "HTTP 404 Not Found"}')],
    ['400', status(400)],
    ['200 without JSON', status(200, '<html>')],
    ['200 without a schema', status(200, '{"id": 7}')],
    ['no word at all', instead(() => {}), 'too late'],
    ['headers and no body', instead((response) => response.writeHead(200).flushHeaders()), 'too late'],
    ['a byte now and then', instead(drip), 'too late'],
    [
      'half an answer',
      instead((response) => void response.writeHead(200, { 'content-length': 9 }).write('{')),
      'too late',
    ],
    ['a broken connection', instead((response) => void response.destroy())],
  ]
  test.each(rows)('%s', async (_what, trouble, how) => {
    const { seen, onUnavailable, next } = reports()
    const { schemas, serde } = await given.open({ onUnavailable })
    const id = given.registry.add(foreign)
    given.registry.trouble = trouble
    const decoded = decode(serde, frame(id, datum))
    if (how === 'too late') {
      await eventually(() => given.registry.lookups.length).toBe(1)
      given.clock.advance(CALL_TIMEOUT_MS)
    }
    await next()
    const code = how === 'REGISTRY_DENIED' ? how : 'REGISTRY_UNAVAILABLE'
    expect(seen).toEqual([{ code, retryInMs: 500 }])
    expect(schemas.byId(id)).toBeUndefined()
    for (let i = 0; i < 1_000; i++) expect(failure(serde, frame(id, datum)).code).toBe('schema-not-loaded')
    expect(given.registry.lookups).toHaveLength(1)
    given.registry.trouble = () => false
    given.clock.advance(500)
    expect(await decoded).toEqual({ id: 'abc', stars: 3 })
    expect(given.registry.lookups).toHaveLength(2)
  })

  test('is left alone by all who wait, for longer each time', async () => {
    const { seen, onUnavailable } = reports()
    const { serde } = await given.open({ onUnavailable })
    const ids = Array.from({ length: 5 }, () => given.registry.add(foreign))
    given.registry.trouble = status(500)
    const decoded = Promise.all(ids.map((id) => decode(serde, frame(id, datum))))
    for (let round = 1; round <= 6; round++) {
      await eventually(() => seen.length).toBe(round * ids.length)
      expect(given.registry.lookups).toHaveLength(round * ids.length)
      if (round === 6) given.registry.trouble = () => false
      given.clock.advance(29_000)
    }
    await decoded
    expect(seen.map(({ retryInMs }) => retryInMs)).toEqual(
      [500, 1_000, 2_000, 4_000, 8_000, 16_000].flatMap((waitMs) => ids.map(() => waitMs)),
    )
  })

  test('does not keep anyone waiting who closes', async () => {
    const { onUnavailable, next } = reports()
    const { schemas } = await given.open({ onUnavailable })
    given.registry.trouble = status(500)
    const load = schemas.load(7)
    await next()
    await schemas.close()
    await load
    await schemas.close()
  })

  test('a call under way ends with closing', async () => {
    const { seen, onUnavailable } = reports()
    const { schemas } = await given.open({ onUnavailable })
    given.registry.trouble = instead(() => {})
    const load = schemas.load(7)
    await eventually(() => given.registry.lookups.length).toBe(1)
    await schemas.close()
    await load
    expect(seen).toEqual([])
  })
})

describe('a schema that is refused', () => {
  const deep = (levels: number): AvroSchema =>
    levels === 0 ? 'int' : { type: 'array', items: deep(levels - 1) }
  const field = (name: string, type: AvroSchema): AvroRecord => ({ ...foreign, fields: [{ name, type }] })
  const rows: readonly [what: string, answer: object | AvroRecord][] = [
    ['of another kind', { schema: '{}', schemaType: 'PROTOBUF' }],
    [
      'with references',
      { schema: JSON.stringify(foreign), references: [{ name: 'a', subject: 'b', version: 1 }] },
    ],
    ['that is no JSON', { schema: '{"type": ' }],
    ['that is no Avro', { schema: '{"type": "rec"}' }],
    ['of another record', { schema: '"string"' }],
    ['with a field __proto__', { schema: JSON.stringify(field('__proto__', 'int')) }],
    ['with code for a name', { schema: JSON.stringify(field('a(){}; process.exit()//', 'int')) }],
    ['that is too deep', { schema: JSON.stringify(field('a', deep(100))) }],
    ['of 300 KiB', { schema: JSON.stringify({ ...foreign, doc: 'x'.repeat(300 * 1024) }) }],
    ['of 30 MiB', { schema: 'x'.repeat(30 * 1024 * 1024) }],
    [
      'of too many types',
      {
        schema: JSON.stringify({
          ...foreign,
          fields: Array.from({ length: 10_001 }, (_, i) => ({ name: `f${i}`, type: 'int' })),
        }),
      },
    ],
  ]
  test.each(rows)('%s is poison after one call', async (_what, answer) => {
    const { schemas, serde } = await given.open()
    given.registry.answer(7, answer)
    for (let i = 0; i < 100; i++) {
      await expect(decode(serde, frame(7, datum))).rejects.toMatchObject({
        code: 'incompatible-schema',
        retriable: false,
        cause: expect.any(Error) as Error,
      })
    }
    await expect(decode(avroSerde(noteSchema, schemas), frame(7, datum))).rejects.toThrow(
      DeserializationError,
    )
    expect(given.registry.lookups).toHaveLength(1)
  })
})
