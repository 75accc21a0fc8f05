/** kill -9 of a shop in the middle of sending mails: every customer is told, and once, by Message-ID. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import { MailServer } from '../support/mail-server.ts'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { valuesOf } from '../support/read-all.ts'
import { scratchDirectory } from '../support/scratch.ts'
import type { MailProcessOptions } from './mail-process.ts'

const script = join(import.meta.dirname, 'mail-process.ts')
const seed = seedOfRun()
const kills = crashRuns(3)
/** Deliveries of a life after which it is killed, at most. */
const MOST_DELIVERIES = 6

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

/** Resolves when so many lines that begin so were said. */
async function seen(child: Child, begin: string, count: number): Promise<void> {
  let left = count
  await child.line((line) => line.startsWith(begin) && --left <= 0)
}

test(`I22: after ${kills} kills -9 while mails are sent, the server has every Message-ID that is due and no other (CRASH_SEED=${seed})`, async () => {
  const server = await MailServer.open()
  const random = seededRandom(seed)
  const directory = await scratchDirectory('mail')
  const start = (life: number): Child => {
    const options: MailProcessOptions = { directory, port: server.port, life }
    return startChild(script, [JSON.stringify(options)])
  }
  for (let life = 0; life < kills; life++) {
    const child = start(life)
    await seen(child, 'delivered', 1 + random.below(MOST_DELIVERIES))
    if (random.below(2) === 0) server.cuts = Math.max(0, server.cuts) + 1 + random.below(2)
    await seen(child, 'delivered', 1 + random.below(MOST_DELIVERIES))
    await child.kill()
  }
  const last = start(kills)
  await seen(last, 'delivered', MOST_DELIVERIES)
  last.send('no more')
  await last.line((line) => line === 'drained')
  last.send('end')
  expect((await last.exited).code).toBe(0)

  const log = await openEmbeddedLog({ directory, application: APPLICATION })
  const orders = new Set((await valuesOf(log, topics.orderCompleted)).map(({ orderId }) => orderId))
  const mails = await valuesOf(log, topics.mailRequested)
  const sent = await valuesOf(log, topics.mailSent)
  await log.close()
  expect(mails.map(({ orderId }) => orderId).toSorted()).toEqual([...orders].toSorted())
  expect(server.ids.toSorted()).toEqual(mails.map(({ mailId }) => `<${mailId}@shop.example>`).toSorted())
  expect(sent.map(({ mailId, status }) => `${mailId} ${status}`).toSorted()).toEqual(
    mails.map(({ mailId }) => `${mailId} SENT`).toSorted(),
  )
  const twice = server.received.length - server.ids.length
  console.log(`seed ${seed}: ${kills} kills, ${mails.length} mails, ${twice} of them arrived twice`)
})
