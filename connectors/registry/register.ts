/** Puts a schema under its subject, with the registry library that Kafka clients for Node share. */
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { RegistryClient } from './client.ts'
import { refusal } from './client.ts'
import { RegistryError } from './errors.ts'
import type { Subject } from './subjects.ts'

/** What keeps old programs reading new records and new ones old records, in whatever order they are rolled out. */
export const LEVEL = COMPATIBILITY.FULL_TRANSITIVE

/**
 * Registers a schema under the level `FULL_TRANSITIVE`; answers its id. Idempotent.
 * Throws `SCHEMA_INCOMPATIBLE`, `SCHEMA_REJECTED`, `REGISTRY_DENIED`, `REGISTRY_UNAVAILABLE`.
 */
export async function registerSchema(client: RegistryClient, subject: Subject): Promise<number> {
  // Before the schema, so that the registry compares it under this level and not under the one that it has for all.
  if ((await client.level(subject.name)) !== LEVEL) await client.setLevel(subject.name, LEVEL)
  try {
    return await client.within((signal) => post(client, subject, signal))
  } catch (error) {
    throw translate(error, subject.name)
  }
}

async function post({ address }: RegistryClient, subject: Subject, signal: AbortSignal): Promise<number> {
  // One for each call: it keeps every schema that it has seen.
  const registry = new SchemaRegistry({
    host: address.url,
    retry: { retries: 0 },
    middlewares: [() => ({ request: (request) => request.enhance({ signal }) })],
    ...(address.auth && { auth: address.auth }),
  })
  const schema = { type: SchemaType.AVRO, schema: subject.text } as const
  const { id } = await registry.register(schema, { subject: subject.name, compatibility: LEVEL })
  return id
}

/** The library gives every failure a status, also those that never had an answer: those say 400. */
function translate(error: unknown, subject: string): RegistryError {
  if (error instanceof Error && 'status' in error && error.status !== 400)
    return refusal(Number(error.status), subject, error.message)
  return new RegistryError('REGISTRY_UNAVAILABLE', `registering ${subject}`, { cause: error })
}
