/** What telemetry asks of the running system at a scrape. */
import { unanswered } from '../../processors/index.ts'
import { answerStore, campaignStore, couponIssuance, counterStore, SENTINEL } from '../../topologies/index.ts'
import type {
  CampaignFacts,
  Probes,
  StandbyLag,
  StoreSize,
  TaskClock,
  TaskLag,
} from '../../telemetry/index.ts'
import type { CampaignCounters } from '../../schemas/index.ts'
import { type Log, type Streams, type TaskId, taskName } from '../../streams/index.ts'
import type { Incidents } from './incidents.ts'
import { type InputLag, inputLags } from './lag.ts'
import { queriesOf } from './queries.ts'
import type { RunningConnectors } from './running-connectors.ts'
import type { ShopLog } from './shop-log.ts'

/** Campaigns read per scrape. */
const MAX_CAMPAIGNS = 5_000
/** Partitions of a topic at most. */
const MAX_PARTITIONS = 1_024
/** How long the oldest unprocessed record may take to be read from the disk. */
const PEEK_TIMEOUT_MS = 100
const MS_PER_SECOND = 1000

export interface ProbeOptions {
  readonly streams: Streams
  readonly shopLog: ShopLog
  readonly connectors: Pick<RunningConnectors, 'facts'>
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly watermarkMs: () => number | undefined
  /** What was found; absent where nobody looks: the sentinel is off, or no orders are taken. */
  readonly found: { readonly invariants: Incidents | undefined; readonly orders: Incidents | undefined }
}

export function createProbes({
  streams,
  shopLog,
  connectors,
  now,
  watermarkMs,
  found,
}: ProbeOptions): Probes {
  const { log } = shopLog
  return {
    lags: () => Promise.all(inputLags(streams).map((lag) => withSeconds(log, lag, now))),
    standbys: () => standbyLags(streams),
    clocks: () => clocksOf(streams),
    stores: () => storeSizes(streams, shopLog),
    campaigns: () => campaignFacts(streams),
    watermarkMs,
    invariants: () => found.invariants?.facts() ?? [],
    orderIncidents: () => found.orders?.orderFacts() ?? [],
    unanswered: () => unansweredRequests(streams),
    connectors: () => connectors.facts(),
    log: () => shopLog.facts(),
    states: () =>
      streams.runners.map(({ topology, state, tasks, notRunning }) => {
        const running = tasks.filter(({ lifecycle }) => lifecycle.state === 'running').length
        const failed = tasks.filter(({ lifecycle }) => lifecycle.state === 'failed').length
        const restoring = notRunning.length - failed
        return { topology: topology.name, state, tasks: { restoring, running, failed } }
      }),
  }
}

async function withSeconds(log: Log, lag: InputLag, now: () => number): Promise<TaskLag> {
  const { topology, task, topic, lagRecords } = lag
  const since = lagRecords === 0 ? undefined : await appendTimeAt(log, lag)
  const lagSeconds = since === undefined ? 0 : Math.max(0, now() - since) / MS_PER_SECOND
  return { topology, task, topic, lagRecords, lagSeconds }
}

/** When the log took the record at a position; nothing when it cannot be read in time. */
function appendTimeAt(log: Log, { topic, partition, position }: InputLag): Promise<number | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, PEEK_TIMEOUT_MS)
    const reader = log.openReader({ topic, partition }, position, peek)
    peek()

    function peek(): void {
      const [record] = reader.take(1)
      if (record !== undefined) finish(record.appendTime)
    }

    function finish(appendTime?: number): void {
      clearTimeout(timer)
      reader.close()
      resolve(appendTime)
    }
  })
}

function standbyLags(streams: Streams): StandbyLag[] {
  return streams.runners.flatMap(({ topology, standbys }) => {
    return standbys.flatMap(({ task, lag }) => {
      return lag === undefined ? [] : [{ topology: topology.name, task: taskName(task), lagRecords: lag }]
    })
  })
}

function clocksOf(streams: Streams): TaskClock[] {
  return streams.runners.flatMap(({ topology, tasks }) => {
    return tasks.map((task) => ({ topology: topology.name, task: task.name, streamTimeMs: task.streamTime }))
  })
}

async function storeSizes(streams: Streams, shopLog: ShopLog): Promise<StoreSize[]> {
  const sizes: StoreSize[] = []
  for (const { topology, tasks } of streams.runners) {
    const ids = tasks.map(({ task }) => task)
    for (const { id, stores } of topology.subTopologies) {
      const own = ids.filter(({ subTopology }) => subTopology === id)
      for (const { name } of stores) {
        const parts = await Promise.all(own.map((task) => storeBytes(shopLog, task, name)))
        sizes.push({
          topology: topology.name,
          store: name,
          bytes: parts.reduce((sum, bytes) => sum + bytes, 0),
        })
      }
    }
  }
  return sizes
}

/** Rows of a store begin with its name and a 0, those of its indexes with its name and a 1. */
async function storeBytes(shopLog: ShopLog, task: TaskId, store: string): Promise<number> {
  const rows = await shopLog.rows(task)
  if (rows === undefined) return 0
  const gte = Buffer.concat([rows.prefix, Buffer.from(`${store}\x00`, 'latin1')])
  const lt = Buffer.concat([rows.prefix, Buffer.from(`${store}\x02`, 'latin1')])
  return rows.approximateBytes({ gte, lt })
}

async function campaignFacts(streams: Streams): Promise<CampaignFacts[]> {
  const campaigns = queriesOf(streams, couponIssuance.name, campaignStore)
  const counters = queriesOf(streams, couponIssuance.name, counterStore)
  const rows = await campaigns.pageAll({ limit: MAX_CAMPAIGNS })
  return rows.map(([couponId, { quota }]) => {
    const counts = counters.get(couponId).value
    return { couponId, quota, issued: counts?.issued ?? 0, decisions: decisionsOf(counts) }
  })
}

function decisionsOf(counts: CampaignCounters | undefined): Record<string, number> {
  if (counts === undefined) return {}
  const { soldOutAt: _, quotaRevision: __, ...decisions } = counts
  return Object.fromEntries(Object.entries(decisions).map(([name, count]) => [snakeCase(name), count]))
}

/** `soldOut` as `sold_out`. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Nothing where the sentinel does not run here. */
async function unansweredRequests(streams: Streams): Promise<number[]> {
  if (!streams.runners.some(({ topology }) => topology.name === SENTINEL)) return []
  const rows = await queriesOf(streams, SENTINEL, answerStore).pageAll({ limit: MAX_PARTITIONS })
  return [rows.reduce((sum, [, watch]) => sum + unanswered(watch), 0)]
}
