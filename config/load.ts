/**
 * Defaults < configuration file < environment < flags → one frozen object, or every problem at once.
 *
 * Not its job: opening ports and directories; what only a running system can know is checked there.
 */
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { crossChecks, grantsOf, type TokenGrant } from './checks.ts'
import { ConfigError, type ConfigProblem } from './errors.ts'
import { type ConfigKey, configKeys, expectation } from './keys.ts'
import type { ConfigValues } from './schema.ts'
import { Secret } from './secret.ts'
import {
  CONFIG_FILE_ENV,
  containedPath,
  type Environment,
  fromDefaults,
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
} from './sources.ts'

type DeepReadonly<T> = T extends Secret
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T
type WithSecret<T, K extends keyof T> = Omit<T, K> & { [P in K]?: Secret }

type ProviderConfig<T> = DeepReadonly<
  Omit<T, 'token' | 'webhookSecrets'> & { token?: Secret; webhookSecrets?: Secret }
>

/** The options of a process. Paths are absolute, tokens are secrets, `unlimited` is `Infinity`. */
export type Config = DeepReadonly<
  Omit<
    ConfigValues,
    | 'auth'
    | 'topics'
    | 'ranking'
    | 'points'
    | 'payments'
    | 'deliveries'
    | 'deadLetters'
    | 'kafka'
    | 'registry'
    | 'peers'
    | 'privacy'
    | 'mail'
    | 'dataPlatform'
    | 'outbox'
  >
> & {
  readonly kafka: DeepReadonly<WithSecret<ConfigValues['kafka'], 'saslPassword'>>
  readonly registry: DeepReadonly<WithSecret<ConfigValues['registry'], 'password'>>
  readonly peers: DeepReadonly<WithSecret<ConfigValues['peers'], 'secret'>>
  readonly privacy: DeepReadonly<WithSecret<ConfigValues['privacy'], 'masterKeys'>>
  readonly mail: DeepReadonly<WithSecret<ConfigValues['mail'], 'password'>>
  readonly payments: ProviderConfig<ConfigValues['payments']>
  readonly deliveries: ProviderConfig<ConfigValues['deliveries']>
  readonly dataPlatform: DeepReadonly<WithSecret<ConfigValues['dataPlatform'], 'url'>>
  readonly outbox: DeepReadonly<Omit<WithSecret<ConfigValues['outbox'], 'url'>, 'keepMs'>> & {
    readonly keepMs: number
  }
  readonly auth: { readonly tokens: readonly TokenGrant[] }
  readonly topics: {
    readonly partitions: number
    readonly retentionMs: number
    readonly retentionBytes: number
    readonly overrides: Readonly<Record<string, TopicOverride>>
  }
  readonly ranking: {
    readonly closing: ConfigValues['ranking']['closing']
    readonly graceMs: number
    readonly retentionMs: number
  }
  readonly points: { readonly rateBp: number; readonly validForMs: number }
  readonly deadLetters: Omit<ConfigValues['deadLetters'], 'cooldownMs'> & { readonly cooldownMs: number }
}

export interface TopicOverride {
  readonly partitions?: number
  readonly retentionMs?: number
  readonly retentionBytes?: number
}

export interface ConfigInput {
  readonly env: Environment
  /** Relative paths are below it. */
  readonly cwd: string
  /** `--config`; else `MILLRACE_CONFIG`; else there is no file. */
  readonly file?: string | undefined
  /** Values of flags by key. */
  readonly flags?: Readonly<Record<string, { readonly text: string; readonly flag: string }>>
}

/** One key as it came out, fit to be shown. */
export interface ShownKey {
  readonly path: string
  /** `[redacted]` for a secret; nothing when it is not set. */
  readonly value: unknown
  readonly origin: string
}

export interface LoadedConfig {
  readonly config: Config
  readonly shown: readonly ShownKey[]
}

