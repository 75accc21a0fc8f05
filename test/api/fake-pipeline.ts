/**
 * The pipeline that the API's tests run against: a log of arrays and an issuer of a few lines. It decides at once, or
 * when told to; what the tests want to go wrong, goes wrong.
 */
import type {
  ConnectorReport,
  SuppressedMail,
  SuppressedMails,
  CampaignView,
  CopyPort,
  DeadLetterCauses,
  DeadLetterFilter,
  DeadLetterShow,
  DeadLetterSummary,
  DeadLetterView,
  PausedTask,
  RedriveReport,
  RedriveRequest,
  HealthCheck,
  Page,
  PageRequest,
  Pipeline,
  Probe,
  Refusal,
  RequestQueue,
  WaitOptions,
  BoardQuery,
} from '../../api/index.ts'
import {
  topics,
  type Campaign,
  type CampaignCommand,
  type CouponIssueRequested,
  type Incident,
  type OpsAudit,
  type ProductCatalog,
  type RankingSnapshot,
  type RequestState,
  type UserCoupon,
} from '../../schemas/index.ts'
import {
  partitionFor,
  TaskNotHere,
  type Answer,
  type AppendRecord,
  type AppendResult,
  type Position,
  StreamsError,
} from '../../streams/index.ts'
import { FakeUsers } from './fake-users.ts'

const PARTITIONS = 6

interface Appended extends AppendRecord, AppendResult {
  readonly partition: number
}

interface Waiter {
  readonly position: Position
  readonly settle: (reached: boolean) => void
}

export class FakePipeline extends FakeUsers implements Pipeline {
  readonly records: Appended[] = []
  /** false: appended records wait for `process()`. */
  auto = true
  appendFails: Error | undefined
  /** Topic whose records are not taken; others of the same append are, as by a log of several machines. */
  appendFailsFor: string | undefined
  /** Appends do not come back by themselves. */
  appendHangs = false
  /** Appends that hang. */
  hanging = 0
  /** Ends the last of them. */
  unhang = () => {}
  /** Of the sentinel; absent: it is off. */
  found: readonly Incident[] | undefined
  /** Reads of stores throw TASK_NOT_HERE. */
  restoring = false
  /** Address of the process that has all tasks, in place of this one. */
  elsewhere: string | undefined
  copies: CopyPort | undefined
  refusal: Refusal | undefined
  checks: readonly HealthCheck[] = [{ name: 'log', ok: true }]
  ratePerSecond = 0
  /** Overrides what the issuer makes of the next commands. */
  commandCode: string | undefined
  forgetCommands = false
  boards = new Map<string, RankingSnapshot>()
  readonly boardQueries: BoardQuery[] = []
  readonly letters: DeadLetterSummary[] = []
  readonly deadLetterFilters: DeadLetterFilter[] = []
  readonly redrives: RedriveRequest[] = []
  redriving = false
  readonly paused = new Set<string>()
  frozen = false
  /** Absent: no mails are sent. */
  suppressed: readonly SuppressedMail[] | undefined
  /** Whether each is paused. */
  readonly connectorsPaused = new Map([['mail', false]])
  /** Why the log's ends cannot be read. */
  endsFail: Error | undefined
  readonly #campaigns = new Map<string, { campaign: Campaign; issued: number; soldOutAt: number | null }>()
  readonly #commands = new Map<string, CampaignCommand[]>()
  readonly #requests = new Map<string, RequestState>()
  readonly #processed = new Map<string, number>()
  #done = 0
  #waiters = new Set<Waiter>()
  readonly #boardWaiters = new Set<() => void>()

  /** What was appended besides the audit. */
  get business(): readonly Appended[] {
    return this.records.filter(({ topic }) => topic !== topics.opsAudit.name)
  }

  /** What operators did, as it is on record. */
  get audits(): readonly OpsAudit[] {
    const records = this.records.filter(({ topic }) => topic === topics.opsAudit.name)
    return records.map(({ value }) => topics.opsAudit.value.deserialize(value as Buffer))
  }

