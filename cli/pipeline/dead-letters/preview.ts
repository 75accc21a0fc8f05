/**
 * What is shown of a dead letter. Pure.
 *
 * I25: without `raw` nothing of a record is shown that may be personal. That is sizes, names of headers, the class of
 * the failure, and a key that looks like an id; of a typed value, fields that are neither named like personal ones nor
 * look like an address. A message or a stack trace may quote the record and is shown raw only, but for a connector's reason,
 * which by its contract names fields and codes; it is masked as a field is.
 */
import type { DeadLetterShow, DeadLetterSummary, DeadLetterView } from '../../../api/index.ts'
import { DeserializationError, toJson, type Topic, type Topics } from '../../../schemas/index.ts'
import { type DeadLetter, sourceOfDeadLetters } from '../../../streams/index.ts'

/** Bytes of a key, a value or a header that are shown. */
const MOST_HEX_BYTES = 4_096
const MASK = '•••'
/** The class of what connectors set aside with a reason of their own. */
const REJECTED = 'Rejected'
const MOST_REASON_CHARS = 500
/** Without `@`: an e-mail address is no id. */
const ID = /^[A-Za-z0-9._:~|#+-]{1,200}$/
const PERSONAL_NAME = /(name|phone|mail|address|zipcode|locale|birth|memo|shipto)/i
const PERSONAL_TEXT = /@|\+?\d[\d ()/.-]{8,}\d/

export function summaryOf(letter: DeadLetter, state: DeadLetterSummary['state']): DeadLetterSummary {
  const { record, original, dialect, error, consumer, timestamp, redriven } = letter
  const { topic, partition, offset } = record
  const key = record.key?.toString('utf8')
  return {
    deadLetter: { topic, partition, offset },
    ...(original !== undefined && { original }),
    dialect,
    error,
    ...(consumer !== undefined && { consumer }),
    timestamp,
    ...(key !== undefined && ID.test(key) && { key }),
    keyBytes: record.key?.length ?? 0,
    valueBytes: record.value?.length ?? 0,
    state,
    ...(redriven !== undefined && { redriven }),
  }
}

export function viewOf(
  letter: DeadLetter,
  state: DeadLetterSummary['state'],
  show: DeadLetterShow,
  topics: Topics,
): DeadLetterView {
  const { record, message, stacktrace } = letter
  const headers = record.headers.map(([name, value]) => {
    return { name, bytes: value.length, ...(show === 'raw' && { hex: hexOf(value) }) }
  })
  const reason = reasonOf(letter)
  const view = { ...summaryOf(letter, state), ...(reason !== undefined && { reason }), headers }
  switch (show) {
    case 'preview':
      return view
    case 'typed': {
      const value = typedValue(letter, topics)
      return value === undefined ? view : { ...view, value }
    }
    case 'raw':
      return {
        ...view,
        ...(record.key !== null && { keyHex: hexOf(record.key) }),
        ...(record.value !== null && { valueHex: hexOf(record.value) }),
        ...(message !== undefined && { message }),
        ...(stacktrace !== undefined && { stacktrace }),
      }
  }
}

function reasonOf({ dialect, error, message }: DeadLetter): string | undefined {
  if (dialect !== 'streams' || error !== REJECTED || message === undefined) return undefined
  if (PERSONAL_TEXT.test(message)) return MASK
  return message.length > MOST_REASON_CHARS ? `${message.slice(0, MOST_REASON_CHARS)}…` : message
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex', 0, MOST_HEX_BYTES)
}

/** The value by its topic's schema, masked; nothing where it is not of that schema. */
function typedValue({ record, original }: DeadLetter, topics: Topics): unknown {
  const name = original?.topic ?? sourceOfDeadLetters(record.topic)
  const topic = (Object.values(topics) as Topic<unknown>[]).find((candidate) => candidate.name === name)
  if (topic === undefined || record.value === null) return undefined
  try {
    return masked(toJson(topic.schema, topic.value.deserialize(record.value)))
  } catch (error) {
    if (error instanceof DeserializationError) return undefined
    throw error
  }
}

function masked(value: unknown): unknown {
  if (typeof value === 'string') return PERSONAL_TEXT.test(value) ? MASK : value
  if (Array.isArray(value)) return value.map(masked)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, child]) => {
    return [name, PERSONAL_NAME.test(name) && child !== null ? MASK : masked(child)]
  })
  return Object.fromEntries(entries)
}
