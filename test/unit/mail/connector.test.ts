/** What becomes of each mail, and where addresses go: to the mail server and nowhere else (I25). */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  fileTransport,
  mailConnector,
  type MailConnectorOptions,
  type MailTransport,
  type OutgoingMail,
  Unavailable,
} from '../../../connectors/index.ts'
import { completedMail } from '../../../processors/index.ts'
import { type MailRequested, type MailSent, topics } from '../../../schemas/index.ts'
import { formatUuid7, NO_HEADERS } from '../../../streams/index.ts'
import { createLogger, Telemetry } from '../../../telemetry/index.ts'
import { ConnectorRig, until } from '../../support/connector-rig.ts'
import { readAll, valuesOf } from '../../support/read-all.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { completed } from './given.ts'

const MINUTE_MS = 60_000
const ADDRESS = 'ann.secret@hidden.example'

function asked(orderId: string, changes: Partial<MailRequested> = {}): MailRequested {
  const email = Buffer.from('sealed')
  return { ...completedMail(completed({ orderId }), 'GBP'), email, ...changes }
}

class Post implements MailTransport {
  readonly sent: OutgoingMail[] = []
  answer: MailTransport['send'] = () => Promise.resolve({ status: 'SENT' })

  async send(mail: OutgoingMail, signal: AbortSignal) {
    const outcome = await this.answer(mail, signal)
    if (outcome.status === 'SENT') this.sent.push(mail)
    return outcome
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

async function desk(post: MailTransport, options: Partial<MailConnectorOptions> = {}) {
  const rig = await ConnectorRig.open('memory')
  const lines: string[] = []
  const logger = createLogger({ level: 'trace', format: 'json', write: (line) => void lines.push(line) })
  const telemetry = new Telemetry({ logger, version: '1', maxCampaigns: 1 })
  const connector = mailConnector({
    topics,
    clock: rig.clock,
    openTransport: () => Promise.resolve(post),
    addressee: () => Promise.resolve({ email: ADDRESS, locale: undefined }),
    titles: (ids) => ids.map((id) => (id === 'mug' ? 'Blue mug' : undefined)),
    shopName: 'Corner Shop',
    domain: 'shop.example',
    timeZone: 'UTC',
    language: 'en',
    perSecond: 1_000,
    concurrency: 4,
    retryAfterMs: MINUTE_MS,
    giveUpAfterMs: 60 * MINUTE_MS,
    ...options,
  })
  const runner = await rig.start(connector, { hooks: telemetry.connectors })
  onTestFinished(() => runner.stop())
  const ask = async (...mails: readonly MailRequested[]): Promise<void> => {
    await rig.log.append(
      mails.map((mail, i) => ({
        topic: topics.mailRequested.name,
        key: Buffer.from(topics.mailRequested.keyOf(mail)),
        value: topics.mailRequested.value.serialize(mail),
        timestamp: rig.clock.now(),
        lineage: { eventId: formatUuid7(rig.clock.now(), i, 1, 1) },
        headers: NO_HEADERS,
      })),
    )
  }
  const outcomes = async (count: number): Promise<MailSent[]> => {
    await until(async () => (await valuesOf(rig.log, topics.mailSent)).length >= count)
    const sent = await valuesOf(rig.log, topics.mailSent)
    return sent.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1))
  }
  return { rig, telemetry, lines, ask, outcomes }
}

test('each mail ends as SENT, SUPPRESSED, NO_ADDRESS, ERASED, BOUNCED or FAILED', async () => {
  const post = new Post()
  post.answer = ({ subject }) => {
    if (subject.includes('o5')) return Promise.resolve({ status: 'BOUNCED', codes: '550 5.1.1' })
    if (subject.includes('o6')) return Promise.resolve({ status: 'FAILED', codes: '554' })
    return Promise.resolve({ status: 'SENT' })
  }
  const { rig, ask, outcomes } = await desk(post, {
    addressee: ({ userId }) =>
      Promise.resolve(userId === 'gone' ? undefined : { email: ADDRESS, locale: 'ko' }),
  })
  const mails = [
    asked('o1'),
    asked('o2', { suppressed: true }),
    asked('o3', { email: null }),
    asked('o4', { userId: 'gone' }),
    asked('o5'),
    asked('o6'),
  ]
  await ask(...mails)
  const ended = (await outcomes(6)).map(({ orderId, status, reason }) => [orderId, status, reason])
  expect(ended).toEqual([
    ['o1', 'SENT', null],
    ['o2', 'SUPPRESSED', null],
    ['o3', 'NO_ADDRESS', null],
    ['o4', 'ERASED', null],
    ['o5', 'BOUNCED', '550 5.1.1'],
    ['o6', 'FAILED', '554'],
  ])
  expect(post.sent).toMatchObject([{ to: ADDRESS, messageId: `<${mails[0]?.mailId}@shop.example>` }])
  expect(post.sent[0]?.text).toContain('Blue mug')
  expect(post.sent[0]?.html).toContain('lang="ko-KR"')
  const suppressed = await valuesOf(rig.log, topics.mailSuppressed)
  expect(suppressed).toMatchObject([{ userId: 'ann', reason: '550 5.1.1', mailId: mails[4]?.mailId }])
  expect(suppressed[0]?.email.toString()).toBe('sealed')
})

