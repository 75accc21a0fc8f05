/**
 * Mutated Avro messages on their way into tasks: source, header, scan, decoding, dead letter, commit.
 *
 * Each batch of messages goes through an engine of its own, on a log in memory; every message must come out as a record
 * or as a dead letter, and nothing may remain in memory.
 */
import { deserializationErrors } from '../../schemas/index.ts'
import { processor, shape, topology } from '../../streams/index.ts'
import { ManualClock } from '../../testing/index.ts'
import { MemoryLog } from '../../transports/simulated/index.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { StepEngine } from '../support/step-engine.ts'
import { type AvroTarget, avroTargets } from './avro-targets.ts'
import { mutateBytes } from './mutate.ts'

const NOW = Date.UTC(2026, 0, 1)
const BATCH = 2_000
const HEADER_BYTES = 5

export interface AvroRun {
  readonly seed: number
  readonly messages: number
  readonly decoded: number
  /** Dead letters, by the code of their message. */
  readonly refused: ReadonlyMap<string, number>
  /** Resident memory after each batch, bytes. */
  readonly rss: readonly number[]
}

/** Throws where a message is neither decoded nor a dead letter with a known code. */
export async function fuzzAvro(seed: number, messages: number): Promise<AvroRun> {
  const random = seededRandom(seed)
  const targets = avroTargets()
  const refused = new Map<string, number>()
  const rss: number[] = []
  let decoded = 0
  for (let done = 0; done < messages; done += BATCH) {
    const count = Math.min(BATCH, messages - done)
    decoded += await oneBatch(targets, random, count, refused)
    rss.push(process.memoryUsage().rss)
  }
  return { seed, messages, decoded, refused, rss }
}

/** How many were decoded. */
async function oneBatch(
  targets: readonly AvroTarget[],
  random: Random,
  count: number,
  refused: Map<string, number>,
): Promise<number> {
  let decoded = 0
  const take = processor({
    name: 'take',
    input: shape<unknown, unknown>(),
    process() {
      decoded++
    },
  })
  const inputs = targets.map(({ name, serde }) => ({
    name,
    key: { serialize: (key: unknown) => key as Buffer, deserialize: (bytes: Buffer) => bytes },
    value: serde,
    cleanup: 'delete' as const,
    timestamps: 'CreateTime' as const,
  }))
  const clock = new ManualClock(NOW)
  const engine = await StepEngine.open({
    topologies: inputs.map((topic) =>
      topology(`of-${topic.name}`, (t) => void t.stream(topic).process(take)),
    ),
    clock,
    partitions: 1,
    // Nearly all of it is poison.
    breaker: 'off',
    openLog: () => Promise.resolve(new MemoryLog({ stateHome: 'log', now: () => clock.now() })),
  })
  const sent = Array.from({ length: count }, (_, i) => {
    const { name, messages } = i % 4 === 0 ? (targets.at(-1) as AvroTarget) : random.pick(targets)
    const value = mutateBytes(random.pick(messages), random, random.pick(messages), HEADER_BYTES)
    return {
      topic: name,
      partition: 0,
      key: Buffer.from('k'),
      value,
      timestamp: NOW,
      lineage: { eventId: 'e' },
      headers: [],
    }
  })
  await engine.log.append(sent)
  await engine.settle()
  let letters = 0
  for (const { name } of targets) {
    for (const { headers } of engine.log.records(`${name}.dlq`)) {
      const code = codeIn(headers.find(([header]) => header === '__streams.errors.message')?.[1])
      refused.set(code, (refused.get(code) ?? 0) + 1)
      letters++
    }
  }
  await engine.close()
  if (decoded + letters !== count)
    throw new Error(`${count} were sent, ${decoded} decoded, ${letters} refused`)
  return decoded
}

/** Throws for a message that names no code of the table. */
function codeIn(message: Buffer | undefined): string {
  const code = /\(([a-z0-9-]+)\)/.exec(message?.toString() ?? '')?.[1] ?? ''
  if (!(code in deserializationErrors)) throw new Error(`a dead letter says ${String(message)}`)
  return code
}
