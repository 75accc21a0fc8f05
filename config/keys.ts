/** The keys of the schema, one by one. */
import type { TSchema } from 'typebox'
import { configSchema } from './schema.ts'

/** One thing that can be set. */
export interface ConfigKey {
  /** For example `http.port`. */
  readonly path: string
  /** Environment variable; a secret also takes `<env>_FILE`. */
  readonly env: string
  readonly description: string
  /** Absent: there is none. */
  readonly default: unknown
  readonly secret: boolean
  /** A path in the file system. */
  readonly filePath: boolean
  /** An array that a variable or flag may also give as words with commas. */
  readonly list: boolean
  /** What is allowed, for people. */
  readonly expected: string
  readonly schema: TSchema
}

interface Annotated {
  readonly type?: string
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly env?: string
  readonly description?: string
  readonly default?: unknown
  readonly secret?: boolean
  readonly path?: boolean
  readonly list?: boolean
  readonly expected?: string
  readonly enum?: readonly string[]
  readonly anyOf?: readonly TSchema[]
  readonly const?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

/** Every key, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = Object.freeze([...keysOf(configSchema, '')])

function* keysOf(schema: TSchema, path: string): Generator<ConfigKey> {
  for (const [name, child] of Object.entries((schema as Annotated).properties ?? {})) {
    const { env, description, secret, path: filePath, list, default: value } = child as Annotated
    const childPath = path === '' ? name : `${path}.${name}`
    if (env === undefined) {
      yield* keysOf(child, childPath)
      continue
    }
    yield Object.freeze({
      path: childPath,
      env,
      description: description ?? '',
      default: value,
      secret: secret === true,
      filePath: filePath === true,
      list: list === true,
      expected: expectation(child),
      schema: child,
    })
  }
}

/** What a schema allows, in words. */
export function expectation(schema: TSchema): string {
  const annotated = schema as Annotated
  if (annotated.expected !== undefined) return annotated.expected
  if (annotated.enum !== undefined) return `one of ${annotated.enum.join(', ')}`
  if (annotated.const !== undefined) return `'${annotated.const}'`
  if (annotated.anyOf !== undefined) return annotated.anyOf.map(expectation).join(' or ')
  const { minimum, maximum, minLength, maxLength, pattern } = annotated
  switch (annotated.type) {
    case 'integer':
      return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
        ? `an integer of at least ${minimum}`
        : `an integer from ${minimum} to ${maximum}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a JSON array'
    case 'object':
      return 'a JSON object'
    default:
      if (pattern !== undefined) return `text that matches ${pattern}`
      return maxLength === undefined
        ? 'text that is not empty'
        : `text of ${minLength} to ${maxLength} characters`
  }
}
