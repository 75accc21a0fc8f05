/** The embedded log, and topics on either. */
import Type from 'typebox'
import { DAY_MS, MEBIBYTE, bytes, limitOrNone, namePattern, section } from './kinds.ts'

const topicOverride = Type.Object(
  {
    partitions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
    retentionMs: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('unlimited')])),
    retentionBytes: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('unlimited')])),
  },
  section,
)

export const log = Type.Object(
  {
    maxDiskBytes: bytes(
      'MILLRACE_MAX_DISK_BYTES',
      20 * 1024 * MEBIBYTE,
      'Size of the data directory beyond which writes get 503; what is accepted is still processed.',
      16 * MEBIBYTE,
    ),
    maxRecordBytes: bytes('MILLRACE_MAX_RECORD_BYTES', MEBIBYTE, 'Size of one record.'),
    maxWaitingBytes: bytes(
      'MILLRACE_MAX_WAITING_BYTES',
      32 * MEBIBYTE,
      'Bytes of writes that wait for the disk; beyond, they get 503.',
    ),
    maxWaitingRecords: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
      env: 'MILLRACE_MAX_WAITING_RECORDS',
      description: 'The same in records.',
    }),
    writeBufferBytes: bytes(
      'MILLRACE_WRITE_BUFFER_BYTES',
      8 * MEBIBYTE,
      "LevelDB's write buffer; up to two are held.",
      65_536,
    ),
    blockCacheBytes: bytes(
      'MILLRACE_BLOCK_CACHE_BYTES',
      16 * MEBIBYTE,
      "LevelDB's blocks in memory.",
      65_536,
    ),
    tailCacheBytes: bytes(
      'MILLRACE_TAIL_CACHE_BYTES',
      16 * MEBIBYTE,
      'Newest records of all partitions in memory.',
    ),
  },
  section,
)

export const topics = Type.Object(
  {
    partitions: Type.Integer({
      minimum: 1,
      maximum: 1024,
      default: 6,
      env: 'MILLRACE_PARTITIONS',
      description: 'Partitions of every topic. They stay as they were when the topic was made.',
    }),
    retentionMs: limitOrNone(
      'MILLRACE_RETENTION_MS',
      7 * DAY_MS,
      'Records older than this may go once every task has processed them; or `unlimited`.',
    ),
    retentionBytes: limitOrNone(
      'MILLRACE_RETENTION_BYTES',
      'unlimited',
      'Bytes of a partition beyond which its oldest records may go; or `unlimited`.',
    ),
    overrides: Type.Record(Type.String({ pattern: namePattern }), topicOverride, {
      // What is no name is no key: without this, whatever stands under it would not be looked at.
      additionalProperties: false,
      default: {},
      env: 'MILLRACE_TOPIC_OVERRIDES',
      description: 'Per topic: `{partitions, retentionMs, retentionBytes}` in place of the above.',
    }),
  },
  section,
)
