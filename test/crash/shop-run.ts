/** One data directory of the whole shop through many lives of its server, seen from outside, over HTTP. */
import { watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import { boardsOf, type PlainBoard } from './board-oracle.ts'
import { type KillPlan, KillSwitch } from './kill-switch.ts'
import { type Answer, Server, type ServerOptions } from './server.ts'
import { type Errand, HOT, type ShopLoad } from './shop-load.ts'
import { judgeBoard, judgeVerdicts, type SaidBoard, type SaidVerdict } from './shop-judge.ts'

const CLIENTS = 5
/** Verdicts and boards that are read again after every start. */
const READ_AGAIN = 30
/** Changes to files while a log is opened, about. */
const MOST_CHANGES = 20
/** How long boards may take to follow the last fact: they are said once a second. */
const BOARDS_LIMIT_MS = 20_000
const LOOK_EVERY_MS = 100

export interface ShopRunPace {
  /** Each client's rest after a call, milliseconds; none unless told. */
  readonly pauseMs?: number
  /** Told of every process that serves. */
  readonly onServer?: (server: Server) => void
}

export class ShopRun {
  readonly complaints: string[] = []
  readonly #options: ServerOptions
  readonly #pace: ShopRunPace
  readonly #load: ShopLoad
  readonly #random: Random
  readonly #quota: number
  readonly #verdicts = new Map<string, string>()
  readonly #boards = new Map<string, SaidBoard>()
  readonly #kills = new Map<string, number>()

  constructor(options: ServerOptions, load: ShopLoad, random: Random, quota: number, pace: ShopRunPace = {}) {
    this.#options = options
    this.#pace = pace
    this.#load = load
    this.#random = random
    this.#quota = quota
  }

  get summary(): string {
    return [...this.#kills].map(([kind, count]) => `${kind} ${count}`).join(', ')
  }

  /** The campaign stands before anybody asks. */
  async open(now: number): Promise<void> {
    await mkdir(this.#options.dataDir, { recursive: true })
    const server = await Server.ready(this.#options)
    const campaign = {
      quota: this.#quota,
      perUserLimit: 1,
      opensAt: new Date(now - 60_000).toISOString(),
      closesAt: new Date(now + 86_400_000).toISOString(),
      discount: { kind: 'AMOUNT', value: 100 },
      status: 'ACTIVE',
    }
    const { status, body } = await server.put(`/v1/coupons/${HOT}`, campaign)
    if (status !== 200) throw new Error(`PUT answered ${status}: ${JSON.stringify(body)}`)
    await server.kill()
  }

  async untilKilled(plan: KillPlan): Promise<void> {
    this.#kills.set(plan.trigger, (this.#kills.get(plan.trigger) ?? 0) + 1)
    if (plan.trigger === 'opening' || plan.trigger === 'opened') return this.#killWhileOpening()
    const server = await Server.ready(this.#options)
    this.#pace.onServer?.(server)
    const kill = new KillSwitch(plan, () => server.child.signal('SIGKILL'))
    await this.#readAgain(server)
    const clients = Array.from({ length: CLIENTS }, () => this.#send(server, kill))
    await Promise.all([...clients, this.#watch(server, kill)])
    await server.kill()
  }

  /** After so many changes to the files of the directory; or once it is ready, if it gets there. */
  async #killWhileOpening(): Promise<void> {
    const count = 1 + this.#random.below(MOST_CHANGES)
    const server = new Server(this.#options)
    const kill = new KillSwitch({ trigger: 'opening', count }, () => server.child.signal('SIGKILL'))
    const watcher = watch(this.#options.dataDir, () => kill.saw('opening'))
    await Promise.race([server.ready().catch(() => undefined), server.child.exited])
    watcher.close()
    await server.kill()
  }

  async #send(server: Server, kill: KillSwitch): Promise<void> {
    while (!kill.thrown) {
      const errand = this.#load.next()
      try {
        const sending = this.#run(server, errand)
        kill.saw('sent')
        await sending
        kill.saw('acknowledged')
        await this.#rest()
      } catch (error) {
        this.#load.lost(errand)
        if (!kill.thrown) throw error
      }
    }
  }

  async #rest(): Promise<void> {
    if (this.#pace.pauseMs !== undefined) await delay(this.#pace.pauseMs)
  }

  /** Sends one errand and takes its acknowledgement. Throws where there is none. */
  async #run(server: Server, errand: Errand): Promise<void> {
    const first = this.#load.sends(errand)
    if (errand.kind === 'events') {
      const path = `/v1/events/${errand.topic}`
      const { values } = errand
      const answer =
        values.length === 1 ? await server.post(path, values[0]) : await server.postLines(path, values)
      accepted(answer)
    } else {
      const { ask } = errand
      const headers = ask.key === undefined ? {} : { 'idempotency-key': ask.key }
      const { userId, requestId } = ask
      const answer = await server.post(`/v1/coupons/${HOT}/requests`, { userId, requestId }, headers)
      const body = accepted(answer) as { requestId: string; ticket: { offset: number } }
      this.complaints.push(...this.#load.accepted(ask, body.requestId, body.ticket.offset, first))
    }
    this.#load.answered(errand)
  }

  async #watch(server: Server, kill: KillSwitch): Promise<void> {
    const { sales, tickets } = this.#load
    while (!kill.thrown) {
      try {
        const last = [...tickets.keys()].at(-1)
        if (last === undefined || sales.length === 0) await server.get('/readyz')
        else await this.#read(server, last, kill)
        await this.#rest()
      } catch (error) {
        if (!kill.thrown) throw error
      }
    }
  }

  async #read(server: Server, requestId: string, kill: KillSwitch): Promise<void> {
    const before = this.#verdicts.size
    await this.#readVerdict(server, requestId)
    if (this.#verdicts.size > before) kill.saw('verdict')
    const { confirmedAt } = this.#random.pick(this.#load.sales)
    await this.#readBoard(server, this.#random.pick(['hour', 'day', 'week']), 'quantity', confirmedAt)
  }

  async #readAgain(server: Server): Promise<void> {
    const { tickets } = this.#load
    const ids = [...tickets.keys()]
    for (let i = 0; i < READ_AGAIN && ids.length > 0; i++)
      await this.#readVerdict(server, i % 2 === 0 ? (ids.at(-1 - i) ?? '') : this.#random.pick(ids))
    for (const said of [...this.#boards.keys()].slice(-READ_AGAIN)) {
      const [window, metric, start] = said.split(' ') as ['hour', 'quantity', string]
      await this.#readBoard(server, window, metric, Number(start))
    }
  }

  /** The verdict, if there is one; complains when it is another than before, or gone. */
  async #readVerdict(server: Server, requestId: string): Promise<SaidVerdict | undefined> {
    if (requestId === '') return undefined
    const { status, body } = await server.get(`/v1/coupons/${HOT}/requests/${requestId}?wait=30s`)
    const before = this.#verdicts.get(requestId)
    if (status !== 200) {
      this.complaints.push(
        `${requestId} was acknowledged (${before ?? 'not read yet'}) and answers ${status}`,
      )
      return undefined
    }
    const now = JSON.stringify(body)
    if (before !== undefined && before !== now) this.complaints.push(`${before} became ${now}`)
    this.#verdicts.set(requestId, now)
    return body as unknown as SaidVerdict
  }

  /** The board; complains when its revision went back, or when it is final and changed under the same revision. */
  async #readBoard(server: Server, window: string, metric: string, at: number): Promise<SaidBoard> {
    const { status, body } = await server.get(`/v1/rankings/${window}?at=${at}&metric=${metric}&limit=1000`)
    if (status !== 200) throw new Error(`the board of the ${window} of ${at} answers ${status}`)
    const board = body as unknown as SaidBoard
    const key = `${window} ${metric} ${board.start}`
    const before = this.#boards.get(key)
    if (before !== undefined && board.revision < before.revision)
      this.complaints.push(`${key} went from revision ${before.revision} back to ${board.revision} (I15)`)
    const same = JSON.stringify(board.entries) === JSON.stringify(before?.entries)
    if (before !== undefined && board.revision === before.revision && !same)
      this.complaints.push(`${key} changed under revision ${board.revision} (I15)`)
    this.#boards.delete(key)
    this.#boards.set(key, board)
    return board
  }

  /** Everything is sent until it is acknowledged; then everything that was ever said is judged. */
  async finish(): Promise<{ readonly issued: number; readonly boards: number }> {
    const server = await Server.ready(this.#options)
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (this.#load.waiting > 0) await this.#run(server, this.#load.again())
      }),
    )
    const verdicts: SaidVerdict[] = []
    for (const requestId of this.#load.tickets.keys()) {
      const verdict = await this.#readVerdict(server, requestId)
      if (verdict !== undefined) verdicts.push(verdict)
    }
    this.complaints.push(...judgeVerdicts(this.#quota, this.#load.tickets, verdicts))
    const issued = verdicts.filter(({ status }) => status === 'ISSUED')
    await this.#judgeCampaign(server, issued)
    const boards = boardsOf(this.#load.sales, this.#load.reversals)
    await this.#judgeBoards(server, boards)
    await server.kill()
    return { issued: issued.length, boards: boards.length }
  }

  async #judgeCampaign(server: Server, issued: readonly SaidVerdict[]): Promise<void> {
    const { body } = await server.get(`/v1/coupons/${HOT}`)
    if (body['issued'] !== issued.length)
      this.complaints.push(
        `the campaign says ${String(body['issued'])} issued, the verdicts ${issued.length}`,
      )
    for (const { requestId, userCouponId } of issued) {
      const userId = this.#load.tickets.get(requestId)?.userId
      const wallet = await server.get(`/v1/users/${userId}/coupons`)
      const items = wallet.body['items'] as readonly { readonly userCouponId: string }[]
      if (items.length !== 1 || items[0]?.userCouponId !== userCouponId)
        this.complaints.push(`the wallet of ${userId} has ${JSON.stringify(items)}, not ${userCouponId}`)
    }
  }

  async #judgeBoards(server: Server, boards: readonly PlainBoard[]): Promise<void> {
    const until = Date.now() + BOARDS_LIMIT_MS
    for (const expected of boards) {
      const { window, metric, start, revision } = expected
      let said = await this.#readBoard(server, window, metric, start)
      while (said.revision < revision && Date.now() < until) {
        await delay(LOOK_EVERY_MS)
        said = await this.#readBoard(server, window, metric, start)
      }
      this.complaints.push(...judgeBoard(expected, said))
    }
  }
}

/** Throws unless it is a 202. */
function accepted({ status, body }: Answer): Answer['body'] {
  if (status !== 202) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
  return body
}
