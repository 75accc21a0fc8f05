/**
 * People who ask any of several processes, the whole time: for verdicts, campaigns and wallets, page by page. Whatever
 * they are told they hold against what they were told before; in the end all of it must be what the cluster has.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { topicNamed } from '../../support/engine-shop.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import type { Random } from '../../support/random.ts'
import type { PlainIssued, PlainRejected } from '../../crash/coupon-oracle.ts'

/** A process that is halted gives no answer at all; its client does not wait for ever. */
const CLIENT_PATIENCE_MS = 1_000
const PAUSE_MS = 10
const PAGE = 2

/** A request that was accepted. */
export interface Asked {
  readonly couponId: string
  readonly userId: string
  readonly requestId: string
  readonly ticket: string
}

interface Verdict {
  readonly status: string
  readonly sequence: number
  readonly reason: string
  readonly userCouponId: string
}

type Json = Readonly<Record<string, unknown>>

export class Questions {
  readonly asked: Asked[] = []
  readonly complaints: string[] = []
  /** What a process may say that cannot answer itself, and whose peer does not. */
  readonly notNow = new Set([503, 504])
  /** Answers by status; 0: none. */
  readonly statuses = new Map<number, number>()
  readonly #coupons: readonly string[]
  readonly #random: Random
  /** By name; who is dead is not asked. */
  readonly #urls = new Map<string, string>()
  /** Who said a verdict on what, `name requestId`. */
  readonly #told = new Set<string>()
  /** By requestId. */
  readonly #verdicts = new Map<string, string>()
  /** Coupons seen in wallets, `user userCouponId`. */
  readonly #owned = new Set<string>()
  /** Issued coupons that a process said last of a campaign, by process and coupon; none of its copies. */
  readonly #issued = new Map<string, number>()
  #loops: Promise<unknown> = Promise.resolve()
  #ends = false
  #made = 0

  constructor(coupons: readonly string[], random: Random) {
    this.#coupons = coupons
    this.#random = random
  }

  /** Answers 200 so far: verdicts, campaigns, pages of wallets. */
  get answers(): number {
    return this.statuses.get(200) ?? 0
  }

