/** Configs of topics and brokers: DescribeConfigs v4, IncrementalAlterConfigs v1. */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'

const RESOURCE_CODES = { topic: 2, broker: 4 } as const
const OPERATION_CODES = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** The source of a value that was set for this very topic, or for this very broker. */
const TOPIC_SOURCE = 1
const BROKER_SOURCE = 2

export interface ConfigResource {
  readonly type: keyof typeof RESOURCE_CODES
  /** A topic's name, or a broker's node id in digits. */
  readonly name: string
}

export interface ConfigQuestion extends ConfigResource {
  /** Null: all. */
  readonly keys: readonly string[] | null
}

export interface ConfigEntry {
  readonly name: string
  /** Null when it is a secret. */
  readonly value: string | null
  readonly readOnly: boolean
  readonly sensitive: boolean
  /** Nobody set it for this resource: it comes from the broker's configuration or from Kafka itself. */
  readonly inherited: boolean
}

export interface DescribedConfigs {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly name: string
  readonly configs: readonly ConfigEntry[]
}

export interface DescribeConfigsAnswer extends Throttled {
  readonly resources: readonly DescribedConfigs[]
}

export function describeConfigs(resources: readonly ConfigQuestion[]): KafkaRequest<DescribeConfigsAnswer> {
  return flexible({
    apiKey: 32,
    apiName: 'DescribeConfigs',
    apiVersion: 4,
    write(into) {
      into.array(resources, ({ type, name, keys }) => {
        into.int8(RESOURCE_CODES[type]).string(name)
        into.nullableArray(keys, (key) => into.string(key)).noTags()
      })
      into.boolean(false).boolean(false) // neither synonyms nor documentation
    },
    read: (from) => ({ throttleMs: from.int32(), resources: from.array(() => readResource(from)) }),
  })
}

function readResource(from: Reader): DescribedConfigs {
  const errorCode = from.int16()
  const errorMessage = from.nullableString()
  const ownSource = from.int8() === RESOURCE_CODES.topic ? TOPIC_SOURCE : BROKER_SOURCE
  const name = from.string()
  const configs = from.array(() => readEntry(from, ownSource))
  from.tags()
  return { errorCode, errorMessage, name, configs }
}

function readEntry(from: Reader, ownSource: number): ConfigEntry {
  const name = from.string()
  const value = from.nullableString()
  const readOnly = from.boolean()
  const inherited = from.int8() !== ownSource
  const sensitive = from.boolean()
  from.array(() => passSynonym(from))
  from.int8()
  from.nullableString()
  from.tags()
  return { name, value, readOnly, sensitive, inherited }
}

function passSynonym(from: Reader): void {
  from.string()
  from.nullableString()
  from.int8()
  from.tags()
}

export interface ConfigChange {
  readonly name: string
  /** `append` and `subtract`: for lists. */
  readonly operation: keyof typeof OPERATION_CODES
  /** Null for `delete`. */
  readonly value: string | null
}

export interface ResourceChange extends ConfigResource {
  readonly changes: readonly ConfigChange[]
}

export interface AlteredConfigs {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly name: string
}

export interface AlterConfigsAnswer extends Throttled {
  readonly resources: readonly AlteredConfigs[]
}

/** `validateOnly`: only say what would happen. */
export function incrementalAlterConfigs(
  resources: readonly ResourceChange[],
  validateOnly: boolean,
): KafkaRequest<AlterConfigsAnswer> {
  return flexible({
    apiKey: 44,
    apiName: 'IncrementalAlterConfigs',
    apiVersion: 1,
    write(into) {
      into.array(resources, ({ type, name, changes }) => {
        into.int8(RESOURCE_CODES[type]).string(name)
        into.array(changes, (change) =>
          into
            .string(change.name)
            .int8(OPERATION_CODES[change.operation])
            .nullableString(change.value)
            .noTags(),
        )
        into.noTags()
      })
      into.boolean(validateOnly)
    },
    read: (from) => ({
      throttleMs: from.int32(),
      resources: from.array(() => {
        const errorCode = from.int16()
        const errorMessage = from.nullableString()
        from.int8()
        const name = from.string()
        from.tags()
        return { errorCode, errorMessage, name }
      }),
    }),
  })
}
