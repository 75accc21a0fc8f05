/** What the coverage-guided fuzzer runs: everything of ours that reads bytes or text from outside, as plain functions. */
import { isDeepStrictEqual } from 'node:util'
import { isApiErrorCode } from '../../api/errors.ts'
import { Cursors } from '../../api/cursor.ts'
import { ApiError } from '../../api/index.ts'
import { defaultLimits } from '../../api/limits.ts'
import { PeerAddresses } from '../../api/peer-address.ts'
import { PeerProof } from '../../api/peer-proof.ts'
import { parseTicket, parseWait } from '../../api/ticket.ts'
import {
  DeserializationError,
  deserializationErrors,
  fromJson,
  JsonValueError,
  toJson,
  topics,
  type Topic,
} from '../../schemas/index.ts'
import { crc32c } from '../../transports/kafka/batches/crc32c.ts'
import { decodeBatches } from '../../transports/kafka/batches/decode.ts'
import { encodeBatch } from '../../transports/kafka/batches/encode.ts'
import {
  ATTRIBUTES_AT,
  CRC_AT,
  LENGTH_AT,
  LENGTH_FROM,
  RECORDS_AT,
} from '../../transports/kafka/batches/layout.ts'
import { avroTargets } from './avro-targets.ts'
import type { Target } from './guided.ts'

const MAX_INFLATED_BYTES = 1024 * 1024
const catalogue = Object.values(topics) as readonly Topic<unknown>[]

/** The first byte says which schema. */
function avro(): Target {
  const schemas = avroTargets()
  return {
    name: 'avro',
    covers: /\/(schemas|avsc)\//,
    seeds: schemas.flatMap(({ messages }, i) =>
      messages.map((message) => Buffer.concat([Buffer.of(i), message])),
    ),
    run(input) {
      const { serde } = schemas[(input[0] ?? 0) % schemas.length] as (typeof schemas)[number]
      let value: unknown
      try {
        value = serde.deserialize(input.subarray(1))
      } catch (error) {
        const known = error instanceof DeserializationError && error.code in deserializationErrors
        if (known && error.code !== 'undecodable') return
        throw error
      }
      const again = serde.deserialize(serde.serialize(value))
      if (!isDeepStrictEqual(again, value)) throw new Error('what was decoded is not what it is written as')
    },
  }
}

/** Checksum and length are mended: what lies behind them is what is looked for. */
function batches(): Target {
  const stamp = { producerId: 7n, producerEpoch: 0, baseSequence: 0, transactional: false }
  const records = Array.from({ length: 3 }, (_, i) => ({
    key: Buffer.from(`key ${i}`),
    value: Buffer.from(`a value, a value, a value ${i}`),
    timestamp: 1_700_000_000_000 + i,
    headers: [[`h${i}`, Buffer.from('x')] as const],
  }))
  const codecs = [undefined, 'gzip', 'snappy', 'lz4', 'zstd'] as const
  return {
    name: 'batches',
    covers: /\/transports\/kafka\/batches\//,
    seeds: codecs.map((compression) => encodeBatch(records, { ...stamp, compression })),
    run(input) {
      const bytes = Buffer.from(input)
      if (bytes.length >= RECORDS_AT) {
        bytes.writeInt32BE(bytes.length - LENGTH_FROM, LENGTH_AT)
        bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT), CRC_AT)
      }
      const { records: decoded } = decodeBatches(bytes, {
        fetchOffset: 0,
        readCommitted: true,
        abortedTransactions: [],
        maxInflatedBytes: MAX_INFLATED_BYTES,
      })
      let size = 0
      for (const { key, value } of decoded) size += (key?.length ?? 0) + (value?.length ?? 0)
      if (size > MAX_INFLATED_BYTES + bytes.length) throw new Error(`${size} bytes came out`)
    },
  }
}

/** The first byte says which record. */
function json(): Target {
  return {
    name: 'json',
    covers: /\/schemas\//,
    seeds: avroTargets().flatMap(({ serde, messages }, i) => {
      const { schema } = catalogue[i] ?? {}
      if (schema === undefined) return []
      return messages.slice(0, 3).map((message) => {
        const text = JSON.stringify(toJson(schema, serde.deserialize(message)))
        return Buffer.concat([Buffer.of(i), Buffer.from(text)])
      })
    }),
    run(input) {
      const { schema, value: serde } = catalogue[(input[0] ?? 0) % catalogue.length] as Topic<unknown>
      let parsed: unknown
      try {
        parsed = JSON.parse(input.subarray(1).toString())
      } catch {
        return
      }
      let record: unknown
      try {
        record = fromJson(schema, parsed)
      } catch (error) {
        if (error instanceof JsonValueError && error.problems.length > 0) return
        throw error
      }
      // What was taken can be written, and says the same when it is read.
      const again = serde.deserialize(serde.serialize(record))
      if (!isDeepStrictEqual(toJson(schema, again), toJson(schema, record)))
        throw new Error('what was taken is not what it is written as')
    },
  }
}

/** Texts of requests: cursors, tickets, waits, addresses and proofs of peers; the first byte says which. */
function texts(): Target {
  const cursors = new Cursors(Buffer.alloc(16, 7))
  const proof = new PeerProof('a secret that is long enough')
  const peers = new PeerAddresses(['10.0.0.1', '::1', 'shop.example'])
  const request = { to: 'http://10.0.0.1:80', method: 'GET', path: '/x', headers: {} }
  const { header } = proof.ofRequest(
    request,
    Buffer.alloc(0),
    { name: 'n', role: 'read', topics: undefined },
    0,
  )
  const readers: readonly ((text: string) => void)[] = [
    (text) => {
      cursors.open(['list'], text)
    },
    (text) => {
      const place = parseTicket(text)
      if (place !== undefined && !Number.isSafeInteger(place.offset)) throw new Error('no offset')
    },
    (text) => {
      const ms = parseWait(text, defaultLimits, undefined)
      if (!(ms >= 0 && ms <= defaultLimits.waitMs)) throw new Error(`a wait of ${ms} ms`)
    },
    (text) => {
      const origin = peers.allowed(text)
      if (origin !== undefined && !/^https?:\/\/(10\.0\.0\.1|\[::1\]|shop\.example)(:\d+)?$/.test(origin))
        throw new Error(`${origin} is allowed`)
    },
    (text) => {
      const hop = proof.readRequest(text, request, 0)
      if (hop !== undefined && text !== header) throw new Error('a forged proof is taken')
    },
  ]
  const seeds = [cursors.seal(['list'], 'after'), '3.41', '10s', 'http://10.0.0.1:8080', header]
  return {
    name: 'texts',
    covers: /\/api\//,
    seeds: seeds.map((text, i) => Buffer.concat([Buffer.of(i), Buffer.from(text)])),
    run(input) {
      try {
        readers[(input[0] ?? 0) % readers.length]?.(input.subarray(1).toString('latin1'))
      } catch (error) {
        if (!(error instanceof ApiError && isApiErrorCode(error.code) && error.status < 500)) throw error
      }
    },
  }
}

export const guidedTargets = { avro, batches, json, texts }
