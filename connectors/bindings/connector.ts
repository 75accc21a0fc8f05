/**
 * A binding as a connector: from the log to the log.
 *
 * What a crash means at each step of a batch:
 * 1. read, mapped: nothing has happened, the messages come again and give the same records;
 * 2. the frame's commit: records, dead letters and position are there together.
 * So each message is mapped exactly once, however often the process dies. A message that its producer sent twice is two
 * messages: what tells them apart is the id that the profile gives the record.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import {
  type Connector,
  type Delivered,
  type Incoming,
  type Produced,
  type Rejected,
  Unavailable,
} from '../frame/connector.ts'
import type { CompiledBinding } from './compile.ts'
import type { Asking, Surroundings } from './functions.ts'
import { mapMessage } from './map.ts'

/** How long messages are mapped before everything else has its turn. */
const TURN_MS = 10
/** What was written just before a message may not be read yet: a miss is believed of a message that is older than this. */
const READ_WITHIN_MS = 1_000
const LOOK_MS = 50

export function bindingConnector(binding: CompiledBinding, around: Surroundings): Connector {
  return {
    name: `binding-${binding.name}`,
    inputs: [binding.from],
    outputs: [...new Set(binding.writes.map(({ to }) => to))],
    async open() {
      if (!around.ready()) throw new Unavailable('what the binding looks into is not read yet')
      return {
        deliver: ({ records }, signal) => deliver(binding, records, around, signal),
        close: () => Promise.resolve(),
      }
    },
  }
}

async function deliver(
  binding: CompiledBinding,
  records: readonly Incoming[],
  around: Surroundings,
  signal: AbortSignal,
): Promise<Delivered> {
  const outputs: Produced[] = []
  const rejected: Rejected[] = []
  const asking = { ...around, openAddress: around.addresses(signal) }
  let begun = performance.now()
  for (const record of records) {
    // Expressions wait for nothing: everybody else would have to wait for the whole batch.
    if (performance.now() - begun > TURN_MS) {
      await nextTurn()
      signal.throwIfAborted()
      begun = performance.now()
    }
    let { seen, mapped } = await mapOne(binding, record, asking)
    while (seen.missed && around.now() - record.appendTime < READ_WITHIN_MS) {
      await delay(LOOK_MS, undefined, { signal })
      ;({ seen, mapped } = await mapOne(binding, record, asking))
    }
    if (!('misfit' in mapped)) outputs.push(...mapped.records.map((one) => ({ ...one, because: record })))
    else if (seen.missed) throw new NotThereYet(mapped.misfit)
    else rejected.push({ record, reason: mapped.misfit })
  }
  return { outputs, rejected }
}

/** What is looked up may only not have been read yet: the frame tries again, and sets the message aside in the end. */
class NotThereYet extends Error {
  override readonly name = 'NotThereYet'
}

async function mapOne(binding: CompiledBinding, record: Incoming, around: Asking) {
  const seen = { missed: false }
  const lookup = (topic: string, key: string): unknown => {
    const found = around.lookup(topic, key)
    seen.missed ||= found === undefined
    return found
  }
  return { seen, mapped: await mapMessage(binding, messageOf(record), { ...around, lookup }) }
}

function messageOf(record: Incoming) {
  const { topic, partition, offset, timestamp, headers, value } = record
  return {
    topic,
    partition,
    offset,
    timestamp,
    headers,
    value: value as unknown,
    key: (record.recordKey ?? null) as string | null,
  }
}