/** Throws a `ConfigError` that lists everything that is wrong. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const file = input.file ?? input.env[CONFIG_FILE_ENV]
  const sources = [
    fromDefaults(),
    ...(file === undefined ? [] : [fromFile(file)]),
    fromEnvironment(input.env, input.cwd),
    fromFlags(input.flags ?? {}),
  ]
  const problems = sources.flatMap((source) => source.problems)
  const given = new Map<string, Given>()
  for (const source of sources) for (const [path, one] of source.given) given.set(path, one)

  for (const key of configKeys) {
    const one = given.get(key.path)
    if (one === undefined) continue
    const faults = faultsOf(key, one)
    problems.push(...faults)
    if (faults.length === 0 && key.filePath) resolvePath(key, one)
  }
  if (problems.length > 0) throw new ConfigError(problems)

  const values = nested(given)
  const origin = (path: string): string => given.get(path)?.origin ?? 'default'
  const { grants, problems: badGrants } = grantsOf(values.auth, input.env, input.cwd, origin)
  problems.push(...badGrants, ...crossChecks(values, grants, origin))
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: deepFreeze(finish(values, grants)), shown: shownKeys(given) }

  function resolvePath(key: ConfigKey, { value, origin }: Given): void {
    try {
      const inside = (path: string): string => containedPath(path, input.cwd)
      const paths = key.list ? (value as readonly string[]).map(inside) : inside(value as string)
      given.set(key.path, { value: paths, origin })
    } catch (error) {
      problems.push({ key: key.path, origin, message: (error as Error).message })
    }
  }
}

function faultsOf(key: ConfigKey, { value, origin }: Given): ConfigProblem[] {
  if (Value.Check(key.schema, value)) return []
  const { type } = key.schema as { type?: string }
  const inside = Array.isArray(value) || (typeof value === 'object' && value !== null && type === 'object')
  if (!inside) {
    const shown = key.secret ? 'the value given' : JSON.stringify(value)
    return [{ key: key.path, origin, message: `${shown} is not ${key.expected}` }]
  }
  // Of an array or record, the parts that are wrong; a part within a part says it best.
  const errors = Value.Errors(key.schema, value)
  const leaves = errors.filter(
    ({ instancePath }) => !errors.some((other) => other.instancePath.startsWith(`${instancePath}/`)),
  )
  const faults = leaves.map(({ instancePath, schemaPath, message }) => {
    const part = schemaAt(key.schema, schemaPath)
    const known = message === 'schema is false' ? 'there is no such key' : undefined
    const wanted = part === undefined ? message : `must be ${expectation(part)}`
    return { key: key.path + dotted(instancePath), origin, message: known ?? wanted }
  })
  const unique = new Map(faults.map((fault) => [fault.key, fault]))
  return [...unique.values()]
}

/** The schema that an error's path points to, where it is one that `expectation` can word. */
function schemaAt(schema: TSchema, path: string): TSchema | undefined {
  let at: unknown = schema
  for (const step of path.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    // A choice is worded as a whole.
    if (name === 'anyOf') break
    at = (at as Record<string, unknown> | undefined)?.[name]
  }
  const found = at as { type?: string; anyOf?: unknown; required?: unknown } | undefined
  return found?.anyOf !== undefined || found?.type === 'integer' || found?.type === 'string'
    ? (found as TSchema)
    : undefined
}

function dotted(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((step) =>
      /^\d+$/.test(step) ? `[${step}]` : `.${step.replaceAll('~1', '/').replaceAll('~0', '~')}`,
    )
    .join('')
}

function nested(given: ReadonlyMap<string, Given>): ConfigValues {
  const root: Record<string, unknown> = { auth: {}, privacy: {} }
  for (const [path, { value }] of given) {
    const steps = path.split('.')
    const last = steps.pop() as string
    let at = root
    for (const step of steps) at = (at[step] ??= {}) as Record<string, unknown>
    at[last] = structuredClone(value)
  }
  return root as unknown as ConfigValues
}

function finish(values: ConfigValues, tokens: readonly TokenGrant[]): Config {
  const { auth: _, topics, ranking, points, deadLetters, ...others } = values
  const { payments, deliveries, kafka, registry, peers, privacy, mail, dataPlatform, outbox, ...rest } =
    others
  const overrides = Object.entries(topics.overrides).map(
    ([name, override]) => [name, endless(override)] as const,
  )
  return {
    ...rest,
    kafka: withSecret(kafka, 'saslPassword'),
    registry: withSecret(registry, 'password'),
    peers: withSecret(peers, 'secret'),
    privacy: withSecret(privacy, 'masterKeys'),
    mail: withSecret(mail, 'password'),
    payments: withSecret(withSecret(payments, 'token'), 'webhookSecrets'),
    deliveries: withSecret(withSecret(deliveries, 'token'), 'webhookSecrets'),
    dataPlatform: withSecret(dataPlatform, 'url'),
    outbox: withSecret(endless(outbox), 'url'),
    auth: { tokens },
    topics: { ...endless(topics), overrides: Object.fromEntries(overrides) },
    ranking: endless(ranking),
    points: endless(points),
    deadLetters: endless(deadLetters),
  }
}

/** The same with one value wrapped, so that it is not shown by accident. */
function withSecret<T extends object, K extends keyof T>(values: T, name: K): WithSecret<T, K> {
  const { [name]: text, ...rest } = values
  return typeof text === 'string'
    ? ({ ...rest, [name]: new Secret(text) } as unknown as WithSecret<T, K>)
    : (rest as unknown as WithSecret<T, K>)
}

type Endless<T> = { [K in keyof T]: Exclude<T[K], 'unlimited'> }

/** `unlimited` as the number it stands for. */
function endless<T extends object>(values: T): Endless<T> {
  const entries = Object.entries(values).map(([name, value]) => [
    name,
    value === 'unlimited' ? Number.POSITIVE_INFINITY : value,
  ])
  return Object.fromEntries(entries) as Endless<T>
}

function shownKeys(given: ReadonlyMap<string, Given>): ShownKey[] {
  return configKeys.flatMap(({ path, secret }) => {
    const one = given.get(path)
    if (one === undefined) return []
    return [{ path, value: secret ? '[redacted]' : one.value, origin: one.origin }]
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
