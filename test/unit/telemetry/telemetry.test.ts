import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type CampaignFacts,
  counters,
  createLogger,
  gauges,
  histograms,
  incidentKinds,
  type MetricSpec,
  type Probes,
  Telemetry,
} from '../../../telemetry/index.ts'

const task = { topology: 'shop', subTopology: 0, partition: 3 }

function setUp(options: { maxCampaigns?: number } = {}) {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  const logger = createLogger({ level: 'trace', format: 'json', write })
  const telemetry = new Telemetry({ logger, version: '1.2.3', maxCampaigns: options.maxCampaigns ?? 10 })
  return { telemetry, lines, logger }
}

/** A system in which something of everything is going on. */
function busySystem(campaigns: readonly CampaignFacts[] = []): Probes {
  return {
    lags: async () => [
      { topology: 'shop', task: 'shop.0_3', topic: 'orders', lagRecords: 7, lagSeconds: 1.5 },
    ],
    standbys: () => [{ topology: 'shop', task: 'shop.0_5', lagRecords: 9 }],
    clocks: () => [
      { topology: 'shop', task: 'shop.0_3', streamTimeMs: 60_000 },
      { topology: 'shop', task: 'shop.0_4', streamTimeMs: -1 },
    ],
    stores: async () => [{ topology: 'shop', store: 'sums', bytes: 1024 }],
    campaigns: async () => campaigns,
    watermarkMs: () => Date.now() - 5_000,
    invariants: () => [{ invariant: 'I1', violations: 3, open: 1 }],
    orderIncidents: () => [{ found: 'ORDER_NEEDS_ATTENTION', open: 2 }],
    unanswered: async () => [4],
    connectors: async () => [
      {
        connector: 'mail',
        state: 'paused',
        breaker: 'open',
        lags: [{ task: 'connector-mail.0_0', topic: 'mail.requested', lagRecords: 3 }],
      },
    ],
    log: () => ({ waitingRecords: 1, waitingBytes: 2, diskBytes: 3, diskLimitBytes: 4 }),
    states: () => [{ topology: 'shop', state: 'running', tasks: { restoring: 2, running: 5, failed: 1 } }],
  }
}

function campaign(couponId: string, quota: number, issued: number): CampaignFacts {
  return { couponId, quota, issued, decisions: { issued, sold_out: 3 } }
}

/** Everything that can be counted, counted once. */
function touchEverything({ telemetry }: ReturnType<typeof setUp>): void {
  telemetry.engine.onProcessed(task, 10, 5)
  telemetry.engine.onCommitted('shop', 1, 10, 2, 4)
  telemetry.engine.onDropped(task, 'NullKey')
  telemetry.engine.onDeadLetter(task, 'orders', 'DeserializationError')
  telemetry.engine.onEmitted(task, 'boards', 2)
  telemetry.connectors.onDelivered('mail', 2, 15)
  telemetry.connectors.onFailure('mail', 'unavailable', new Error('down'), false)
  telemetry.connectors.onRejected('mail', 'mail.requested', 'Rejected')
  telemetry.engine.onStandbyUpdated(task, 2, 0)
  telemetry.engine.onClock('shop', { kind: 'clock-frozen', gapMs: 70_000 })
  telemetry.log.onBatch({ records: 3, bytes: 100, ms: 2 })
  telemetry.onHttpAnswer({ route: '/v1/coupons/:couponId', method: 'GET', status: 200, ms: 3 })
  telemetry.onBackpressure('orders')
  telemetry.watch(busySystem([campaign('spring', 100, 40)]))
}

