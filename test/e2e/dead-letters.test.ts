/** Dead letters with the real command: a shop, its log on the disk, and an operator who asks over HTTP. */
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../cli/errors.ts'
import { buildProgram } from '../../cli/program.ts'
import { reportError } from '../../cli/report-error.ts'
import { topics } from '../../schemas/index.ts'
import { NO_HEADERS } from '../../streams/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { silent } from '../unit/cli/output.ts'
import { freshDirectory, getJson, startShop, stop } from './command.ts'

const HOUR_MS = 3_600_000
const SLOW = { timeout: 60_000 }

/** Orders from the future: put aside until their time has come. */
async function withOrdersAhead(dataDir: string, aheadMs: number, ids: readonly string[]): Promise<void> {
  const log = await openEmbeddedLog({
    directory: dataDir,
    application: 'millrace',
    housekeepingIntervalMs: 0,
  })
  const { name, timestamps, cleanup, key, value } = topics.orderConfirmed
  const forever = Number.POSITIVE_INFINITY
  await log.ensureTopics([
    { name, timestamps, cleanup, partitions: 6, retentionMs: 7 * 24 * HOUR_MS, retentionBytes: forever },
  ])
  const confirmedAt = Date.now() + aheadMs
  for (const [index, orderId] of ids.entries()) {
    const items = [{ lineNo: 1, productId: 'mug', categoryId: null, quantity: 1 + index, unitPrice: 100 }]
    const order = {
      orderId,
      userId: 'ann',
      items,
      finalAmount: 100,
      currency: 'GBP',
      pointsUsed: 0,
      userCouponId: null,
      paidAt: confirmedAt,
      confirmedAt,
    }
    await log.append([
      {
        topic: name,
        key: key.serialize('o-1'),
        value: value.serialize(order),
        timestamp: confirmedAt,
        lineage: { eventId: '01890a5d-ac96-774b-bcce-b302099a8057' },
        headers: NO_HEADERS,
      },
    ])
  }
  await log.close()
}

/** The command in this process; the shop is another. */
async function dlq(dataDir: string, ...args: readonly string[]) {
  const output = silent()
  const context = { output, env: {}, cwd: dataDir, stop: new AbortController().signal, version: '1.2.3' }
  let code: number = exitCodes.ok
  try {
    await buildProgram(context).parseAsync(['dlq', ...args, '--data-dir', dataDir, '--json'], {
      from: 'user',
    })
  } catch (error) {
    code = reportError(error, output)
  }
  return { code, stdout: output.stdout.join('\n'), stderr: output.stderr.join('\n') }
}