  append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]> {
    if (this.appendHangs) {
      this.hanging += 1
      return new Promise((resolve) => {
        this.unhang = () =>
          resolve(records.map(({ topic }) => ({ topic, partition: 0, offset: 0, appendTime: 0 })))
      })
    }
    if (this.appendFails !== undefined) return Promise.reject(this.appendFails)
    const taken = records.filter(({ topic }) => topic !== this.appendFailsFor)
    const results = taken.map((record) => {
      const partition = record.partition ?? partitionFor(record.key ?? Buffer.alloc(0), PARTITIONS)
      const position = {
        topic: record.topic,
        partition,
        offset: this.#end(record.topic, partition),
        appendTime: record.timestamp,
      }
      this.records.push({ ...record, ...position })
      return position
    })
    if (this.auto) this.process()
    if (taken.length < records.length)
      return Promise.reject(new StreamsError('APPEND_UNKNOWN', 'a broker is gone'))
    return Promise.resolve(results)
  }

  /** Decides what waits, all or so many, and lets readers see it. */
  process(limit = Infinity): void {
    for (let n = 0; n < limit && this.#done < this.records.length; n += 1) {
      const record = this.records[this.#done] as Appended
      this.#done += 1
      this.#decide(record)
      this.#processed.set(`${record.topic}/${record.partition}`, record.offset + 1)
    }
    for (const waiter of this.#waiters) if (this.#isReached(waiter.position)) waiter.settle(true)
  }

  get waiters(): number {
    return this.#waiters.size
  }

  admission(): Refusal | undefined {
    return this.refusal
  }

  reached(position: Position, { timeoutMs, signal }: WaitOptions): Promise<boolean> {
    if (this.#isReached(position)) return Promise.resolve(true)
    if (signal?.aborted) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const settle = (reached: boolean) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      this.#waiters.delete(waiter)
      resolve(reached)
    }
    const giveUp = () => settle(false)
    const waiter = { position, settle }
    const timer = setTimeout(giveUp, timeoutMs)
    signal?.addEventListener('abort', giveUp)
    this.#waiters.add(waiter)
    return promise
  }

  campaign(couponId: string): Answer<CampaignView | undefined> {
    this.#read()
    return {
      value: this.#campaigns.get(couponId),
      positions: [this.#position('coupon.campaign.requested', couponId)],
    }
  }

  campaignCommand(couponId: string, offset: number): CampaignCommand | undefined {
    this.#read()
    if (this.forgetCommands) return undefined
    return this.#commands.get(couponId)?.find((command) => command.offset === offset)
  }

  couponRequest(couponId: string, requestId: string): Answer<RequestState | undefined> {
    this.#read()
    const value = this.#requests.get(`${couponId}/${requestId}`)
    return { value, positions: [this.#position('coupon.issue.requested', couponId)] }
  }

  async requestQueue(couponId: string, partition = partitionOf(couponId)): Promise<RequestQueue | undefined> {
    this.#read()
    if (this.endsFail !== undefined) throw this.endsFail
    if (partition >= PARTITIONS) return undefined
    const topic = 'coupon.issue.requested'
    return {
      topic,
      partition,
      end: this.#end(topic, partition),
      processed: this.#processed.get(`${topic}/${partition}`) ?? 0,
      ratePerSecond: this.ratePerSecond,
    }
  }

  userCoupons(userId: string, { limit, after }: PageRequest): Promise<Answer<Page<UserCoupon>>> {
    this.#read()
    const all = (this.wallets.get(userId) ?? []).filter(
      (one) => after === undefined || one.userCouponId > after,
    )
    const items = all.slice(0, limit)
    const next = all.length > limit ? items.at(-1)?.userCouponId : undefined
    return Promise.resolve({
      value: { items, next },
      positions: [{ topic: 'issued-by-user', partition: 1, offset: 9 }],
    })
  }

  product(productId: string): Answer<ProductCatalog | undefined> {
    this.#read()
    return { value: this.products.get(productId), positions: [this.#position('product.catalog', productId)] }
  }

  titles(productIds: readonly string[]): readonly (string | undefined)[] {
    return productIds.map((productId) => this.products.get(productId)?.title)
  }

  async board(query: BoardQuery): Promise<Answer<RankingSnapshot | undefined>> {
    this.boardQueries.push(query)
    this.#read()
    const positions = [{ topic: 'ranking.partition.update', partition: 0, offset: 12 }]
    return { value: this.boards.get(`${query.window}/${query.metric}`), positions }
  }

  /** Puts a board there and lets those see it who wait for it. */
  setBoard(board: RankingSnapshot): void {
    this.boards.set(`${board.window}/${board.metric}`, board)
    for (const look of this.#boardWaiters) look()
  }

  boardUntil(
    query: () => BoardQuery,
    enough: (board: RankingSnapshot | undefined) => boolean,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = () => {
      clearTimeout(timer)
      this.#boardWaiters.delete(look)
      resolve()
    }
    const look = () => {
      const { window, metric } = query()
      if (enough(this.boards.get(`${window}/${metric}`))) end()
    }
    const timer = setTimeout(end, timeoutMs)
    signal?.addEventListener('abort', end)
    this.#boardWaiters.add(look)
    return promise
  }

  deadLetterTopic(name: string): string | undefined {
    const source = name.replace(/\.dlq$/, '')
    return source === 'order.confirmed' ? source : undefined
  }

  deadLetters(filter: DeadLetterFilter, { limit, after }: PageRequest): Promise<Page<DeadLetterSummary>> {
    this.deadLetterFilters.push(filter)
    const from = Number(after ?? 0)
    const items = this.letters.slice(from, from + limit)
    const more = this.letters.length > from + limit
    return Promise.resolve({ items, ...(more && { next: String(from + limit) }) })
  }

  deadLetterCauses(filter: DeadLetterFilter): Promise<DeadLetterCauses> {
    this.deadLetterFilters.push(filter)
    const one = { topic: 'order.confirmed', error: 'TooOld', count: 2, earliest: 1, latest: 5 }
    return Promise.resolve({ causes: [one], complete: true })
  }

  deadLetter({ offset }: Position, show: DeadLetterShow): Promise<DeadLetterView | undefined> {
    const letter = this.letters.find(({ deadLetter }) => deadLetter.offset === offset)
    if (letter === undefined) return Promise.resolve(undefined)
    const headers = [{ name: 'actor', bytes: 3, ...(show === 'raw' && { hex: '6f7073' }) }]
    const typed = show === 'typed' && { value: { orderId: 'o1' } }
    const raw = show === 'raw' && { valueHex: '00', message: 'too old' }
    return Promise.resolve({ ...letter, headers, ...typed, ...raw })
  }

  isRedriving(): boolean {
    this.#read()
    return this.redriving
  }

  redrive(request: RedriveRequest): Promise<RedriveReport> {
    this.redrives.push(request)
    const none = { already: 0, again: 0, waiting: 0, held: 0, unroutable: 0 }
    const [sent, left] = request.dryRun ? [0, 2] : [2, 0]
    return Promise.resolve({ ...none, matched: 2, sent, done: sent, left, complete: left === 0, ends: [3] })
  }

  pausedTask(task: string): PausedTask | undefined {
    this.#read()
    return this.paused.has(task)
      ? { task, topic: 'order.confirmed', records: 200, deadLetters: 100 }
      : undefined
  }

  resumeTask(task: string): void {
    this.paused.delete(task)
  }

  health(_probe: Probe): readonly HealthCheck[] {
    return this.checks
  }

  metrics() {
    return Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n' })
  }

  time() {
    return { now: 1_767_225_600_000, frozen: this.frozen }
  }

  thawClocks(): void {
    this.frozen = false
  }

  connectors(): Promise<readonly ConnectorReport[]> {
    return Promise.resolve(
      [...this.connectorsPaused].map(([name, paused]) => {
        return { name, state: paused ? 'paused' : 'running', breaker: 'closed', tasks: [] }
      }),
    )
  }

  suppressedMails(): SuppressedMails | undefined {
    const known = this.suppressed
    if (known === undefined) return undefined
    return {
      newest: (limit) => known.slice(0, limit),
      of: (userId) => known.find((one) => one.userId === userId),
    }
  }

  isConnectorPaused(name: string): boolean | undefined {
    this.#read()
    return this.connectorsPaused.get(name)
  }

  setConnectorPaused(name: string, paused: boolean): void {
    this.connectorsPaused.set(name, paused)
  }

  incidents(): readonly Incident[] | undefined {
    return this.found
  }

  topologyJson(): object {
    return { topologies: [{ name: 'coupon-issuance', nodes: [] }] }
  }

  topologyText(format: 'describe' | 'mermaid'): string {
    return format === 'describe' ? 'Topologies:\n' : 'graph TD\n'
  }

  protected override read(): void {
    this.#read()
  }

  protected override position(topic: string, key: string): Position {
    return this.#position(topic, key)
  }

  #read(): void {
    if (this.restoring || this.elsewhere !== undefined) throw new TaskNotHere('campaigns', this.elsewhere)
  }

  #end(topic: string, partition: number): number {
    return this.records.filter((record) => record.topic === topic && record.partition === partition).length
  }

  #position(topic: string, key: string): Position {
    const partition = partitionOf(key)
    return { topic, partition, offset: this.#processed.get(`${topic}/${partition}`) ?? 0 }
  }

  #isReached({ topic, partition, offset }: Position): boolean {
    return (this.#processed.get(`${topic}/${partition}`) ?? 0) >= offset
  }

  #decide(record: Appended): void {
    const value = record.value as Buffer
    if (record.topic === topics.couponCampaignRequested.name) {
      this.#command(topics.couponCampaignRequested.value.deserialize(value), record.offset)
    } else if (record.topic === topics.couponIssueRequested.name) {
      this.#request(topics.couponIssueRequested.value.deserialize(value), record)
    } else if (record.topic === topics.productCatalog.name) {
      const product = topics.productCatalog.value.deserialize(value)
      this.products.set(product.productId, product)
    } else this.serve(record)
  }

  #command(command: Campaign, offset: number): void {
    const { couponId, operation } = command
    const known = this.#campaigns.get(couponId)
    const revision = (known?.campaign.revision ?? 0) + 1
    const code = this.commandCode ?? (operation !== 'PUT' && known === undefined ? 'UNKNOWN_COUPON' : null)
    const all = this.#commands.get(couponId) ?? []
    this.#commands.set(couponId, [
      ...all,
      { offset, outcome: code === null ? 'APPLIED' : 'REFUSED', code, revision },
    ])
    if (code !== null) return
    const status = { PAUSE: 'PAUSED', RESUME: 'ACTIVE', CLOSE: 'CLOSED' } as const
    const campaign =
      operation === 'PUT' || operation === 'UNKNOWN' || known === undefined
        ? { ...command, revision }
        : { ...known.campaign, status: status[operation], revision }
    this.#campaigns.set(couponId, {
      campaign,
      issued: known?.issued ?? 0,
      soldOutAt: known?.soldOutAt ?? null,
    })
  }

  #request({ couponId, requestId, userId, bodyHash }: CouponIssueRequested, record: Appended): void {
    const id = `${couponId}/${requestId}`
    const view = this.#campaigns.get(couponId)
    if (this.#requests.has(id) || view === undefined) return
    const decided = { sourceOffset: record.offset, decidedAt: record.timestamp, campaignRevision: 1 }
    const common = { userId, bodyHash, ...decided }
    if (view.issued >= view.campaign.quota) {
      this.#requests.set(id, {
        ...common,
        reason: 'SOLD_OUT',
        userCouponId: null,
        sequence: 0,
        expiresAt: null,
      })
      return
    }
    view.issued += 1
    if (view.issued === view.campaign.quota) view.soldOutAt = record.timestamp
    const userCouponId = `${couponId}-${view.issued}`
    this.#requests.set(id, { ...common, reason: null, userCouponId, sequence: view.issued, expiresAt: null })
  }
}

export function partitionOf(key: string): number {
  return partitionFor(Buffer.from(key), PARTITIONS)
}