describe('metrics', () => {
  test('follow the conventions of Prometheus: promtool has nothing to say', async ({ skip }) => {
    const system = setUp()
    touchEverything(system)
    const input = await system.telemetry.metrics()
    const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    // Where tests are to be complete, the tool has to be there.
    if (checked.error !== undefined && process.env['CI'] !== 'true') skip('promtool is not installed')
    expect(checked.error).toBeUndefined()
    expect(checked.stdout + checked.stderr).toBe('')
    expect(checked.status).toBe(0)
  })

  test('docs/metrics.md lists exactly those that there are', async () => {
    const system = setUp()
    touchEverything(system)
    const text = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8')
    const specs: Readonly<Record<string, MetricSpec>> = { ...counters, ...gauges, ...histograms }
    for (const [name, { help, labels }] of Object.entries(specs)) {
      const shown = labels.length === 0 ? '–' : labels.map((label) => `\`${label}\``).join(', ')
      expect(text).toContain(`| \`${name}\` | ${shown} | ${help} |`)
    }
    const documented = (text.match(/^\| `millrace_\w+`/gm) ?? []).map((row) => row.slice(3, -1))
    const exposed = (await system.telemetry.metrics()).match(/^# TYPE millrace_\w+/gm) ?? []
    expect(documented.toSorted()).toEqual(exposed.map((line) => line.slice('# TYPE '.length)).toSorted())
  })

  test('docs/metrics.md says what each incident means', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8')
    const [, section = ''] = text.split('\n## Incidents\n')
    const documented = (section.split('\n## ')[0]?.match(/^\| `[\w-]+`/gm) ?? []).map((row) =>
      row.slice(3, -1),
    )
    expect(documented.toSorted()).toEqual(incidentKinds.toSorted())
  })

  test('count what the engine tells', async () => {
    const system = setUp()
    touchEverything(system)
    const text = await system.telemetry.metrics()
    expect(text).toContain('millrace_task_processed_records_total{topology="shop",task="shop.0_3"} 10')
    expect(text).toContain(
      'millrace_task_dropped_records_total{topology="shop",task="shop.0_3",reason="NullKey"} 1',
    )
    expect(text).toContain(
      'millrace_task_dead_letters_total{topology="shop",topic="orders",reason="DeserializationError"} 1',
    )
    expect(text).toContain('millrace_topology_clock_frozen{topology="shop"} 1')
    expect(text).toContain(
      'millrace_task_record_duration_seconds_sum{topology="shop",task="shop.0_3"} 0.0005',
    )
    expect(text).toContain(
      'millrace_http_requests_total{route="/v1/coupons/:couponId",method="GET",status="200"} 1',
    )
  })

  test('begin at 0, so that the first of what they count is a rise', async () => {
    const { telemetry } = setUp()
    telemetry.engine.onRunnerState('shop', 'created', 'joining', undefined)
    telemetry.engine.onTaskState(task, 'restoring', 'running', undefined)
    const text = await telemetry.metrics()
    for (const kind of incidentKinds) expect(text).toContain(`millrace_incidents_total{kind="${kind}"} 0`)
    expect(text).toContain('millrace_topology_commits_total{topology="shop"} 0')
    expect(text).toContain('millrace_topology_committed_records_total{topology="shop"} 0')
    expect(text).toContain('millrace_topology_clock_frozen{topology="shop"} 0')
    expect(text).toContain('millrace_task_processed_records_total{topology="shop",task="shop.0_3"} 0')
    expect(text).toContain('millrace_task_restored_records_total{topology="shop",task="shop.0_3"} 0')
  })

  test('follow a restore to its end', async () => {
    const { telemetry } = setUp()
    const left = 'millrace_task_restore_remaining_records{topology="shop",task="shop.0_3"}'
    telemetry.engine.onRestoreProgress(task, 2_000, 500)
    expect(await telemetry.metrics()).toContain(`${left} 500`)
    telemetry.engine.onRestoreProgress(task, 480, 0)
    telemetry.engine.onRestored(task, 2_480, 12)
    telemetry.engine.onTaskState(task, 'restoring', 'running', undefined)
    const text = await telemetry.metrics()
    expect(text).toContain(`${left} 0`)
    expect(text).toContain('millrace_task_restored_records_total{topology="shop",task="shop.0_3"} 2480')
  })

  test('count what a standby takes, and say why one failed', async () => {
    const { telemetry, lines } = setUp()
    telemetry.engine.onStandbyState(task, 'opening', 'following', undefined)
    telemetry.engine.onStandbyUpdated(task, 2_000, 480)
    telemetry.engine.onStandbyUpdated(task, 480, 0)
    telemetry.engine.onStandbyState(task, 'following', 'failed', new Error('no disk'))
    const text = await telemetry.metrics()
    expect(text).toContain('millrace_standby_updated_records_total{topology="shop",task="shop.0_3"} 2480')
    expect(text).toContain('millrace_incidents_total{kind="standby-failed"} 1')
    expect(lines.at(-1)).toMatchObject({
      incident: 'standby-failed',
      task: 'shop.0_3',
      err: { message: 'no disk' },
    })
  })

  test('say why a database was set aside, or did not close well', async () => {
    const { telemetry, lines } = setUp()
    telemetry.engine.onDatabaseSetAside(task, new Error('a batch is missing'))
    telemetry.engine.onDatabaseCloseFailed(task, new Error('no space'))
    expect(lines).toMatchObject([
      { incident: 'database-set-aside', task: 'shop.0_3', err: { message: 'a batch is missing' } },
      { incident: 'database-close-failed', task: 'shop.0_3', err: { message: 'no space' } },
    ])
  })

  test('forget what was left to restore of a task that moved away', async () => {
    const { telemetry } = setUp()
    telemetry.engine.onRestoreProgress(task, 2_000, 500)
    telemetry.engine.onTaskState(task, 'restoring', 'closed', undefined)
    expect(await telemetry.metrics()).not.toContain('millrace_task_restore_remaining_records{')
  })

  test('ask the running system at each scrape', async () => {
    const { telemetry } = setUp()
    telemetry.watch(busySystem())
    const text = await telemetry.metrics()
    expect(text).toContain('millrace_task_lag_records{topology="shop",task="shop.0_3",topic="orders"} 7')
    expect(text).toContain('millrace_task_lag_seconds{topology="shop",task="shop.0_3",topic="orders"} 1.5')
    expect(text).toContain('millrace_task_stream_timestamp_seconds{topology="shop",task="shop.0_3"} 60')
    expect(text).toContain('millrace_standby_lag_records{topology="shop",task="shop.0_5"} 9')
    expect(text).not.toContain('task="shop.0_4"')
    expect(text).toContain('millrace_topology_tasks{topology="shop",state="failed"} 1')
    expect(text).toContain('millrace_topology_tasks{topology="shop",state="restoring"} 2')
    expect(text).toContain('millrace_topology_state{topology="shop",state="running"} 1')
    expect(text).toContain('millrace_topology_state{topology="shop",state="failed"} 0')
    expect(text).toContain('millrace_log_disk_bytes 3')
    expect(text).toMatch(/millrace_ranking_watermark_age_seconds 5\.?/)
  })

  test('have no watermark before the first sale, which is not an age of 0', async () => {
    const { telemetry } = setUp()
    telemetry.watch({ ...busySystem(), watermarkMs: () => undefined })
    expect(await telemetry.metrics()).not.toMatch(/^millrace_ranking_watermark_age_seconds /m)
  })

  test('say nothing of a log that is elsewhere', async () => {
    const { telemetry } = setUp()
    telemetry.watch(busySystem())
    expect(await telemetry.metrics()).toContain('millrace_log_waiting_bytes 2')
    telemetry.watch({ ...busySystem(), log: () => undefined })
    expect(await telemetry.metrics()).not.toMatch(/^millrace_log_(waiting|disk)/m)
  })

  test('that can be had are shown where others cannot', async () => {
    const { telemetry, lines } = setUp()
    telemetry.watch({ ...busySystem(), campaigns: () => Promise.reject(new Error('its task restarts')) })
    expect(await telemetry.metrics()).toContain('millrace_log_disk_bytes 3')
    expect(lines.at(-1)).toMatchObject({ incident: 'scrape-incomplete', reason: 'its task restarts' })
  })

  test('drop the series of what is gone', async () => {
    const { telemetry } = setUp()
    telemetry.watch(busySystem([campaign('spring', 100, 40)]))
    await telemetry.metrics()
    telemetry.watch({ ...busySystem(), lags: async () => [] })
    const text = await telemetry.metrics()
    expect(text).not.toContain('millrace_task_lag_records{')
    expect(text).not.toContain('coupon="spring"')
  })

  test('keep few campaigns apart and count the rest as other, always the same ones', async () => {
    const { telemetry } = setUp({ maxCampaigns: 2 })
    telemetry.watch(
      busySystem([campaign('a', 10, 1), campaign('b', 10, 2), campaign('c', 10, 3), campaign('d', 10, 4)]),
    )
    await telemetry.metrics()
    telemetry.watch(
      busySystem([campaign('d', 10, 4), campaign('c', 10, 3), campaign('b', 10, 2), campaign('a', 10, 1)]),
    )
    const text = await telemetry.metrics()
    expect(text).toContain('millrace_coupon_quota_remaining{coupon="a"} 9')
    expect(text).toContain('millrace_coupon_quota_remaining{coupon="b"} 8')
    expect(text).toContain('millrace_coupon_quota_remaining{coupon="other"} 13')
    expect(text).toContain('millrace_coupon_decisions_total{coupon="other",decision="issued"} 7')
    expect(text).not.toContain('coupon="c"')
  })

  test('bound what clients can name', async () => {
    const { telemetry } = setUp()
    telemetry.onHttpAnswer({ route: undefined, method: 'BREW', status: 404, ms: 1 })
    for (let i = 0; i < 60; i++) telemetry.engine.onDropped(task, `Reason${i}`)
    const text = await telemetry.metrics()
    expect(text).toContain('millrace_http_requests_total{route="unmatched",method="other",status="404"} 1')
    expect(text).toContain('reason="other"} 10')
  })
})

