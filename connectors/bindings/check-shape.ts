/** Whether something that was read has the form of a profile. What it says is looked at when it is compiled. */
import type { ProfileProblem } from './errors.ts'

type Check = (value: unknown, path: string, found: ProfileProblem[]) => void
interface Field {
  readonly check: Check
  readonly optional?: true
}

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
const MAX_NAME_CHARS = 40
const TOPIC = /^[A-Za-z0-9._-]{1,200}$/
const MAX_PARTITIONS = 1024

/** Every problem; none: it is a profile. */
export function shapeProblems(value: unknown): readonly ProfileProblem[] {
  const found: ProfileProblem[] = []
  profile(value, '', found)
  return found
}

const text = must((value) => typeof value === 'string', 'must be text')
const name = must(
  (value) => typeof value === 'string' && value.length <= MAX_NAME_CHARS && NAME.test(value),
  `must be up to ${MAX_NAME_CHARS} lower-case letters and digits, with single hyphens between them`,
)
const topicName = must(
  (value) => typeof value === 'string' && TOPIC.test(value),
  'must be up to 200 letters, digits, dots, underscores and hyphens',
)
const expression = must(
  (value) =>
    typeof value === 'string' ||
    typeof value === 'function' ||
    (Array.isArray(value) && value.length > 0 && value.every((line) => typeof line === 'string')),
  'must be JSONata: text, or a list of its lines',
)
const whole = (least: number, most: number): Check =>
  must(
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    `must be an integer from ${least} to ${most}`,
  )
const oneOf = (...words: readonly string[]): Check =>
  must((value) => words.includes(value as string), `must be ${words.join(' or ')}`)

const external = record({
  partitions: { check: whole(1, MAX_PARTITIONS), optional: true },
  keys: { check: oneOf('text', 'long', 'int'), optional: true },
  format: { check: oneOf('json', 'avro'), optional: true },
  schema: { check: must((value) => isObject(value), 'must be an Avro record'), optional: true },
  schemaId: { check: whole(0, 2 ** 31 - 1), optional: true },
})

const fields: Check = (value, path, found) => {
  if (typeof value !== 'function') mapOf(expression, topicField)(value, path, found)
}

const write = record({
  to: { check: topicName },
  when: { check: expression, optional: true },
  each: { check: expression, optional: true },
  key: { check: expression, optional: true },
  timestamp: { check: expression, optional: true },
  fields: { check: fields },
})

const binding = record({
  name: { check: name },
  direction: { check: oneOf('in', 'out') },
  from: { check: topicName },
  when: { check: expression, optional: true },
  writes: { check: listOf(write) },
})

const profile = record({
  shop: { check: name },
  description: { check: text, optional: true },
  prefix: { check: topicName, optional: true },
  views: { check: listOf(topicName), optional: true },
  topics: { check: mapOf(external, topicName) },
  bindings: { check: listOf(binding) },
})

function topicField(value: unknown, path: string, found: ProfileProblem[]): void {
  if (value === '__proto__' || value === '') found.push({ path, message: 'is no name of a field' })
}

function must(holds: (value: unknown) => boolean, message: string): Check {
  return (value, path, found) => {
    if (!holds(value)) found.push({ path, message })
  }
}

function record(known: Readonly<Record<string, Field>>): Check {
  return (value, path, found) => {
    if (!isObject(value)) return void found.push({ path: path || 'profile', message: 'must be an object' })
    for (const [key, { check, optional }] of Object.entries(known)) {
      const present = Object.hasOwn(value, key) && value[key] !== undefined
      if (present) check(value[key], join(path, key), found)
      else if (optional === undefined) found.push({ path: join(path, key), message: 'is missing' })
    }
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(known, key)) continue
      found.push({
        path: join(path, key),
        message: `is not known here; there are ${Object.keys(known).join(', ')}`,
      })
    }
  }
}

function mapOf(each: Check, key: Check): Check {
  return (value, path, found) => {
    if (!isObject(value)) return void found.push({ path, message: 'must be an object' })
    if (Object.keys(value).length === 0) found.push({ path, message: 'is empty' })
    for (const [at, one] of Object.entries(value)) {
      key(at, join(path, at), found)
      each(one, join(path, at), found)
    }
  }
}

function listOf(each: Check): Check {
  return (value, path, found) => {
    if (!Array.isArray(value) || value.length === 0)
      return void found.push({ path, message: 'must be a list, not empty' })
    value.forEach((one, index) => each(one, join(path, String(index)), found))
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