  /** A process is asked from now on, in place of an earlier one of that name. */
  knows(name: string, url: string): void {
    const isOfIt = (key: string): boolean => key.startsWith(`${name} `)
    for (const key of this.#issued.keys()) if (isOfIt(key)) this.#issued.delete(key)
    for (const key of this.#told) if (isOfIt(key)) this.#told.delete(key)
    this.#urls.set(name, url)
  }

  forgets(name: string): void {
    this.#urls.delete(name)
  }

  start(): void {
    this.#loops = Promise.all([this.#loop(() => this.#ask()), this.#loop(() => this.#read())])
    this.#loops.catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.#ends = true
    await this.#loops
  }

  async #loop(step: () => Promise<void>): Promise<void> {
    while (!this.#ends) {
      await step()
      await delay(PAUSE_MS)
    }
  }

  async #ask(): Promise<void> {
    const [, url] = this.#random.pick([...this.#urls])
    const couponId = this.#random.pick(this.#coupons)
    const [userId, requestId] = [`u${this.#random.below(40)}`, `r${++this.#made}`]
    const answer = await this.#fetch(`${url}/v1/coupons/${couponId}/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId, requestId }),
    })
    if (answer?.status !== 202) return
    const { partition, offset } = answer.body['ticket'] as { partition: number; offset: number }
    this.asked.push({ couponId, userId, requestId, ticket: `${partition}.${offset}` })
  }

  async #read(): Promise<void> {
    if (this.asked.length === 0) return
    const [name, url] = this.#random.pick([...this.#urls])
    const roll = this.#random.next()
    if (roll < 0.5) await this.#readVerdict(name, url, this.#random.pick(this.asked))
    else if (roll < 0.8) await this.#readCampaign(name, url, this.#random.pick(this.#coupons))
    else await this.#readWallet(url, this.#random.pick(this.asked).userId)
  }

  async #readVerdict(name: string, url: string, asked: Asked): Promise<void> {
    const { couponId, userId, requestId, ticket } = asked
    const path = `/v1/coupons/${couponId}/requests/${requestId}`
    const answer = await this.#answer(url, `${path}?ticket=${ticket}`)
    if (answer === undefined) return
    this.#belongs(path, answer.body, { requestId })
    const { status, sequence, reason, userCouponId } = answer.body as unknown as Verdict
    const told = `${name} ${requestId}`
    if (status === 'ACCEPTED') {
      // Who was halted may be behind the others for a moment, and none behind itself.
      if (this.#told.has(told)) this.#says(`${name} said a verdict on ${requestId}, and then none`)
      return
    }
    const says =
      status === 'ISSUED' ? `ISSUED ${userCouponId} #${sequence} to ${userId}` : `REJECTED ${reason}`
    const before = this.#verdicts.get(requestId)
    if (before !== undefined && before !== says) this.#says(`${path} was ${before} and is ${says}`)
    this.#verdicts.set(requestId, says)
    this.#told.add(told)
  }

  async #readCampaign(name: string, url: string, couponId: string): Promise<void> {
    const path = `/v1/coupons/${couponId}`
    const answer = await this.#answer(url, path)
    if (answer === undefined) return
    this.#belongs(path, answer.body, { couponId })
    // A copy may be behind.
    if (answer.source === 'copy') return
    const key = `${name} ${couponId}`
    const [before, now] = [this.#issued.get(key) ?? 0, Number(answer.body['issued'])]
    if (now < before) this.#says(`${name} said ${before} issued of ${couponId}, and then ${now}`)
    this.#issued.set(key, now)
  }

  /** All of its pages, unless one is not answered. */
  async #readWallet(url: string, userId: string): Promise<void> {
    const path = `/v1/users/${userId}/coupons?limit=${PAGE}`
    let cursor: unknown
    do {
      const page = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor as string)}`
      const answer = await this.#answer(url, `${path}${page}`)
      if (answer === undefined) return
      for (const { userCouponId } of answer.body['items'] as readonly Verdict[])
        this.#owned.add(`${userId} ${userCouponId}`)
      cursor = answer.body['cursor']
    } while (cursor !== undefined)
  }

  async #answer(url: string, path: string) {
    const answer = await this.#fetch(`${url}${path}`)
    if (answer === undefined || answer.status === 200) return answer
    if (!this.notNow.has(answer.status))
      this.#says(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return undefined
  }

  async #fetch(url: string, init: RequestInit = {}) {
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(CLIENT_PATIENCE_MS) })
      const body = (await response.json()) as Json
      this.#count(response.status)
      return { status: response.status, body, source: response.headers.get('millrace-source') }
    } catch {
      this.#count(0)
      return undefined
    }
  }

  #count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  #belongs(path: string, body: Json, to: Json): void {
    for (const [name, value] of Object.entries(to)) {
      if (body[name] !== undefined && body[name] !== value)
        this.#says(`${path} was answered for ${name} ${String(body[name])}`)
    }
  }

  #says(complaint: string): void {
    this.complaints.push(complaint)
  }

  // --- the end

  /** Whatever was said must be among what the cluster has committed; answers complaints. */
  async judge(bootstrap: string): Promise<string[]> {
    const issued = await decoded<PlainIssued>(bootstrap, 'coupon.issued')
    const rejected = await decoded<PlainRejected>(bootstrap, 'coupon.issue.rejected')
    const there = new Set([
      ...issued.map(({ requestId, userId, userCouponId, sequence }) => {
        return `${requestId} ISSUED ${userCouponId} #${sequence} to ${userId}`
      }),
      ...rejected.map(({ requestId, reason }) => `${requestId} REJECTED ${reason}`),
    ])
    const owned = new Set(issued.map(({ userId, userCouponId }) => `${userId} ${userCouponId}`))
    return [
      ...this.complaints,
      ...[...this.#verdicts]
        .map(([requestId, says]) => `${requestId} ${says}`)
        .filter((verdict) => !there.has(verdict))
        .map((verdict) => `${verdict} was said and is not there`),
      ...[...this.#owned]
        .filter((coupon) => !owned.has(coupon))
        .map((coupon) => `${coupon} was in a wallet and was never issued`),
    ]
  }

  summary(): string {
    const statuses = [...this.statuses].toSorted(([a], [b]) => a - b).map((entry) => entry.join(' × '))
    const [verdicts, owned] = [this.#verdicts.size, this.#owned.size]
    return `${this.asked.length} asked, ${verdicts} verdicts and ${owned} coupons read; answers: ${statuses.join(', ')}`
  }
}

async function decoded<V>(bootstrap: string, topic: string): Promise<V[]> {
  const { value: serde } = topicNamed(topic)
  const records = await readCommitted(bootstrap, topic)
  return records.flatMap(({ value }) => (value === null ? [] : [serde.deserialize(value) as V]))
}