describe('log lines', () => {
  test('an incident is counted, and written with its cause', async () => {
    const { telemetry, lines } = setUp()
    const cause = Object.assign(new Error('boom'), { code: 'PROCESSING_FAILED' })
    telemetry.engine.onTaskState(task, 'running', 'failed', cause)
    expect(lines.at(-1)).toMatchObject({
      level: 'error',
      incident: 'task-failed',
      task: 'shop.0_3',
      err: { message: 'boom', code: 'PROCESSING_FAILED' },
    })
    expect(await telemetry.metrics()).toContain('millrace_incidents_total{kind="task-failed"} 1')
  })

  test('a flood of dead letters is counted in full and written once', async () => {
    const { telemetry, lines } = setUp()
    for (let i = 0; i < 1_000; i++) telemetry.engine.onDeadLetter(task, 'orders', 'NullKey')
    expect(lines).toHaveLength(1)
    expect(await telemetry.metrics()).toContain('millrace_incidents_total{kind="dead-letter"} 1000')
  })

  test('a slow batch is written', () => {
    const { telemetry, lines } = setUp()
    telemetry.log.onBatch({ records: 1, bytes: 1, ms: 251 })
    expect(lines.at(-1)).toMatchObject({ level: 'warn', incident: 'slow-batch', ms: 251 })
  })

  test('a normal change of state is for debugging', () => {
    const { telemetry, lines } = setUp()
    telemetry.engine.onRunnerState('shop', 'joining', 'running', undefined)
    expect(lines.at(-1)).toMatchObject({ level: 'debug', to: 'running' })
  })

  test('secrets do not show, at any of the depths at which they come', () => {
    const { logger, lines } = setUp()
    logger.info({ token: 's1', headers: { authorization: 's2' }, req: { headers: { cookie: 's3' } } }, 'x')
    expect(JSON.stringify(lines)).not.toMatch(/s1|s2|s3/)
    expect(JSON.stringify(lines)).toContain('[redacted]')
  })

  test('text for people has time, level, message and fields', () => {
    let text = ''
    const logger = createLogger({ level: 'info', format: 'text', write: (line) => (text += line) })
    logger.info({ url: 'http://127.0.0.1', ready: true }, 'listens')
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}listens url=http:\/\/127\.0\.0\.1 ready=true\n$/)
  })
})
