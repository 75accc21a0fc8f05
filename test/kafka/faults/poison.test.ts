/**
 * F22: every second request is no request, and the registry that would tell goes away, or hangs. Poison is put aside,
 * all of it and nothing else; whose schema may yet come is waited for, by its task alone.
 */
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { subjectsOf } from '../../../connectors/index.ts'
import { embeddedSchemas, frame, HEADER_BYTES, readSchemaId, topics } from '../../../schemas/index.ts'
import { deadLetterTopic } from '../../../streams/index.ts'
import { requestRecord } from '../../crash/coupon-load.ts'
import { appendRecord } from '../../support/engine-shop.ts'
import { produce, readCommitted } from '../../support/kafka/oracle.ts'
import { seedOfRun } from '../../support/random.ts'
import { FakeRegistry } from '../../unit/connectors/fake-registry.ts'
import { CouponRun } from './coupon-run.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const REQUESTS = topics.couponIssueRequested.name
const COUPON = 'plenty'
const OWN_ID = embeddedSchemas.idOf(topics.couponIssueRequested.schema.name) as number
/** The same schema as a program of somebody else registered it: one for each time that it is first seen. */
const FOREIGN_IDS = [5_001, 5_002, 5_003]
const ABSENT_IDS = Array.from({ length: 20 }, (_, i) => 900_000 + i)
/** Asked for once, and again no sooner than after 30 s, by each process that meets it. */
const LOOKUPS_PER_ABSENT_ID = 4
/** A registry that gives no answer is left alone longer each time; without, it would be thousands. */
const CALLS_WHILE_AWAY = 20
const seed = seedOfRun()
const isLong = kafkaRuns(1) > 1
const AWAY_MS = isLong ? 60_000 : 2_000
/** More than a call is waited for. */
const HANG_MS = isLong ? 60_000 : 6_000
const rounds = kafkaRuns(2)
const POISON_PER_ROUND = 100
/** Of poison. */
const KINDS = 6

test(
  `F22: ${rounds} times 100 poisoned requests among as many good ones, a registry that is away for ${AWAY_MS / 1000} s, one that hangs for ${HANG_MS / 1000} s (CRASH_SEED=${seed})`,
  async () => {
    const registry = await openRegistry()
    // What a breaker does about it, others try: here every dead letter is to be there.
    const engine = { registryUrl: registry.url, breaker: 'off' } as const
    const run = await CouponRun.open({ name: 'f22', seed, users: rounds * 600, engine, meaning: meaningOf })
    const { bootstrap } = run
    const a = run.start('a')
    await everyTaskOnce([a])
    await run.openCampaigns()
    run.startLoad()
    const sent: string[] = []
    const flood = async (): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const poison = poisonOf(sent.length)
        sent.push(...poison.map((value) => value.toString('hex')))
        await produce(bootstrap, REQUESTS, records(poison))
        await run.acceptedMore(POISON_PER_ROUND)
      }
    }
    await flood()
    const [there = 0, away = 0, hanging = 0] = FOREIGN_IDS
    await produce(bootstrap, REQUESTS, records(foreign(there)))

    await without(
      registry,
      AWAY_MS,
      (response) => response.destroy(),
      async () => {
        await produce(bootstrap, REQUESTS, records(foreign(away)))
        await flood()
      },
    )
    await without(
      registry,
      HANG_MS,
      () => undefined,
      async () => {
        await produce(bootstrap, REQUESTS, records(foreign(hanging)))
        await flood()
      },
    )

    const summary = await run.finish()
    const aside = await readCommitted(bootstrap, deadLetterTopic(REQUESTS))
    const put = aside.map(({ value }) => String(value?.toString('hex')))
    expect(put.toSorted()).toEqual(sent.toSorted())
    for (const id of [...FOREIGN_IDS, ...ABSENT_IDS]) {
      const lookups = registry.lookups.filter((call) => call.startsWith(`GET /schemas/ids/${id}`))
      expect([id, lookups.length > 0, lookups.length <= limitOf(id)]).toEqual([id, true, true])
    }
    // Nothing failed: what cannot be read yet waits.
    expect(a.told('task').filter(({ to }) => to === 'failed')).toEqual([])
    expect(troubles([a])).toEqual([])
    console.log(`F22: seed ${seed}: ${put.length} put aside, ${registry.lookups.length} lookups: ${summary}`)
  },
  120_000 + rounds * 20_000 + AWAY_MS + HANG_MS,
)

/** A registry that knows this program's schemas by this program's ids, and the foreign ones. */
async function openRegistry(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.open()
  onTestFinished(() => registry.close())
  for (const { name, record, text } of subjectsOf(Object.values(topics))) {
    registry.put(name, text, embeddedSchemas.idOf(record) as number)
    if (name === `${REQUESTS}-value`) for (const id of FOREIGN_IDS) registry.add(text, id)
  }
  return registry
}

/** Nobody is answered by it while `act` runs, and for so long at least. */
async function without(
  registry: FakeRegistry,
  ms: number,
  instead: (response: ServerResponse) => unknown,
  act: () => Promise<void>,
): Promise<void> {
  const before = registry.calls.length
  registry.trouble = (_call, response) => {
    instead(response)
    return true
  }
  await Promise.all([act(), delay(ms)])
  registry.trouble = () => false
  const calls = registry.calls.length - before
  expect([calls > 0, calls <= CALLS_WHILE_AWAY]).toEqual([true, true])
}

function limitOf(id: number): number {
  return FOREIGN_IDS.includes(id) ? 2 * CALLS_WHILE_AWAY : LOOKUPS_PER_ABSENT_ID * (isLong ? 10 : 1)
}

function goodValue(name: string): Buffer {
  const ask = { couponId: COUPON, userId: `u-${name}`, requestId: `r-${name}` }
  return appendRecord(requestRecord(ask), Date.now(), 0).value as Buffer
}

/** Of every kind, each different. */
function poisonOf(from: number): Buffer[] {
  return Array.from({ length: POISON_PER_ROUND }, (_, i) => {
    const number = from + i
    const good = goodValue(`poison-${number}`)
    const datum = good.subarray(HEADER_BYTES)
    const mark = Buffer.from(String(number))
    switch (number % KINDS) {
      case 0:
        return Buffer.concat([Buffer.from([0]), mark]).subarray(0, HEADER_BYTES - 1)
      case 1:
        return Buffer.concat([Buffer.from([1]), good.subarray(1)])
      case 2:
        return good.subarray(0, good.length - 3)
      case 3:
        return Buffer.concat([good, mark])
      case 4:
        return frame(ABSENT_IDS[Math.floor(number / KINDS) % ABSENT_IDS.length] as number, datum)
      default:
        return frame(-1 - number, datum)
    }
  })
}

/** Good requests that somebody else wrote. */
function foreign(id: number): Buffer[] {
  return Array.from({ length: 20 }, (_, i) =>
    frame(id, goodValue(`foreign-${id}-${i}`).subarray(HEADER_BYTES)),
  )
}

function records(values: readonly Buffer[]) {
  return values.map((value) => ({ key: COUPON, value }))
}

/** For the judge: what is not poison, in this program's own schema. */
function meaningOf(value: Buffer): Buffer | undefined {
  try {
    const id = readSchemaId(value)
    if (id !== OWN_ID && !FOREIGN_IDS.includes(id)) return undefined
    const own = frame(OWN_ID, value.subarray(HEADER_BYTES))
    topics.couponIssueRequested.value.deserialize(own)
    return own
  } catch {
    return undefined
  }
}
