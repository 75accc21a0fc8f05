/** Fills in, at each scrape, what is asked and not counted. */
import { BoundedLabel } from './bounded-label.ts'
import type { RunnerState } from '../streams/index.ts'
import type { GaugeName, Instruments } from './instruments.ts'
import { gauges } from './names.ts'
import type { BreakerStateName, CampaignFacts, ConnectorFacts, ConnectorStateName, Probes } from './probes.ts'

const MS_PER_SECOND = 1000
/** Each state has its series, so that one that ends is seen to fall. */
const NO_STATE: Readonly<Record<RunnerState, number>> = {
  created: 0,
  joining: 0,
  running: 0,
  failed: 0,
  stopping: 0,
  stopped: 0,
}

const NO_CONNECTOR_STATE: Readonly<Record<ConnectorStateName, number>> = {
  joining: 0,
  running: 0,
  paused: 0,
  failed: 0,
  stopped: 0,
}
const NO_BREAKER_STATE: Readonly<Record<BreakerStateName, number>> = { closed: 0, open: 0, 'half-open': 0 }

export class Scrape {
  readonly #instruments: Instruments
  readonly #campaigns: BoundedLabel
  readonly #onFailure: (error: unknown) => void
  readonly #now: () => number
  #probes: Probes | undefined
  #running: Promise<void> | undefined

  /** @param now epoch milliseconds */
  constructor(
    instruments: Instruments,
    maxCampaigns: number,
    onFailure: (error: unknown) => void,
    now: () => number = () => Date.now(),
  ) {
    this.#instruments = instruments
    this.#onFailure = onFailure
    this.#campaigns = new BoundedLabel(maxCampaigns)
    this.#now = now
  }

  /** From now on this system is asked; nothing ends that. */
  watch(probes: Probes | undefined): void {
    this.#probes = probes
  }

