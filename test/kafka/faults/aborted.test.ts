/** Transactions that are aborted, beside others that are not: nothing of them comes through. */
import { describe, expect, inject, test } from 'vitest'
import { partitionFor } from '../../../streams/index.ts'
import { WALLET, wallet } from '../../../topologies/index.ts'
import { requestRecord } from '../../crash/coupon-load.ts'
import type { PlainCampaign } from '../../crash/coupon-oracle.ts'
import { appendRecord } from '../../support/engine-shop.ts'
import { API } from '../../support/kafka-proxy.ts'
import { JavaTransactions, type OracleRecord, readCommitted } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { seedOfRun } from '../../support/random.ts'
import '../../support/kafka/fixture.ts'
import { CouponRun } from './coupon-run.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { proxiedBroker } from './proxied-broker.ts'
import { kafkaRuns } from './runs.ts'
import { PARTITIONS } from './shop-topics.ts'

const KIBIBYTE = 1024
const REQUESTS = 'coupon.issue.requested'
const seed = seedOfRun()

describe('F3', () => {
  const cluster = proxiedBroker()
  const kills = kafkaRuns(2)

  test(
    `a process dies with a transaction open in partitions that another writes as well, ${kills} × (CRASH_SEED=${seed})`,
    async () => {
      const { bootstrap, proxy } = cluster()
      const campaigns = campaignOfEachPartition(kills * 2_000)
      const run = await CouponRun.open({ name: 'f3', seed, users: kills * 600, bootstrap, campaigns })
      let a = run.start('a')
      const b = run.start('b')
      await everyTaskOnce([a, b])
      await run.openCampaigns()
      run.startLoad()
      for (let kill = 0; kill < kills; kill++) {
        await run.acceptedMore(100)
        const isEnd = ({ api, clientId }: { api: number; clientId: string }) =>
          api === API.endTxn && clientId === 'a-coupon-wallet-commit'
        await proxy.once(isEnd, 'lose request')
        // The other one goes on writing between what is open and its abort.
        await b.next('committed', ({ topology }) => topology === WALLET)
        await a.kill()
        await everyTaskOnce([b])
        a = run.start('a')
        await everyTaskOnce([a, b])
      }
      const summary = await run.finish()
      expect(troubles([a, b])).toEqual([])
      const { all, committed } = await recordsOf(bootstrap, repartitionTopic())
      expect(mostSources(committed)).toBeGreaterThanOrEqual(4)
      expect(all.length).toBeGreaterThan(committed.length)
      console.log(`F3: seed ${seed}: ${all.length - committed.length} aborted records passed by: ${summary}`)
    },
    90_000 + kills * 40_000,
  )
})

describe('F4, F5', () => {
  const rounds = kafkaRuns(2)
  /** So many records of an aborted transaction are more than one answer to a fetch. */
  const RECORDS = 400

  test(
    `aborted transactions of two producers, over several fetches of 16 KiB, ${rounds} × (CRASH_SEED=${seed})`,
    async () => {
      const { bootstrap } = inject('kafka')
      const engine = { log: { fetch: { partitionMaxBytes: 16 * KIBIBYTE } } }
      const campaigns = campaignOfEachPartition(100_000)
      const run = await CouponRun.open({ name: 'f4', seed, users: 2_000, engine, campaigns })
      const first = run.start('a')
      await first.stage('ready')
      await run.openCampaigns()
      const [one, two] = [0, 1].map(() => {
        return new JavaTransactions(bootstrap, freshName('aborted'), { config: { 'batch.size': '2048' } })
      }) as [JavaTransactions, JavaTransactions]
      run.startLoad()
      for (let round = 0; round < rounds; round++) {
        for (let part = 0; part < 4; part++) {
          await one.produce(REQUESTS, neverAsked(campaigns, `one-${round}-${part}`, RECORDS / 4), 'open')
          await two.produce(REQUESTS, neverAsked(campaigns, `two-${round}-${part}`, RECORDS / 4), 'open')
          await run.acceptedMore(20)
        }
        await one.end('abort')
        await run.acceptedMore(20)
        await two.end('abort')
      }
      const summary = await run.finish()
      const { all, committed } = await recordsOf(bootstrap, REQUESTS)
      expect(all.length - committed.length).toBe(rounds * 2 * RECORDS)
      expect(troubles([first])).toEqual([])
      console.log(`F4, F5: seed ${seed}: ${all.length - committed.length} aborted requests: ${summary}`)
    },
    120_000 + rounds * 20_000,
  )

  /** Requests that nobody may answer; every tenth has the key that a marker of an abort has, a zero of four bytes. */
  function neverAsked(campaigns: readonly PlainCampaign[], name: string, count: number) {
    return Array.from({ length: count }, (_, i) => {
      const { couponId } = campaigns[i % campaigns.length] as PlainCampaign
      const ask = { couponId, userId: `u-${name}-${i}`, requestId: `r-${name}-${i}` }
      const { key, value } = appendRecord(requestRecord(ask), Date.now(), i)
      const partition = partitionFor(key as Buffer, PARTITIONS)
      return { key: i % 10 === 0 ? Buffer.alloc(4) : key, value, partition }
    })
  }
})

/** One coupon for each partition, so that every task has something to do. */
function campaignOfEachPartition(quota: number): PlainCampaign[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    for (let i = 0; ; i++) {
      const couponId = `coupon-${i}`
      if (partitionFor(Buffer.from(couponId), PARTITIONS) === partition)
        return { couponId, quota, perUserLimit: 1 }
    }
  })
}

function repartitionTopic(): string {
  const [topic] = wallet().internalTopics
  if (topic === undefined) throw new Error('the wallets have no topic of their own')
  return topic.name
}

async function recordsOf(bootstrap: string, topic: string) {
  const [committed, all] = await Promise.all([
    readCommitted(bootstrap, topic),
    readCommitted(bootstrap, topic, { isolation: 'read_uncommitted' }),
  ])
  return { all, committed }
}

/** From how many tasks' partitions the records of one partition come, at most. */
function mostSources(records: readonly OracleRecord[]): number {
  const sources = [...Map.groupBy(records, ({ partition }) => partition).values()].map((some) => {
    return new Set(
      some.map(({ headers }) => String(headers.find(([name]) => name === 'cause-partition')?.[1])),
    ).size
  })
  return Math.max(...sources)
}
