/** What the tests of the registry share: a registry in this process, the clock in hand, and a record of their own. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect } from 'vitest'
import {
  openRegistrySchemas,
  type RegistryError,
  type RegistrySchemas,
  type RegistrySchemasOptions,
} from '../../../connectors/index.ts'
import {
  type AvroRecord,
  avroSerde,
  DeserializationError,
  type RecordSchema,
  type Serde,
} from '../../../schemas/index.ts'
import { ManualClock } from '../../../testing/index.ts'
import { FakeRegistry, type Trouble } from './fake-registry.ts'

/** Milliseconds after which a call is given up. */
export const CALL_TIMEOUT_MS = 5_000

export interface Note {
  readonly id: string
  readonly stars: number
}
export const definition: AvroRecord = {
  type: 'record',
  name: 'Note',
  namespace: 'test',
  fields: [
    { name: 'id', type: 'string', doc: 'Who.' },
    { name: 'stars', type: 'long', default: 3 },
  ],
}
export const noteSchema: RecordSchema<Note> = { name: 'test.Note', version: 1, definition }
export const notes = { name: 'notes', schema: noteSchema }
/** What others write: our record without its stars. */
export const foreign: AvroRecord = { ...definition, fields: [{ name: 'id', type: 'string' }] }
/** As `foreign`. */
export const datum = Buffer.from('\x06abc')

export class Given {
  clock!: ManualClock
  registry!: FakeRegistry
  #opened: RegistrySchemas[] = []

  async begin(): Promise<void> {
    this.clock = new ManualClock(0)
    this.registry = await FakeRegistry.open()
  }

  async open(change: Partial<RegistrySchemasOptions> = {}) {
    const registry = { url: this.registry.url }
    const defaults = { registry, topics: [notes], register: true, clock: this.clock }
    const schemas = await openRegistrySchemas({ ...defaults, ...change })
    this.#opened.push(schemas)
    return { schemas, serde: avroSerde(noteSchema, schemas) }
  }

  async end(): Promise<void> {
    for (const schemas of this.#opened) await schemas.close()
    this.#opened = []
    await this.registry.close()
  }
}

/** A fresh registry for every test of a file. */
export function eachWithRegistry(): Given {
  const given = new Given()
  beforeEach(() => given.begin())
  afterEach(() => given.end())
  return given
}

/** Longer than a busy machine takes, and shorter than a test may. */
const POLL_LIMIT_MS = 4_500

/** What will hold some time soon. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { timeout: POLL_LIMIT_MS, interval: 10 })
}

/** What decoding throws. */
export function failure(serde: Serde<unknown>, bytes: Buffer): DeserializationError {
  try {
    serde.deserialize(bytes)
  } catch (error) {
    if (error instanceof DeserializationError) return error
    throw error
  }
  throw new Error('it was decoded')
}

/** Decodes as the engine does: waits for what has to be fetched. */
export async function decode<T>(serde: Serde<T>, bytes: Buffer): Promise<T> {
  for (;;) {
    try {
      return serde.deserialize(bytes)
    } catch (error) {
      if (!(error instanceof DeserializationError) || error.ready === undefined) throw error
      await error.ready
    }
  }
}

/** Collects what is reported; `next` ends with the next report. */
export function reports() {
  const seen: { code: string; retryInMs: number }[] = []
  let tell = (): void => {}
  return {
    seen,
    onUnavailable: (error: RegistryError, retryInMs: number): void => {
      seen.push({ code: error.code, retryInMs })
      tell()
    },
    next: () => new Promise<void>((resolve) => (tell = resolve)),
  }
}

/** Every call gets this answer. */
export function status(code: number, body = '{"error_code": 50001, "message": "no"}'): Trouble {
  return (_call, response) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(body)
    return true
  }
}

/** Nothing that is an answer. */
export function instead(act: (response: ServerResponse) => void): Trouble {
  return (_call, response) => {
    act(response)
    return true
  }
}
