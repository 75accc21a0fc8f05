/** The subjects of a catalogue of topics, and the schemas that we write under them. */
import type { AvroRecord, AvroSchema, RecordSchema } from '../../schemas/index.ts'

/** The one name of a subject: topic name strategy, for values. Keys are strings without a schema. */
export function subjectOf(topic: string): string {
  return `${topic}-value`
}

export interface Subject {
  readonly name: string
  /** Full name of the record. */
  readonly record: string
  readonly definition: AvroRecord
  /** The schema as it is registered: one line of JSON without docs, so that another comment is no other schema. */
  readonly text: string
}

/** What there is to know of a topic. */
export interface WrittenTopic {
  readonly name: string
  readonly schema: RecordSchema<unknown>
}

/** One subject per topic. */
export function subjectsOf(topics: readonly WrittenTopic[]): readonly Subject[] {
  return topics.map(({ name, schema }) => ({
    name: subjectOf(name),
    record: schema.name,
    definition: schema.definition,
    text: JSON.stringify(withoutDocs(schema.definition)),
  }))
}

/** Defaults stay as they are: a map's default may have a key `doc`. */
function withoutDocs(schema: AvroSchema): AvroSchema {
  if (typeof schema === 'string') return schema
  if (!('type' in schema)) return schema.map(withoutDocs)
  switch (schema.type) {
    case 'record': {
      const { doc: _, ...rest } = schema
      const fields = schema.fields.map(({ doc: __, ...field }) => ({
        ...field,
        type: withoutDocs(field.type),
      }))
      return { ...rest, fields }
    }
    case 'enum': {
      const { doc: _, ...rest } = schema
      return rest
    }
    case 'array':
      return { ...schema, items: withoutDocs(schema.items) }
    case 'map':
      return { ...schema, values: withoutDocs(schema.values) }
    default:
      return schema
  }
}
