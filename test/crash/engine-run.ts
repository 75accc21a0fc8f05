/** One data directory through many lives of the engine: what was sent to it, what it acknowledged, what it said. */
import assert from 'node:assert/strict'
import type { Random } from '../support/random.ts'
import { type Ask, type campaignRecord, type CouponLoad, requestRecord } from './coupon-load.ts'
import type { Ack } from './engine-judge.ts'
import { Harness, type HarnessOptions, Refused } from './harness.ts'
import { type KillPlan, KillSwitch } from './kill-switch.ts'

const SENDERS = 6
const MOST_ASKS = 4
/** Requests in one call when there is no hurry. */
const CALL = 1_000
/** Requests whose verdicts are read again after every start. */
const READ_AGAIN = 200

export class EngineRun {
  readonly acks: Ack[] = []
  readonly complaints: string[] = []
  readonly #options: HarnessOptions
  readonly #load: CouponLoad
  readonly #random: Random
  readonly #refusals = new Map<string, number>()
  readonly #watchers = new Set<() => void>()
  #acknowledgements = 0
  readonly #kinds = new Map<string, number>()

  constructor(options: HarnessOptions, load: CouponLoad, random: Random) {
    this.#options = options
    this.#load = load
    this.#random = random
  }

  get summary(): string {
    return [...this.#kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')
  }

  /** Campaigns stand before anybody asks. */
  async open(campaigns: readonly ReturnType<typeof campaignRecord>[]): Promise<void> {
    const harness = await Harness.ready(this.#options)
    for (const position of await harness.append(campaigns)) assert(await harness.reached(position))
    await harness.kill()
  }

  async untilKilled(plan: KillPlan): Promise<void> {
    this.#kinds.set(plan.trigger, (this.#kinds.get(plan.trigger) ?? 0) + 1)
    const harness = new Harness(this.#options)
    const kill = new KillSwitch(plan, () => harness.child.signal('SIGKILL'))
    for (const stage of ['opening', 'opened'] as const) {
      await harness.stage(stage)
      kill.saw(stage)
      if (kill.thrown) break
    }
    if (!kill.thrown) {
      await harness.ready()
      await this.#readAgain(harness)
      const senders = Array.from({ length: SENDERS }, () => this.#send(harness, kill))
      await Promise.all([...senders, this.#watch(harness, kill)])
    }
    await harness.kill()
  }

  /** Asks so often in one call, whether or not it is answered. */
  async askAtOnce(harness: Harness, count: number): Promise<void> {
    const asks = this.#asks(count)
    await this.#append(harness, asks).catch(() => this.#load.lost(asks))
  }

  /** Resolves after so many further acknowledgements. */
  acknowledged(count: number): Promise<void> {
    return this.#after(() => this.#acknowledgements, count)
  }

  /** Resolves after so many further 503. */
  refused(count: number): Promise<void> {
    return this.#after(() => [...this.#refusals.values()].reduce((sum, each) => sum + each, 0), count)
  }

  #after(counter: () => number, count: number): Promise<void> {
    const target = counter() + count
    return new Promise((resolve) => {
      const look = (): void => {
        if (counter() < target) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
    })
  }

  /** How often the process answered 503, by code. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals
  }

  /** Under load for as long as `during` takes; the process must live through it. */
  async underLoad(harness: Harness, during: () => Promise<void>): Promise<void> {
    const end = KillSwitch.told()
    const senders = Array.from({ length: SENDERS }, () => this.#send(harness, end))
    await Promise.all([...senders, this.#watch(harness, end), during().finally(() => end.saw('told'))])
  }

  /** Under load until the process tears one of its own commits and dies of it. */
  async untilTorn(tearing: NonNullable<HarnessOptions['tearing']>): Promise<void> {
    const harness = await Harness.ready({ ...this.#options, tearing })
    const senders = Array.from({ length: SENDERS }, () => this.#send(harness, KillSwitch.told()))
    await Promise.allSettled(senders)
    assert.equal((await harness.child.exited).signal, 'SIGKILL')
  }

  /** Everything that was never answered is sent until it is, and decided. */
  async sendTheRest(): Promise<void> {
    const harness = await Harness.ready(this.#options)
    await this.#readAgain(harness)
    while (this.#load.unanswered > 0)
      await this.#append(harness, this.#asks(Math.min(this.#load.unanswered, CALL)))
    for (const { partition, offset } of this.acks.slice(-1))
      assert(await harness.reached({ topic: 'coupon.issue.requested', partition, offset }))
    for (const { failures } of await harness.health()) this.complaints.push(...failures)
    await harness.kill()
  }

  /** Complains about every acknowledged request that has no verdict. */
  async readAll(harness: Harness): Promise<void> {
    for (const [couponId, asks] of Map.groupBy(this.#load.acknowledged, (ask) => ask.couponId)) {
      const requestIds = asks.map(({ requestId }) => requestId)
      const verdicts = await harness.verdicts(couponId, requestIds)
      this.complaints.push(...this.#load.read(asks, verdicts))
      for (const [i, verdict] of verdicts.entries())
        if (verdict === null) this.complaints.push(`${couponId} ${requestIds[i]} is not decided`)
    }
  }

  async #send(harness: Harness, kill: KillSwitch): Promise<void> {
    while (!kill.thrown) {
      const asks = this.#asks(1 + this.#random.below(MOST_ASKS))
      try {
        const sending = this.#append(harness, asks)
        kill.saw('sent')
        await sending
        this.#acknowledgements++
        kill.saw('acknowledged')
      } catch (error) {
        this.#load.lost(asks)
        if (isRefused(error)) this.#refusals.set(error.code, (this.#refusals.get(error.code) ?? 0) + 1)
        else if (!kill.thrown) throw error
      }
      for (const look of this.#watchers) look()
    }
  }

  #asks(count: number): Ask[] {
    return Array.from({ length: count }, () => this.#load.next())
  }

  async #append(harness: Harness, asks: readonly Ask[]): Promise<void> {
    const positions = await harness.append(asks.map(requestRecord))
    for (const [i, { partition, offset }] of positions.entries())
      this.acks.push({ ask: asks[i] as Ask, partition, offset })
    this.#load.answered(asks)
  }

  /** Reads verdicts while requests are on their way. */
  async #watch(harness: Harness, kill: KillSwitch): Promise<void> {
    while (!kill.thrown) {
      try {
        const asks = this.#load.known(20)
        if (asks.length === 0) await harness.health()
        else await this.#readNew(harness, asks, kill)
      } catch (error) {
        if (!kill.thrown && !isRefused(error)) throw error
      }
    }
  }

  async #readNew(harness: Harness, asks: readonly Ask[], kill: KillSwitch): Promise<void> {
    const before = this.#load.decided
    await this.#read(harness, asks)
    if (this.#load.decided > before) kill.saw('verdict')
  }

  async #readAgain(harness: Harness): Promise<void> {
    await this.#read(harness, this.#load.known(READ_AGAIN))
  }

  async #read(harness: Harness, asks: readonly Ask[]): Promise<void> {
    const byCoupon = Map.groupBy(asks, ({ couponId }) => couponId)
    for (const [couponId, some] of byCoupon) {
      const verdicts = await harness.verdicts(
        couponId,
        some.map(({ requestId }) => requestId),
      )
      this.complaints.push(...this.#load.read(some, verdicts))
    }
  }
}

function isRefused(error: unknown): error is Refused {
  return error instanceof Refused && error.status === 503
}
