/**
 * A message → the records that it becomes. All of them, or the reason why it does not fit.
 *
 * Deterministic: the same message (and the same looked-up values) gives the same records in the same order.
 */
import {
  type DeliveryRequested,
  foreignFault,
  fromJson,
  JsonValueError,
  SerializationError,
  toJson,
} from '../../schemas/index.ts'
import type { AnyTopic } from '../../streams/index.ts'
import type { CompiledBinding, CompiledWrite } from './compile.ts'
import { Misfit } from './errors.ts'
import type { Compiled, Scope } from './expression.ts'
import type { Asking } from './functions.ts'
import type { Item, Message } from './profile.ts'

/** Records that one message becomes, at most. */
const MAX_RECORDS = 1_000
const MAX_KEY_CHARS = 200

export interface MappedRecord {
  readonly topic: AnyTopic
  readonly key: string | null
  readonly value: unknown
  /** Epoch milliseconds. */
  readonly timestamp: number
}

/** No records: the message is not for this binding. */
export type Mapped = { readonly records: readonly MappedRecord[] } | { readonly misfit: string }

/** Rejects only with what is no fault of the message. */
export async function mapMessage(
  binding: CompiledBinding,
  message: Message,
  around: Asking,
): Promise<Mapped> {
  try {
    return { records: await recordsOf(binding, message, around) }
  } catch (error) {
    if (error instanceof Misfit) return { misfit: error.message }
    throw error
  }
}

async function recordsOf(binding: CompiledBinding, raw: Message, around: Asking): Promise<MappedRecord[]> {
  if (raw.value === null || raw.value === undefined) throw new Misfit('there is no value')
  const value = binding.source === undefined ? raw.value : toJson(binding.source.schema, raw.value)
  const address = addressOf(raw.value, around)
  const scope: Scope = { message: { ...raw, value }, item: undefined, lookup: around.lookup, address }
  if (!(await holds(binding.when, scope, 'when'))) return []
  const records: MappedRecord[] = []
  for (const write of binding.writes) {
    for (const item of await itemsOf(write, scope)) {
      const record = await recordOf(write, { ...scope, item }, around.currency)
      if (record !== undefined) records.push(record)
      if (records.length > MAX_RECORDS) throw new Misfit(`more than ${MAX_RECORDS} records`)
    }
  }
  return records
}

/** Opened when it is first asked for, once. */
function addressOf(value: unknown, { openAddress }: Asking): () => Promise<unknown> {
  const { orderId, customerId, shipTo } = value as Partial<DeliveryRequested>
  let opened: Promise<unknown> | undefined
  return () => {
    if (orderId === undefined || customerId === undefined || !Buffer.isBuffer(shipTo))
      return Promise.resolve(undefined)
    return (opened ??= openAddress(orderId, customerId, shipTo))
  }
}

async function itemsOf({ to, each }: CompiledWrite, scope: Scope): Promise<readonly (Item | undefined)[]> {
  if (each === undefined) return [undefined]
  const given = await evaluate(each, scope, `${to.name}: each`)
  if (given === undefined || given === null) return []
  return (Array.isArray(given) ? given : [given]).map((value: unknown, index) => ({ value, index }))
}

async function recordOf(
  write: CompiledWrite,
  scope: Scope,
  currency: string | undefined,
): Promise<MappedRecord | undefined> {
  const { to, target } = write
  if (!(await holds(write.when, scope, `${to.name}: when`))) return undefined
  const value = await valueOf(write, scope)
  const fault = target === undefined ? undefined : foreignFault(value, currency)
  if (fault !== undefined) throw new Misfit(`${to.name}: ${fault.field} ${fault.message}`)
  const key = target === undefined ? await keyOf(write, scope) : ownKey(target.keyOf(value), to.name)
  return { topic: to, key, value, timestamp: await timestampOf(write, scope) }
}

async function valueOf(write: CompiledWrite, scope: Scope): Promise<unknown> {
  const { to, target, fields, lists } = write
  const whole = fields.get('')
  if (whole !== undefined) return checked(write, await evaluate(whole, scope, `${to.name}: fields`))
  const json: Record<string, unknown> = {}
  for (const [name, compiled] of fields) {
    const value = await evaluate(compiled, scope, `${to.name}: ${name}`)
    if (lists.has(name) && !Array.isArray(value)) json[name] = value === undefined ? [] : [value]
    else if (value !== undefined) json[name] = value
  }
  return checked(write, target === undefined ? json : ownValue(target.schema, json, to.name))
}

/** What cannot be written does not fit: better said now than where nobody knows the message. */
function checked({ to }: CompiledWrite, value: unknown): unknown {
  try {
    to.value.serialize(value)
    return value
  } catch (error) {
    if (error instanceof JsonValueError) throw new Misfit(problemsOf(error, to.name), { cause: error })
    if (error instanceof SerializationError)
      throw new Misfit(`${to.name}: ${error.message}`, { cause: error })
    throw new Misfit(`${to.name}: the value cannot be written`, { cause: error })
  }
}

function ownValue(schema: Parameters<typeof fromJson>[0], json: unknown, topic: string): unknown {
  try {
    return fromJson(schema, json)
  } catch (error) {
    if (error instanceof JsonValueError) throw new Misfit(problemsOf(error, topic), { cause: error })
    throw error
  }
}

function problemsOf({ problems }: JsonValueError, topic: string): string {
  return `${topic}: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`
}

function ownKey(key: unknown, topic: string): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_CHARS) return key
  throw new Misfit(`${topic}: its key must have 1 to ${MAX_KEY_CHARS} characters`)
}

async function keyOf({ to, key }: CompiledWrite, scope: Scope): Promise<string | null> {
  const given = key === undefined ? null : await evaluate(key, scope, `${to.name}: key`)
  if (given === undefined || given === null) return null
  if (typeof given !== 'string') throw new Misfit(`${to.name}: key is not text`)
  try {
    to.key.serialize(given)
    return given
  } catch (error) {
    throw new Misfit(`${to.name}: key cannot be written`, { cause: error })
  }
}

async function timestampOf({ to, timestamp }: CompiledWrite, scope: Scope): Promise<number> {
  if (timestamp === undefined) return scope.message.timestamp
  const given = await evaluate(timestamp, scope, `${to.name}: timestamp`)
  if (Number.isSafeInteger(given) && (given as number) >= 0) return given as number
  throw new Misfit(`${to.name}: timestamp is not epoch milliseconds`)
}

async function holds(when: Compiled | undefined, scope: Scope, where: string): Promise<boolean> {
  if (when === undefined) return true
  const given = await evaluate(when, scope, where)
  if (typeof given === 'boolean') return given
  throw new Misfit(`${where} is neither true nor false`)
}

async function evaluate(compiled: Compiled, scope: Scope, where: string): Promise<unknown> {
  try {
    return await compiled(scope)
  } catch (error) {
    if (error instanceof Misfit) throw new Misfit(`${where}: ${error.message}`, { cause: error })
    throw error
  }
}
