/** Reads the places that values come from; answers what each says, not whether it makes sense. */
import { readFileSync } from 'node:fs'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { ConfigProblem } from './errors.ts'
import { type ConfigKey, configKeys } from './keys.ts'
import { nearest } from './nearest.ts'

/** One value and where it came from. */
export interface Given {
  readonly value: unknown
  readonly origin: string
}

/** What one place said: values by path of the key, and what was wrong with the rest. */
export interface Source {
  readonly given: ReadonlyMap<string, Given>
  readonly problems: readonly ConfigProblem[]
}

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'MILLRACE_'
/** Names the configuration file itself, so it is no key of it. */
export const CONFIG_FILE_ENV = 'MILLRACE_CONFIG'
/** Variables that are read before there is a configuration, or without one. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([CONFIG_FILE_ENV, 'MILLRACE_CACHE'])
const FILE_SUFFIX = '_FILE'
const MAX_SECRET_FILE_BYTES = 65_536

export function fromDefaults(): Source {
  const given = new Map<string, Given>()
  for (const key of configKeys) {
    if (key.default !== undefined) given.set(key.path, { value: key.default, origin: 'default' })
  }
  return { given, problems: [] }
}

/** A JSON file. Secrets are refused in it: they come from the environment or from files of their own. */
export function fromFile(file: string): Source {
  const given = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const message = error instanceof SyntaxError ? `is not JSON: ${error.message}` : messageOf(error)
    return { given, problems: [{ key: 'config file', origin: file, message }] }
  }
  walk(content, '')
  return { given, problems }

  function walk(value: unknown, path: string): void {
    const key = configKeys.find((candidate) => candidate.path === path)
    if (key?.secret === true) problems.push({ key: path, origin: file, message: secretAdvice(key) })
    else if (key !== undefined) given.set(path, { value, origin: file })
    else if (path !== '' && !isSection(path)) problems.push(unknownKey(path, file))
    else if (!isObject(value))
      problems.push({ key: path || 'config file', origin: file, message: 'must be an object' })
    else
      for (const [name, child] of Object.entries(value)) walk(child, path === '' ? name : `${path}.${name}`)
  }
}

/** The variables that begin with `MILLRACE_`. */
export function fromEnvironment(env: Environment, cwd: string): Source {
  const given = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  const byName = new Map(configKeys.map((key) => [key.env, key]))
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || OTHER_VARIABLES.has(name) || text === undefined) continue
    const key = byName.get(name)
    const secretKey = name.endsWith(FILE_SUFFIX) ? byName.get(name.slice(0, -FILE_SUFFIX.length)) : undefined
    if (key !== undefined) add(key, name, () => (key.secret ? text : parseText(key, text)))
    else if (secretKey?.secret === true) add(secretKey, name, () => readSecretFile(text, cwd))
    else problems.push(unknownVariable(name))
  }
  return { given, problems }

  function add(key: ConfigKey, name: string, read: () => unknown): void {
    const other = given.get(key.path)
    if (other !== undefined) {
      problems.push({
        key: key.path,
        origin: name,
        message: `is also set by ${other.origin}; keep one of them`,
      })
      return
    }
    try {
      given.set(key.path, { value: read(), origin: name })
    } catch (error) {
      problems.push({ key: key.path, origin: name, message: messageOf(error) })
    }
  }
}

/** Flags by key; `origins` tells the flag's own name where it is not `--set <key>`. */
export function fromFlags(flags: Readonly<Record<string, { text: string; flag: string }>>): Source {
  const given = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  for (const [path, { text, flag }] of Object.entries(flags)) {
    const key = configKeys.find((candidate) => candidate.path === path)
    if (key === undefined) problems.push(unknownKey(path, flag))
    else if (key.secret) problems.push({ key: path, origin: flag, message: secretAdvice(key) })
    else {
      try {
        given.set(path, { value: parseText(key, text), origin: flag })
      } catch (error) {
        problems.push({ key: path, origin: flag, message: messageOf(error) })
      }
    }
  }
  return { given, problems }
}

/** Reads a file that holds one secret; a newline at its end is not part of it. Throws with the reason. */
export function readSecretFile(path: string, cwd: string): string {
  const content = readFileSync(containedPath(path, cwd))
  if (content.length > MAX_SECRET_FILE_BYTES) throw new Error(`${path} is too large for a secret`)
  return content.toString('utf8').replace(/\r?\n$/, '')
}

/** An absolute path as it is, a relative one below `cwd`. Throws where a relative one leaves it. */
export function containedPath(path: string, cwd: string): string {
  if (path.includes('\0')) throw new Error('must not contain a NUL character')
  const resolved = resolve(cwd, path)
  if (isAbsolute(path)) return resolved
  const way = relative(cwd, resolved)
  if (way === '..' || way.startsWith(`..${sep}`)) {
    throw new Error(`${JSON.stringify(path)} leaves the working directory; write an absolute path`)
  }
  return resolved
}

/** Text of a flag or variable as the type that the key wants; what does not fit stays text and is refused later. */
function parseText(key: ConfigKey, text: string): unknown {
  const { type, anyOf } = key.schema as { type?: string; anyOf?: readonly unknown[] }
  if ((type === 'integer' || anyOf !== undefined) && /^-?\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (key.list && !text.startsWith('[')) return text === '' ? [] : text.split(',').map((word) => word.trim())
  if (type === 'array' || type === 'object') {
    try {
      return JSON.parse(text)
    } catch {
      throw new Error(`is not JSON; it must be ${key.expected}`)
    }
  }
  return text
}

function unknownKey(path: string, origin: string): ConfigProblem {
  const near = nearest(
    path,
    configKeys.map((key) => key.path),
  )
  return {
    key: path,
    origin,
    message: `there is no such key${near === undefined ? '' : `; did you mean ${near}?`}`,
  }
}

function unknownVariable(name: string): ConfigProblem {
  const names = configKeys.flatMap((key) => (key.secret ? [key.env, `${key.env}${FILE_SUFFIX}`] : [key.env]))
  const near = nearest(name, [...names, CONFIG_FILE_ENV])
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return { key: name, origin: 'environment', message: `there is no such variable${hint}` }
}

function secretAdvice(key: ConfigKey): string {
  return `a secret is not read from here; use ${key.env} or ${key.env}${FILE_SUFFIX}`
}

function isSection(path: string): boolean {
  return configKeys.some((key) => key.path.startsWith(`${path}.`))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
