/**
 * F25: whoever is asked, and whatever happens to processes and brokers meanwhile: answers are committed values that do
 * not go back, or there is none for now; and nobody answers for another who is not of this deployment.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type GroupListener, groupSpecOf } from '../../../streams/index.ts'
import { couponIssuance } from '../../../topologies/index.ts'
import { openKafkaLog } from '../../../transports/kafka/index.ts'
import { freshDirectory, type Shop, start } from '../../e2e/command.ts'
import { openCoupon } from '../../e2e/coupons.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { oneBroker } from '../../support/kafka/own-cluster.ts'
import { seededRandom, seedOfRun } from '../../support/random.ts'
import { Questions } from './questions.ts'
import { ReadAlong } from './read-along.ts'
import { kafkaRuns } from './runs.ts'
import { topicsOf } from './shop-topics.ts'

const APPLICATION = 'millrace'
const SESSION_MS = 3_000
const COUPONS = Array.from({ length: 12 }, (_, i) => `coupon-${i}`)
const QUOTA = 60
const SETTLE_LIMIT_MS = 40_000
const seed = seedOfRun()
const times = kafkaRuns(1)
/** One that may be asked, and is found out by its answer; in the long form also one that is not asked at all. */
const FORGED_HOSTS = times === 1 ? ['127.0.0.1'] : ['127.0.0.1', 'evil.example']

const cluster = oneBroker()

test(
  `F25: ${times} × a process is killed, one is halted, the broker is killed, an owner is forged: what is asked meanwhile (CRASH_SEED=${seed})`,
  async () => {
    const { bootstrap, brokers } = cluster()
    const [broker] = brokers
    const directories = { a: freshDirectory(), b: freshDirectory() }
    const begin = (name: 'a' | 'b'): Promise<Shop> => startShop(bootstrap, directories[name])
    const [first, b] = await Promise.all([begin('a'), begin('b')])
    let a = first
    for (const couponId of COUPONS) await openCoupon(a, couponId, QUOTA)
    const along = await ReadAlong.start(bootstrap)
    onTestFinished(() => along.close())
    const questions = new Questions(COUPONS, seededRandom(seed))
    questions.knows('a', a.url)
    questions.knows('b', b.url)
    questions.start()
    onTestFinished(() => questions.stop())

    for (let time = 0; time < times; time++) {
      await moreAnswers(questions)
      // F2
      questions.forgets('a')
      a.kill('SIGKILL')
      await answersAll(b)
      a = await begin('a')
      questions.knows('a', a.url)
      await answersAll(a)
      // F6; who is halted is asked as well
      b.kill('SIGSTOP')
      await answersAll(a)
      b.kill('SIGCONT')
      await answersAll(b)
      // F11
      await broker?.kill()
      await moreAnswers(questions)
      await broker?.start()
      await Promise.all([answersAll(a), answersAll(b)])
      // Who looks for the owner finds somebody else.
      questions.notNow.add(502)
      for (const host of FORGED_HOSTS) await forgedOwner(bootstrap, host, [a, b])
      await Promise.all([answersAll(a), answersAll(b)])
      await moreAnswers(questions)
      questions.notNow.delete(502)
    }

    await questions.stop()
    // Everything that was accepted is decided, whoever is asked.
    for (const { url } of [a, b]) {
      await eventually(async () => {
        const { couponId, requestId } = questions.asked.at(-1) ?? { couponId: '', requestId: '' }
        return (await fetch(`${url}/v1/coupons/${couponId}/requests/${requestId}`)).status === 200
      })
    }
    expect(await questions.judge(bootstrap)).toEqual([])
    expect(await along.judge()).toEqual([])
    console.log(`F25: seed ${seed}: ${questions.summary()}`)
  },
  90_000 + times * 90_000,
)

async function startShop(bootstrap: string, dataDir: string): Promise<Shop> {
  const settings = [`kafka.sessionTimeoutMs=${SESSION_MS}`]
  const set = settings.flatMap((setting) => ['--set', setting])
  const args = ['start', '--json', '--port', '0', '--data-dir', dataDir, '--kafka', bootstrap, ...set]
  const shop = start(args, { MILLRACE_PEERS_SECRET: 'known-to-these-processes-alone' })
  const { url } = JSON.parse(await shop.said(/"pid":\d+\}\n/)) as { url: string }
  await eventually(async () => (await fetch(`${url}/readyz`)).ok)
  return { ...shop, url }
}

/** The process answers for every coupon, itself or by its owner. */
async function answersAll({ url }: Shop): Promise<void> {
  let answers: readonly string[] = []
  const isRight = (answer: string): boolean => answer === '200 by its owner'
  await eventually(
    async () => {
      answers = await Promise.all(
        COUPONS.map(async (couponId) => {
          const { status, headers } = await fetch(`${url}/v1/coupons/${couponId}`)
          return `${status} by ${headers.get('millrace-source') ?? 'its owner'}`
        }),
      )
      return answers.every(isRight)
    },
    { timeoutMs: SETTLE_LIMIT_MS, describe: () => answers.filter((answer) => !isRight(answer)) },
  )
}

/** Stores are read, whatever the brokers do. */
async function moreAnswers(questions: Questions): Promise<void> {
  const enough = questions.answers + 20
  await eventually(() => questions.answers >= enough, { describe: () => questions.summary() })
}

/** Somebody who may write to the group says that tasks are his. He gets them; nobody gets to hear his answers. */
async function forgedOwner(bootstrap: string, host: string, shops: readonly Shop[]): Promise<void> {
  let heard = 0
  const rogue = createServer((_request, response) => {
    heard++
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ status: 'ISSUED', userCouponId: 'forged', couponId: 'forged', issued: 1e9 }),
    )
  })
  rogue.listen(0, '127.0.0.1')
  await once(rogue, 'listening')
  const { port } = rogue.address() as AddressInfo
  const log = await openKafkaLog({
    application: APPLICATION,
    connection: { brokers: bootstrap.split(','), clientId: 'rogue' },
    slot: 'rogue',
    version: '0',
    address: `http://${host}:${port}`,
    sessionTimeoutMs: SESSION_MS,
    leaves: true,
  })
  try {
    await log.ensureTopics(topicsOf(APPLICATION, ['coupons']))
    await log.join(groupSpecOf(APPLICATION, couponIssuance), idle)
    const codes = new Set<unknown>()
    await eventually(async () => {
      for (const { url } of shops) {
        for (const couponId of COUPONS) {
          const answer = await fetch(`${url}/v1/coupons/${couponId}/requests/nobody?wait=0s`)
          const body = (await answer.json()) as { code?: string }
          if (answer.status === 200)
            expect(body).toMatchObject({ userCouponId: expect.not.stringMatching('forged') })
          codes.add(body.code)
        }
      }
      return codes.has(host === '127.0.0.1' ? 'PEER_ANSWER_INVALID' : 'PEER_NOT_ALLOWED')
    })
    expect(heard > 0).toBe(host === '127.0.0.1')
  } finally {
    await log.close()
    rogue.close()
    rogue.closeAllConnections()
  }
}

/** Takes what it gets, and does nothing. */
const idle: GroupListener = {
  stored: () => Promise.resolve([]),
  rebalancing: () => Promise.resolve(),
  assigned: () => Promise.resolve(),
  revoked: () => Promise.resolve(),
  lost: () => undefined,
}
