/**
 * ApiVersions v3: which requests a broker knows, and which features its cluster has switched on.
 *
 * It is the first request on a connection, so its response has a header without tag section: a client that does not
 * know the broker yet must be able to read it. For the same reason a broker that does not know v3 answers in v0.
 */
import { Reader } from './reader.ts'
import type { KafkaRequest, Throttled } from './request.ts'
import { Writer } from './writer.ts'

const API_KEY = 18
const API_VERSION = 3
const UNSUPPORTED_VERSION = 35

/** The client's name and version must match this, or the broker refuses the request. */
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export interface VersionRange {
  readonly min: number
  readonly max: number
}

export interface ApiVersionsAnswer extends Throttled {
  readonly errorCode: number
  /** By API key. */
  readonly apis: ReadonlyMap<number, VersionRange>
  /** What this broker could do, by the feature's name. */
  readonly supportedFeatures: ReadonlyMap<string, VersionRange>
  /** What the whole cluster does, by the feature's name; levels, e.g. `transaction.version` 2. */
  readonly finalizedFeatures: ReadonlyMap<string, VersionRange>
}

export function apiVersions(client: {
  readonly name: string
  readonly version: string
}): KafkaRequest<ApiVersionsAnswer> {
  for (const text of [client.name, client.version]) {
    if (!SOFTWARE_NAME.test(text)) throw new RangeError(`${text} is no name that a broker takes`)
  }
  return {
    apiKey: API_KEY,
    apiName: 'ApiVersions',
    apiVersion: API_VERSION,
    encode: () => new Writer().noTags().string(client.name).string(client.version).noTags().finish(),
    decode: readApiVersions,
  }
}

function readApiVersions(response: Buffer): ApiVersionsAnswer {
  const from = new Reader(response, 'ApiVersions')
  const errorCode = from.int16()
  if (errorCode === UNSUPPORTED_VERSION) return readOldest(from, errorCode)
  const apis = from.array(() => {
    const entry = [from.int16(), { min: from.int16(), max: from.int16() }] as const
    from.tags()
    return entry
  })
  const throttleMs = from.int32()
  let supported: [string, VersionRange][] = []
  let finalized: [string, VersionRange][] = []
  from.tags((tag) => {
    if (tag === 0) supported = readFeatures(from, 'min-first')
    if (tag === 2) finalized = readFeatures(from, 'max-first')
  })
  from.end()
  return {
    errorCode,
    throttleMs,
    apis: new Map(apis),
    supportedFeatures: new Map(supported),
    finalizedFeatures: new Map(finalized),
  }
}

function readFeatures(from: Reader, order: 'min-first' | 'max-first'): [string, VersionRange][] {
  return from.array(() => {
    const name = from.string()
    const first = from.int16()
    const second = from.int16()
    from.tags()
    return [name, order === 'min-first' ? { min: first, max: second } : { min: second, max: first }]
  })
}

function readOldest(from: Reader, errorCode: number): ApiVersionsAnswer {
  const apis = from.classicArray(() => [from.int16(), { min: from.int16(), max: from.int16() }] as const)
  from.end()
  return {
    errorCode,
    throttleMs: 0,
    apis: new Map(apis),
    supportedFeatures: new Map(),
    finalizedFeatures: new Map(),
  }
}
