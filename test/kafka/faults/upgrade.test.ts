/**
 * A record grows while the program runs: processes of both releases in one group, on a real broker and registry. Each
 * decides what clients of either asked, and goes on from what processes of the other wrote.
 */
import { expect, inject, onTestFinished, test } from 'vitest'
import { wallet } from '../../../topologies/index.ts'
import { readSchemaId } from '../../../schemas/index.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { CHANNEL, openRelease, type Release, type ReleaseName } from './releases.ts'

const REQUESTS = 'coupon.issue.requested'
const ISSUED = 'coupon.issued'
const REPARTITION = wallet().internalTopics[0]?.name as string
const GROWN = ['millrace.coupon.CouponIssueRequested', 'millrace.coupon.CouponIssued']
/** Five processes start, one after the other. */
const TIMEOUT_MS = 240_000
const seed = seedOfRun()

test(
  `an upgrade under FULL_TRANSITIVE, half of it and back, with both releases at work (CRASH_SEED=${seed})`,
  async () => {
    const { registryUrl } = inject('kafka')
    const subjects = freshName('upgrade')
    const optionsOf = (name: ReleaseName) => ({ name, registryUrl, subjects })
    const [old, grown] = [await openRelease(optionsOf('old')), await openRelease(optionsOf('new'))]
    onTestFinished(async () => {
      await old.schemas.close()
      await grown.schemas.close()
    })
    // The judge reads what both wrote, and decodes without waiting.
    for (const record of GROWN) await grown.schemas.load(old.schemas.idOf(record) as number)
    const releases = { clients: [old, grown], judge: grown }
    const run = await CouponRun.open({ name: 'upgrade', seed, users: 2_000, releases })
    const start = (slot: string, name: ReleaseName): Engine => run.start(slot, { release: optionsOf(name) })
    let [a, b] = [start('a', 'old'), start('b', 'old')]
    const all: Engine[] = [a, b]
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    await run.acceptedMore(200)

    await b.stop()
    all.push((b = start('b', 'new')))
    await everyTaskOnce([a, b])
    await bothWork(run, a, b)

    // Each takes up what the other release left.
    await Promise.all([a.stop(), b.stop()])
    all.push((a = start('a', 'new')), (b = start('b', 'old')))
    await everyTaskOnce([a, b])
    await bothWork(run, a, b)

    console.log(`upgrade: seed ${seed}: ${await run.finish()}`)
    expect(troubles(all)).toEqual([])
    const written = await Promise.all(
      [REQUESTS, ISSUED, REPARTITION].map(async (topic) => [topic, await writersOf(run, topic)]),
    )
    const [requested, issued] = GROWN.map((record) => {
      return new Set([old, grown].map(({ schemas }) => schemas.idOf(record)))
    })
    expect(Object.fromEntries(written)).toEqual({
      [REQUESTS]: requested,
      [ISSUED]: issued,
      [REPARTITION]: issued,
    })
    expect(await channelsOf(run, grown)).toEqual(new Set([CHANNEL.default, CHANNEL.written]))
  },
  TIMEOUT_MS,
)

/** Resolves when each of both has committed records that came from now on. */
async function bothWork(run: CouponRun, ...engines: readonly Engine[]): Promise<void> {
  const worked = engines.map((engine) => {
    return engine.next('committed', ({ topology, records }) => topology === 'coupon-issuance' && records > 0)
  })
  await run.acceptedMore(300)
  await Promise.all(worked)
}

/** Ids of the schemas that the records of a topic were written with. */
async function writersOf({ bootstrap }: CouponRun, topic: string): Promise<ReadonlySet<number>> {
  const records = await readCommitted(bootstrap, topic)
  return new Set(records.map(({ value }) => readSchemaId(value as Buffer)))
}

/** What the later release reads in the field that it added. */
async function channelsOf({ bootstrap }: CouponRun, release: Release): Promise<ReadonlySet<string>> {
  const { value: serde } = release.topicNamed(ISSUED)
  const records = await readCommitted(bootstrap, ISSUED)
  return new Set(
    records.map(({ value }) => (serde.deserialize(value as Buffer) as { readonly channel: string }).channel),
  )
}