  /** Asks once; scrapes that come meanwhile wait for the same answers. */
  refresh(): Promise<void> {
    this.#running ??= this.#refresh().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #refresh(): Promise<void> {
    const probes = this.#probes
    if (probes === undefined) return
    const [lags, stores, campaigns, unanswered, connectors] = await Promise.all([
      this.#ask(probes.lags()),
      this.#ask(probes.stores()),
      this.#ask(probes.campaigns()),
      this.#ask(probes.unanswered()),
      this.#ask(probes.connectors()),
    ])
    this.#set('millrace_task_lag_records', lags, ({ topology, task, topic, lagRecords }) => {
      return [{ topology, task, topic }, lagRecords]
    })
    this.#set('millrace_task_lag_seconds', lags, ({ topology, task, topic, lagSeconds }) => {
      return [{ topology, task, topic }, lagSeconds]
    })
    this.#set('millrace_standby_lag_records', probes.standbys(), ({ topology, task, lagRecords }) => {
      return [{ topology, task }, lagRecords]
    })
    const clocks = probes.clocks().filter(({ streamTimeMs }) => streamTimeMs >= 0)
    this.#set('millrace_task_stream_timestamp_seconds', clocks, ({ topology, task, streamTimeMs }) => {
      return [{ topology, task }, streamTimeMs / MS_PER_SECOND]
    })
    this.#set('millrace_store_size_bytes', stores, ({ topology, store, bytes }) => [
      { topology, store },
      bytes,
    ])
    this.#setStates(probes)
    this.#setConnectors(connectors)
    this.#setLog(probes)
    this.#setCampaigns(campaigns)
    this.#setIncidents(probes)
    this.#set('millrace_sentinel_unanswered_requests', unanswered, (count) => [{}, count])
    const watermark = probes.watermarkMs()
    const ages = watermark === undefined ? [] : [Math.max(0, this.#now() - watermark) / MS_PER_SECOND]
    this.#set('millrace_ranking_watermark_age_seconds', ages, (age) => [{}, age])
  }

  /** What cannot be asked just now, as a task restarts or the log closes, is left out; the rest is worth having. */
  async #ask<T>(question: Promise<readonly T[]>): Promise<readonly T[]> {
    try {
      return await question
    } catch (error) {
      this.#onFailure(error)
      return []
    }
  }

  /** Series of what is gone end here: each gauge holds what was just found and nothing else. */
  #set<T>(
    name: GaugeName,
    facts: readonly T[],
    row: (fact: T) => [labels: Record<string, string>, value: number],
  ): void {
    const gauge = this.#instruments.gauge(name)
    gauge.reset()
    // A gauge without labels would fall back to 0, which is a fact and not the lack of one.
    if (facts.length === 0 && gauges[name].labels.length === 0) gauge.remove()
    for (const fact of facts) gauge.set(...row(fact))
  }

  #setStates(probes: Probes): void {
    const states = probes.states()
    const flags = states.flatMap(({ topology, state: current }) => {
      return Object.entries({ ...NO_STATE, [current]: 1 }).map(([state, flag]) => ({ topology, state, flag }))
    })
    this.#set('millrace_topology_state', flags, ({ topology, state, flag }) => [{ topology, state }, flag])
    const tasks = states.flatMap(({ topology, tasks }) => {
      return Object.entries(tasks).map(([state, count]) => ({ topology, state, count }))
    })
    this.#set('millrace_topology_tasks', tasks, ({ topology, state, count }) => [{ topology, state }, count])
  }

  #setConnectors(connectors: readonly ConnectorFacts[]): void {
    const lags = connectors.flatMap(({ connector, lags: own }) => own.map((lag) => ({ connector, ...lag })))
    this.#set('millrace_connector_lag_records', lags, ({ connector, task, topic, lagRecords }) => {
      return [{ connector, task, topic }, lagRecords]
    })
    const states = connectors.flatMap(({ connector, state: current }) =>
      Object.entries({ ...NO_CONNECTOR_STATE, [current]: 1 }).map(([state, flag]) => {
        return { connector, state, flag }
      }),
    )
    this.#set('millrace_connector_state', states, ({ connector, state, flag }) => [
      { connector, state },
      flag,
    ])
    const breakers = connectors.flatMap(({ connector, breaker }) =>
      Object.entries({ ...NO_BREAKER_STATE, [breaker]: 1 }).map(([state, flag]) => {
        return { connector, state, flag }
      }),
    )
    this.#set('millrace_connector_breaker', breakers, ({ connector, state, flag }) => [
      { connector, state },
      flag,
    ])
  }

  #setLog(probes: Probes): void {
    const found = probes.log()
    const facts = found === undefined ? [] : [found]
    this.#set('millrace_log_waiting_records', facts, ({ waitingRecords }) => [{}, waitingRecords])
    this.#set('millrace_log_waiting_bytes', facts, ({ waitingBytes }) => [{}, waitingBytes])
    this.#set('millrace_log_disk_bytes', facts, ({ diskBytes }) => [{}, diskBytes])
    this.#set('millrace_log_disk_limit_bytes', facts, ({ diskLimitBytes }) => [{}, diskLimitBytes])
  }

  #setIncidents(probes: Probes): void {
    const facts = probes.invariants()
    const violations = this.#instruments.counter('millrace_invariant_violations_total')
    violations.reset()
    for (const { invariant, violations: count } of facts) violations.inc({ invariant }, count)
    this.#set('millrace_invariant_incidents', facts, ({ invariant, open }) => [{ invariant }, open])
    const ofOrders = probes.orderIncidents()
    this.#set('millrace_order_incidents', ofOrders, ({ found, open }) => [{ found }, open])
  }

  #setCampaigns(campaigns: readonly CampaignFacts[]): void {
    const quotas = new Map<string, { quota: number; remaining: number }>()
    const decisions = this.#instruments.counter('millrace_coupon_decisions_total')
    decisions.reset()
    for (const { couponId, quota, issued, decisions: counts } of campaigns) {
      const coupon = this.#campaigns.of(couponId)
      const sum = quotas.get(coupon) ?? { quota: 0, remaining: 0 }
      quotas.set(coupon, { quota: sum.quota + quota, remaining: sum.remaining + Math.max(0, quota - issued) })
      for (const [decision, count] of Object.entries(counts)) decisions.inc({ coupon, decision }, count)
    }
    this.#set('millrace_coupon_quota', [...quotas], ([coupon, { quota }]) => [{ coupon }, quota])
    this.#set('millrace_coupon_quota_remaining', [...quotas], ([coupon, { remaining }]) => [
      { coupon },
      remaining,
    ])
  }
}
