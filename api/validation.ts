/**
 * Requests against their schemas, compiled. JSON bodies as they are, and none where they are optional; in query
 * strings, digits are integers.
 */
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify'
import { IsOptional, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { FieldProblem } from './errors.ts'

const MAX_LISTED = 20

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema)
  const mayBeAbsent = httpPart === 'body' && IsOptional(schema)
  const integers = httpPart === 'querystring' ? integersOf(schema) : []
  return (value: unknown) => {
    if (mayBeAbsent && (value === undefined || value === null)) return { value }
    const given = integers.length > 0 ? withIntegers(value as QueryString, integers) : value
    return check.Check(given) ? { value: given } : { error: check.Errors(given) }
  }
}

type QueryString = Readonly<Record<string, unknown>>

function integersOf(schema: TSchema): readonly string[] {
  const { properties = {} } = schema as { readonly properties?: Record<string, { readonly type?: unknown }> }
  return Object.keys(properties).filter((name) => properties[name]?.type === 'integer')
}

/** Anything but digits stays as it is, for the schema to refuse. */
function withIntegers(query: QueryString, names: readonly string[]): QueryString {
  const converted: Record<string, unknown> = { ...query }
  for (const name of names) {
    const text = converted[name]
    if (typeof text === 'string' && /^-?\d{1,15}$/.test(text)) converted[name] = Number(text)
  }
  return converted
}

const PARTS: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
}

/** Where and what, once per place. */
export function fieldProblems(
  part: string,
  errors: readonly FastifySchemaValidationError[],
): readonly FieldProblem[] {
  const found = new Map<string, FieldProblem>()
  for (const error of errors) {
    for (const problem of problemsOf(PARTS[part] ?? part, error)) {
      // A union that no branch fits says so itself; what each branch misses only confuses.
      if (!found.has(problem.path) || error.keyword === 'anyOf') found.set(problem.path, problem)
    }
    if (found.size >= MAX_LISTED) break
  }
  return [...found.values()]
}

function problemsOf(part: string, error: FastifySchemaValidationError): FieldProblem[] {
  const base = part + error.instancePath.replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')
  const named = namesIn(error)
  if (named === undefined) return [{ path: base, message: messageOf(error) }]
  return named.names.map((name) => ({ path: `${base}.${name}`, message: named.message }))
}

/** Errors about fields that are not there, or should not be, stand at the object around them. */
function namesIn(
  error: FastifySchemaValidationError,
): { names: readonly string[]; message: string } | undefined {
  const { params } = error
  const missing = params['requiredProperties']
  if (Array.isArray(missing)) return { names: missing.map(String), message: 'is missing' }
  const extra = params['additionalProperties']
  if (Array.isArray(extra)) return { names: extra.map(String), message: 'is not a field' }
  return undefined
}

function messageOf(error: FastifySchemaValidationError): string {
  if (error.keyword === 'anyOf') return 'has none of the allowed forms'
  return error.message ?? 'is not valid'
}
