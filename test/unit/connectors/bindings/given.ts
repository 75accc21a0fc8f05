/** Messages and profiles to test bindings with. */
import {
  compileProfile,
  loadProfile,
  type Mapped,
  mapMessage,
  nothingAround,
  type Profile,
  type Asking,
} from '../../../../connectors/index.ts'
import { topics } from '../../../../schemas/index.ts'

export const AT = Date.UTC(2026, 2, 2)

export interface Given {
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly value: unknown
  readonly offset?: number
}

export function messageOf({ key = null, headers = {}, value, offset = 0 }: Given, topic = 'theirs') {
  const pairs = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const)
  return { value, key, headers: pairs, topic, partition: 0, offset, timestamp: AT }
}

/** One binding `one` between `theirs` and one of ours. */
export function profileOf(
  binding: Partial<Profile['bindings'][number]>,
  changes: Partial<Profile> = {},
): Profile {
  const { direction = 'in', from = 'theirs', writes = [], ...rest } = binding
  return {
    shop: 'test',
    topics: { theirs: {} },
    bindings: [{ name: 'one', direction, from, writes, ...rest }],
    ...changes,
  }
}

/** Of the first binding. */
export async function mapped(
  profile: Profile,
  given: Given,
  around: Asking = nothingAround,
): Promise<Mapped> {
  const [binding] = compileProfile(profile, 'test.json', topics).bindings
  if (binding === undefined) throw new Error('no binding')
  return mapMessage(binding, messageOf(given, binding.from.name), around)
}

/** A profile that ships. */
export function shipped(name: string) {
  return loadProfile(`samples/shops/${name}.json`, topics)
}