test('a mail that is put off for good keeps nobody else waiting, and fails without its address being suppressed', async () => {
  const post = new Post()
  const triedAt: number[] = []
  const { rig, telemetry, ask, outcomes } = await desk(post, {
    delivery: { batchRecords: 5 },
    addressee: ({ userId }) => Promise.resolve({ email: `${userId}@hidden.example`, locale: undefined }),
  })
  post.answer = ({ to }) => {
    if (to !== 'full@hidden.example') return Promise.resolve({ status: 'SENT' })
    triedAt.push(rig.clock.monotonic())
    return Promise.resolve({ status: 'DEFERRED', codes: '452 4.2.2' })
  }
  const names = Array.from({ length: 60 }, (_, i) => `o${10 + i}`)
  await ask(...names.map((orderId) => asked(orderId, { userId: orderId === 'o10' ? 'full' : 'ann' })))
  const others = await outcomes(59)
  expect(others.map(({ orderId, status }) => `${orderId} ${status}`)).toEqual(
    names.slice(1).map((name) => `${name} SENT`),
  )
  expect(triedAt).toHaveLength(1)
  const ended = await outcomes(60)
  expect(ended.find(({ userId }) => userId === 'full')).toMatchObject({
    orderId: 'o10',
    status: 'FAILED',
    reason: '452 4.2.2',
  })
  const waits = triedAt.slice(1).map((at, i) => at - (triedAt[i] ?? 0))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(MINUTE_MS)
  expect((triedAt.at(-1) ?? 0) - (triedAt[0] ?? 0)).toBeGreaterThanOrEqual(60 * MINUTE_MS)
  expect(triedAt.length).toBeLessThanOrEqual(61)
  expect(await valuesOf(rig.log, topics.mailSuppressed)).toEqual([])
  expect(await telemetry.metrics()).not.toMatch(/millrace_connector_failures_total\{/)
})

test('a mail that was put off goes out once the server takes it, once', async () => {
  const post = new Post()
  let tries = 0
  post.answer = () => Promise.resolve(++tries < 3 ? { status: 'DEFERRED', codes: '450' } : { status: 'SENT' })
  const { ask, outcomes } = await desk(post)
  await ask(asked('o1'))
  expect((await outcomes(1)).map(({ status }) => status)).toEqual(['SENT'])
  expect(post.sent).toHaveLength(1)
  expect(tries).toBe(3)
})

test('an address that is more than one, or a header, is none', async () => {
  const post = new Post()
  const evil = ['a@b.c, d@e.f', 'a@b.c\r\nBcc: d@e.f', '"x" <a@b.c>', 'nobody', 'a@b@c']
  let next = 0
  const { ask, outcomes } = await desk(post, {
    addressee: () => Promise.resolve({ email: evil[next++ % evil.length] as string, locale: undefined }),
    concurrency: 1,
  })
  await ask(...evil.map((_, i) => asked(`o${i}`)))
  expect((await outcomes(evil.length)).every(({ status }) => status === 'BOUNCED')).toBe(true)
  expect(post.sent).toEqual([])
})

test('a mail of a template that nobody knows goes to the dead letters', async () => {
  const { rig, ask, outcomes } = await desk(new Post())
  await ask(asked('o1', { template: 'greeting' }), asked('o2'))
  await outcomes(1)
  await until(
    async () =>
      (await rig.log.bounds({ topic: 'mail.requested.dlq', partition: 0 })).end +
        (await rig.log.bounds({ topic: 'mail.requested.dlq', partition: 1 })).end ===
      1,
  )
})

test('I25: no address in topics, dead letters, log lines and metrics, whatever the server says', async () => {
  const post = new Post()
  let tries = 0
  post.answer = ({ to }) => {
    tries++
    if (tries < 4) return Promise.reject(new Unavailable(`busy with ${to}`))
    return Promise.reject(new Error(`550 ${to} is not to my liking`))
  }
  const { rig, telemetry, lines, ask } = await desk(post, { delivery: { attempts: 2 } })
  await ask(asked('o1'))
  const letters = async (): Promise<string[]> =>
    (
      await Promise.all(
        [0, 1].map((partition) => readAll(rig.log, { topic: 'mail.requested.dlq', partition })),
      )
    )
      .flat()
      .map(({ value, headers }) => [value, ...headers.flat()].join())
  await until(async () => (await letters()).length === 1)
  expect((await letters()).join()).not.toContain('hidden.example')
  expect(lines.join()).not.toContain('hidden.example')
  expect(await telemetry.metrics()).not.toContain('hidden.example')
  expect(await telemetry.metrics()).toContain('millrace_connector_failures_total{connector="mail"')
  for (const topic of ['mail.sent', 'mail.suppressed', 'mail.requested'])
    for (const record of await rig.records(topic))
      expect(String(record.value)).not.toContain('hidden.example')
})

test('as files: a mail is one file, whole, and the same when it is written again', async () => {
  const directory = join(await scratchDirectory('mails'), 'mail')
  const post = await fileTransport(directory, 'shop@shop.example')
  const { ask, outcomes } = await desk(post)
  await ask(asked('o1'), asked('o1'))
  expect((await outcomes(2)).map(({ status }) => status)).toEqual(['SENT', 'SENT'])
  const { mailId } = asked('o1')
  expect(await readdir(directory)).toEqual([`${mailId}.eml`])
  const text = await readFile(join(directory, `${mailId}.eml`), 'utf8')
  expect(text).toContain(`Message-ID: <${mailId}@shop.example>`)
  expect(text).toContain(`To: ${ADDRESS}`)
})