describe('an operator', () => {
  test('lists dead letters, looks at one, and sends them back; what is wrong still is not lost', async () => {
    const dataDir = freshDirectory()
    await withOrdersAhead(dataDir, 2 * HOUR_MS, ['o-1', 'o-2'])
    const shop = await startShop(dataDir)
    await expect
      .poll(async () => JSON.parse((await dlq(dataDir, 'list')).stdout || '[]') as unknown[], SLOW)
      .toHaveLength(2)
    const listed = JSON.parse((await dlq(dataDir, 'list', '--topic', 'order.confirmed')).stdout) as {
      deadLetter: { topic: string; partition: number; offset: number }
    }[]
    expect(listed[0]).toMatchObject({
      error: 'BadTimestamp',
      key: 'o-1',
      state: 'waiting',
      dialect: 'streams',
    })
    const causes = JSON.parse((await dlq(dataDir, 'list', '--causes')).stdout) as unknown[]
    expect(causes).toMatchObject([{ topic: 'order.confirmed', error: 'BadTimestamp', count: 2 }])

    const { topic, partition, offset } = listed[0]?.deadLetter ?? { topic: '', partition: 0, offset: 0 }
    const place = `${topic}:${partition}:${offset}`
    const preview = await dlq(dataDir, 'show', place)
    expect(preview.stdout).not.toContain('mug')
    const typed = JSON.parse((await dlq(dataDir, 'show', place, '--typed')).stdout) as object
    expect(typed).toMatchObject({ value: { orderId: 'o-1', items: [{ productId: 'mug' }] } })

    const filter = ['--filter', 'topic=order.confirmed,error=BadTimestamp']
    const dry = JSON.parse((await dlq(dataDir, 'redrive', ...filter, '--dry-run')).stdout) as object
    expect(dry).toMatchObject({ matched: 2, left: 2, sent: 0 })

    // Their time has not come: the first is a dead letter again, and the second of its key stays.
    const early = await dlq(dataDir, 'redrive', ...filter)
    expect(JSON.parse(early.stdout)).toMatchObject({ sent: 1, again: 1, held: 1 })
    expect(early.stderr).toContain('1 became dead letters again')
    expect(early.code).toBe(3)
    const waiting = await getJson(`${shop.url}/v1/ops/dlq?topic=order.confirmed`)
    expect(waiting['items']).toHaveLength(2)
    expect(waiting['items']).toContainEqual(
      expect.objectContaining({ redriven: { topic, partition, offset } }),
    )
    expect((await stop(shop)).code).toBe(0)
  })

  test('is told what is wrong with a question', async () => {
    const dataDir = freshDirectory()
    const nowhere = await dlq(dataDir, 'list')
    expect([nowhere.code, nowhere.stderr]).toEqual([4, expect.stringContaining('no shop runs')])
    const shop = await startShop(dataDir)
    for (const [args, message] of [
      [['list', '--topic', 'orders'], 'No topic of this name has dead letters'],
      [['list', '--from', 'yesterday'], 'query.from'],
      [['show', 'order.confirmed.dlq'], 'topic:partition:offset'],
      [['show', 'order.confirmed.dlq:0:0'], 'Nothing is kept at this position'],
      [['redrive', '--filter', 'error=TooOld'], '--filter needs topic'],
      [['redrive', '--filter', 'topic=order.confirmed', '--filter', 'age=1'], '--filter age=1'],
      [['resume', 'best-sellers.0_0'], 'UNKNOWN_TASK'],
    ] as const) {
      const { code, stderr } = await dlq(dataDir, ...args)
      expect([args, code, stderr]).toEqual([args, 2, expect.stringContaining(message)])
    }
    await stop(shop)
  })
})

describe('F22: a flood of poison', () => {
  test('pauses the task, which health, metrics and the log tell, until an operator lets it go on', async () => {
    const dataDir = freshDirectory()
    const ids = Array.from({ length: 9 }, (_, index) => `o-${index}`)
    await withOrdersAhead(dataDir, 2 * HOUR_MS, ids)
    const shop = await startShop(
      dataDir,
      ...['deadLetters.leastDeadLetters=5', 'deadLetters.cooldownMs=unlimited'].flatMap((one) => [
        '--set',
        one,
      ]),
    )
    await shop.said(/dead-letter-flood/)
    const metrics = await (await fetch(`${shop.url}/metrics`)).text()
    const task = /millrace_task_paused\{topology="best-sellers",task="([^"]+)"\} 1/.exec(metrics)?.[1] ?? ''
    expect(metrics).toMatch(/millrace_incidents_total\{kind="dead-letter-flood"\} 1/)
    const ready = await getJson(`${shop.url}/readyz`)
    expect(ready['checks']).toContainEqual({
      name: 'dead letters',
      ok: true,
      detail: `paused: ${task} (order.confirmed)`,
    })
    const count = async () => ((await getJson(`${shop.url}/v1/ops/dlq`))['items'] as unknown[]).length
    expect(await count()).toBe(5)
    const resumed = await dlq(dataDir, 'resume', task)
    expect(JSON.parse(resumed.stdout)).toMatchObject({ task, topic: 'order.confirmed', deadLetters: 5 })
    await expect.poll(count, SLOW).toBe(9)
    expect((await stop(shop)).code).toBe(0)
  })
})
