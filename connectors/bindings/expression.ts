/**
 * Compiled expressions: JSONata within limits, or a function of the profile's module.
 *
 * Invariants:
 * 1. The same message gives the same value: nothing of the clock, of chance or of the process can be asked for.
 * 2. Every evaluation ends: steps, depth and lengths are bounded, by counts and not by a clock, so that a slow machine
 *    gives no other answer. (Not bounded: one regular expression on one text, which is why no expression comes from a
 *    message.)
 */
import jsonata from 'jsonata'
import { Misfit } from './errors.ts'
import { FUNCTIONS, type Lookup, SHIP_TO, VIEW } from './functions.ts'
import type { Expression, Item, Message } from './profile.ts'

/** Nodes of the expression that one evaluation visits. */
const MAX_STEPS = 200_000
/** Evaluations inside evaluations. */
const MAX_DEPTH = 200
/** Entries of one list that an expression makes. */
const MAX_SEQUENCE = 10_000
const MAX_EXPRESSION_CHARS = 10_000
/** Not to be had by a `$name` of an expression. */
const BUDGET = 'budget of steps'

export interface Scope {
  readonly message: Message
  readonly item: Item | undefined
  readonly lookup: Lookup
  /** Of the order that the message is about. */
  readonly address: () => Promise<unknown>
}

/** Rejects with a `Misfit`, or with what a lookup or the opening of an address rejects with. */
export type Compiled = (scope: Scope) => Promise<unknown>

/** Throws an `Error` that says what is wrong with the expression, for its author. */
export function compileExpression(expression: Expression): Compiled {
  if (typeof expression === 'function') return fromFunction(expression)
  const text = typeof expression === 'string' ? expression : expression.join('\n')
  if (text.length > MAX_EXPRESSION_CHARS) throw new Error(`is longer than ${MAX_EXPRESSION_CHARS} characters`)
  const compiled = parse(text)
  refuseNames(compiled.ast())
  for (const [name, call] of Object.entries(FUNCTIONS)) compiled.assign(name, call)
  compiled.assign(ENTRY as never, countStep)
  return async (scope) => {
    try {
      const value: unknown = await compiled.evaluate(scope.message.value, variables(scope))
      return plain(value)
    } catch (error) {
      throw reasonOf(error)
    }
  }
}

/** Where JSONata lets others look at each node that it evaluates. */
const ENTRY = Symbol.for('jsonata.__evaluate_entry')

function countStep(_node: unknown, _input: unknown, environment: jsonata.Environment): void {
  const budget = environment.lookup(BUDGET) as { steps: number }
  if (++budget.steps > MAX_STEPS) throw new Misfit(`takes more than ${MAX_STEPS} steps`)
}

function fromFunction(call: Exclude<Expression, string | readonly string[]>): Compiled {
  return async ({ message, item }) => {
    try {
      return await call(message as never, item)
    } catch (error) {
      throw error instanceof Misfit
        ? error
        : new Misfit('the function of the profile threw', { cause: error })
    }
  }
}

function parse(text: string): jsonata.Expression {
  try {
    return jsonata(text, { stack: MAX_DEPTH, sequence: MAX_SEQUENCE })
  } catch (error) {
    const { message, position } = error as jsonata.JsonataError
    throw new Error(`${message} (at character ${position})`, { cause: error })
  }
}

function variables({ message, item, lookup, address }: Scope): Record<string, unknown> {
  const { key, topic, partition, offset, timestamp } = message
  const headers = Object.fromEntries(message.headers.map(([name, value]) => [name, value.toString('utf8')]))
  const position = `${topic}-${partition}-${offset}`
  return {
    key: key ?? undefined,
    headers,
    topic,
    partition,
    offset,
    position,
    timestamp,
    item: item?.value,
    index: item?.index,
    [VIEW]: outside((of: unknown, at: unknown) =>
      typeof of === 'string' && typeof at === 'string' ? lookup(of, at) : undefined,
    ),
    [SHIP_TO]: outside(address),
    [BUDGET]: { steps: 0 },
  }
}

/** Thrown by what an expression asks for: no fault of the message, whatever it is. */
class OutsideError extends Error {
  override readonly name = 'OutsideError'
}

function outside(ask: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  const fail = (cause: unknown): never => {
    throw new OutsideError('what the expression asks for', { cause })
  }
  return (...args) => {
    try {
      const answer = ask(...args)
      return answer instanceof Promise ? answer.catch(fail) : answer
    } catch (cause) {
      return fail(cause)
    }
  }
}

const VARIABLES = ['key', 'headers', 'topic', 'partition', 'offset', 'position', 'timestamp', 'item', 'index']
/** They give something else each time, or run what a message says. */
const REFUSED: ReadonlySet<string> = new Set(['now', 'millis', 'random', 'shuffle', 'eval'])
const BUILT_IN =
  `sum count max min average string substring substringBefore substringAfter lowercase uppercase length
  trim pad match contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round
  abs sqrt power boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error
  assert type sort distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl toMillis
  fromMillis clone`.split(/\s+/)
const KNOWN: ReadonlySet<string> = new Set([
  ...BUILT_IN,
  ...VARIABLES,
  ...Object.keys(FUNCTIONS),
  VIEW,
  SHIP_TO,
  '',
  '$',
])

/** A name that nothing stands behind is nothing, silently: a slip of the fingers would make empty fields. */
function refuseNames(ast: unknown): void {
  const used = new Set<string>()
  const bound = new Set<string>()
  visit(ast, used, bound)
  for (const name of used) {
    if (REFUSED.has(name))
      throw new Error(`$${name} is not to be used: the same message must give the same record`)
    if (!KNOWN.has(name) && !bound.has(name)) throw new Error(`there is no $${name}`)
  }
}

interface AstNode {
  readonly type?: string
  readonly value?: unknown
  readonly lhs?: unknown
  readonly arguments?: readonly AstNode[]
  readonly focus?: string
  readonly index?: unknown
}

/** Names that are used, and those that the expression binds itself: `$x := `, parameters, `@$x`, `#$x`. */
function visit(node: unknown, used: Set<string>, bound: Set<string>): void {
  if (typeof node !== 'object' || node === null) return
  const { type, value, lhs, arguments: parameters, focus, index } = node as AstNode
  if (type === 'variable' && typeof value === 'string') used.add(value)
  if (type === 'bind') bound.add(String((lhs as AstNode).value))
  if (type === 'lambda') for (const parameter of parameters ?? []) bound.add(String(parameter.value))
  if (typeof focus === 'string') bound.add(focus)
  if (typeof index === 'string') bound.add(index)
  if (typeof index === 'object') bound.add(String((index as AstNode | null)?.value))
  for (const child of Object.values(node)) visit(child, used, bound)
}

/** JSONata marks its lists; what goes out is as JSON gives it. A function is no value. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'function') throw new Misfit('gives a function')
  if (typeof value !== 'object' || value === null) return value
  if ('_jsonata_function' in value || '_jsonata_lambda' in value) throw new Misfit('gives a function')
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]))
}

/** JSONata's messages repeat what is in the message; its codes do not. What the profile itself says is its own. */
function reasonOf(error: unknown): unknown {
  if (error instanceof Misfit) return error
  if (error instanceof OutsideError) return error.cause
  const { code = 'unknown', message, position } = error as Partial<jsonata.JsonataError>
  if (code === 'D3137' || code === 'D3141') return new Misfit(message, { cause: error })
  const at = position === undefined ? '' : ` at character ${position}`
  return new Misfit(`JSONata ${code}${at}`, { cause: error })
}
