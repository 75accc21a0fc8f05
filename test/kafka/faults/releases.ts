/**
 * Two releases of the program, as those see them who exchange records with it: in the later one, requests and issued
 * coupons have a field more. Both take their schemas from a registry, under subjects of one run alone.
 */
import { shopTopologies } from '../../../cli/pipeline/topologies.ts'
import { loadConfig } from '../../../config/index.ts'
import { openRegistrySchemas, type RegistrySchemas } from '../../../connectors/index.ts'
import {
  type AvroRecord,
  avroSerde,
  createTopics,
  type RecordSchema,
  type SchemaSource,
  type Topic,
  topics as catalogue,
  type Topics,
} from '../../../schemas/index.ts'
import type { AnyTopic, Topology } from '../../../streams/index.ts'

export type ReleaseName = 'old' | 'new'

/** Of the field that the later release adds: what it writes, and what it reads where the earlier one wrote. */
export const CHANNEL = { written: 'app', default: 'unknown' } as const

export interface ReleaseOptions {
  readonly name: ReleaseName
  readonly registryUrl: string
  /** What the subjects' names begin with. */
  readonly subjects: string
}

export interface Release {
  readonly schemas: RegistrySchemas
  /** The pipelines of coupons, as this release runs them. */
  readonly topologies: readonly Topology[]
  /** A topic of the catalogue, or of a pipeline's own. */
  readonly topicNamed: (name: string) => AnyTopic
}

/** Registers what the release writes. */
export async function openRelease({ name, registryUrl, subjects }: ReleaseOptions): Promise<Release> {
  const schemaOf = (topic: Topic<unknown>) => (name === 'new' ? grown(topic.schema) : topic.schema)
  const written = Object.values(catalogue)
    .filter((topic) => topic.name.startsWith('coupon.'))
    .map((topic) => ({ name: `${subjects}.${topic.name}`, schema: schemaOf(topic as Topic<unknown>) }))
  const schemas = await openRegistrySchemas({
    registry: { url: registryUrl },
    topics: written,
    register: true,
  })
  const topics = name === 'new' ? grownTopics(schemas) : createTopics(schemas)
  const flags = { topologies: { text: 'coupon-issuance,coupon-wallet', flag: 'releases' } }
  const { here } = shopTopologies(loadConfig({ env: {}, cwd: '/', flags }).config, topics)
  const all: readonly AnyTopic[] = [
    ...Object.values(topics),
    ...here.flatMap(({ internalTopics }) => internalTopics),
  ]
  return {
    schemas,
    topologies: here,
    topicNamed: (wanted) => {
      const topic = all.find((each) => each.name === wanted)
      if (topic === undefined) throw new RangeError(`no topic ${wanted}`)
      return topic
    },
  }
}

function grownTopics(schemas: SchemaSource): Topics {
  const topics = createTopics(schemas)
  const couponIssueRequested = grownTopic(topics.couponIssueRequested, schemas)
  return { ...topics, couponIssueRequested, couponIssued: grownTopic(topics.couponIssued, schemas) }
}

/** The program knows the field: it writes it into what it makes, and keeps what it read. */
function grownTopic<V extends object>(topic: Topic<V>, schemas: SchemaSource): Topic<V> {
  const schema = grown(topic.schema)
  const serde = avroSerde(schema, schemas)
  return {
    ...topic,
    schema,
    value: {
      serialize: (value) => serde.serialize({ channel: CHANNEL.written, ...value }),
      deserialize: (bytes) => serde.deserialize(bytes),
    },
  }
}

const GROWS: ReadonlySet<string> = new Set([
  catalogue.couponIssueRequested.schema.name,
  catalogue.couponIssued.schema.name,
])

function grown<V>(schema: RecordSchema<V>): RecordSchema<V> {
  if (!GROWS.has(schema.name)) return schema
  const channel = { name: 'channel', type: 'string', default: CHANNEL.default } as const
  const definition: AvroRecord = {
    ...schema.definition,
    fields: [...schema.definition.fields, channel],
  }
  return { ...schema, version: schema.version + 1, definition }
}
