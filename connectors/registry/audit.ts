/** How the schemas of our topics stand in a registry, and putting them there; one report per subject. */
import type { RegistryClient } from './client.ts'
import { isRegistryError } from './errors.ts'
import { registerSchema } from './register.ts'
import type { Subject } from './subjects.ts'

/**
 * - `registered`: it is there, exactly.
 * - `added`: it has just been registered.
 * - `missing`: the subject has no schema at all.
 * - `compatible`: the subject has other schemas, and this one may follow.
 * - `incompatible`: the subject has other schemas, and this one may not follow.
 * - `rejected`: the registry takes it for invalid.
 */
export type SubjectState = 'registered' | 'added' | 'missing' | 'compatible' | 'incompatible' | 'rejected'

export interface SubjectReport {
  readonly subject: string
  readonly record: string
  readonly state: SubjectState
  readonly id: number | undefined
  /** The compatibility level of the subject; undefined: the registry's own. */
  readonly level: string | undefined
  /** Why not, in the registry's words; empty when there is nothing to say. */
  readonly reason: string
}

/** Compares and changes nothing. Throws `REGISTRY_UNAVAILABLE`, `REGISTRY_DENIED`. */
export function checkSubjects(
  client: RegistryClient,
  subjects: readonly Subject[],
): Promise<SubjectReport[]> {
  return Promise.all(subjects.map((subject) => check(client, subject)))
}

async function check(client: RegistryClient, { name, record, text }: Subject): Promise<SubjectReport> {
  const [id, level] = await Promise.all([client.find(name, text), client.level(name)])
  const report = { subject: name, record, id, level, reason: '' }
  if (id !== undefined) return { ...report, state: 'registered' }
  try {
    const verdict = await client.compatibility(name, text)
    if (verdict === undefined) return { ...report, state: 'missing' }
    return { ...report, state: verdict.compatible ? 'compatible' : 'incompatible', reason: verdict.reason }
  } catch (error) {
    if (!isRegistryError(error, 'SCHEMA_REJECTED')) throw error
    return { ...report, state: 'rejected', reason: error.detail }
  }
}

/**
 * Registers what is not registered, each subject under `FULL_TRANSITIVE`, one after the other; a schema that is refused
 * does not keep the others back. Throws `REGISTRY_UNAVAILABLE`, `REGISTRY_DENIED`.
 */
export async function registerSubjects(
  client: RegistryClient,
  subjects: readonly Subject[],
): Promise<SubjectReport[]> {
  const reports: SubjectReport[] = []
  for (const subject of subjects) reports.push(await register(client, subject))
  return reports
}

async function register(client: RegistryClient, subject: Subject): Promise<SubjectReport> {
  const { name, record, text } = subject
  const known = await client.find(name, text)
  const report = { subject: name, record, id: known, reason: '' }
  try {
    // Also where it is known: the level may not be set.
    const id = await registerSchema(client, subject)
    return {
      ...report,
      state: known === undefined ? 'added' : 'registered',
      id,
      level: await client.level(name),
    }
  } catch (error) {
    if (!isRegistryError(error)) throw error
    const state = refused[error.code as keyof typeof refused]
    if (state === undefined) throw error
    return { ...report, state, level: await client.level(name), reason: error.detail }
  }
}

const refused: Readonly<Record<'SCHEMA_INCOMPATIBLE' | 'SCHEMA_REJECTED', SubjectState>> = {
  SCHEMA_INCOMPATIBLE: 'incompatible',
  SCHEMA_REJECTED: 'rejected',
}
