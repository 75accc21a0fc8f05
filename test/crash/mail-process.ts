/**
 * A shop whose customers get mails, in a process that the test kills: it appends completed orders, some of them twice, as
 * fast as the log takes them; a line on its input ends that, and it says `drained` once every mail is through.
 */
import { once } from 'node:events'
import {
  ConnectorRunner,
  connectorTopics,
  mailConnector,
  noConnectorHooks,
  smtpTransport,
} from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import { Streams, systemClock } from '../../streams/index.ts'
import { mailer } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { testCertificate } from '../support/certificate.ts'
import { drained, tell } from '../support/connector-process.ts'
import { APPLICATION, appendRecord, topicSpec } from '../support/engine-shop.ts'
import { LOGIN } from '../support/mail-server.ts'

export interface MailProcessOptions {
  readonly directory: string
  readonly port: number
  readonly life: number
}

/** Facts in one append. */
const CALL = 10
/** Between two appends, milliseconds. */
const PACE_MS = 20

const { directory, port, life } = JSON.parse(process.argv[2] as string) as MailProcessOptions
process.stdin.on('end', () => process.exit(0))
const log = await openEmbeddedLog({ directory, application: APPLICATION })
const connector = mailConnector({
  topics,
  clock: systemClock,
  openTransport: () =>
    Promise.resolve(
      smtpTransport({
        host: 'localhost',
        port,
        security: 'tls',
        ca: testCertificate,
        ...LOGIN,
        connections: 3,
        timeoutMs: 5_000,
        from: 'shop@shop.example',
      }),
    ),
  addressee: ({ userId }) => Promise.resolve({ email: `${userId}@example.org`, locale: undefined }),
  titles: () => [],
  shopName: 'Shop',
  domain: 'shop.example',
  timeZone: 'UTC',
  language: 'en',
  perSecond: 1_000,
  concurrency: 3,
  retryAfterMs: 200,
  giveUpAfterMs: 60_000,
  delivery: { batchRecords: 10, backoffMs: 20, maxBackoffMs: 200, openMs: 200 },
})
const topologies = [mailer({ currency: 'GBP' })]
const streams = new Streams({ application: APPLICATION, topologies, log, topicSpec, commitIntervalMs: 10 })
await log.ensureTopics(connectorTopics(connector).map(topicSpec))
await streams.open()
await streams.ready()
const runner = new ConnectorRunner({
  application: APPLICATION,
  connector,
  log,
  clock: systemClock,
  random: Math.random,
  hooks: {
    ...noConnectorHooks,
    onDelivered: (_name, records) => tell(`delivered ${records}`),
    onFailure: (_name, kind, cause) => tell(`failed ${kind}: ${cause.message}`),
  },
})
await runner.start()
streams.run()
tell('opened')

let ended = false
process.stdin.once('data', () => (ended = true))
for (let call = 0; !ended; call++) {
  const now = Date.now()
  const facts = Array.from({ length: CALL }, (_, i) => {
    // Every fifth comes twice.
    const orderId = `o${life}-${call}-${i % 5 === 4 ? i - 1 : i}`
    const userId = `u${i}`
    const value = {
      orderId,
      userId: i % 5 === 4 ? `u${i - 1}` : userId,
      items: [],
      finalAmount: 100,
      completedAt: now,
    }
    return appendRecord({ topic: 'order.completed', key: orderId, value }, now, call * CALL + i)
  })
  // Everybody has an address; what it is nobody opens here.
  const profiles = Array.from({ length: call === 0 ? CALL : 0 }, (_, i) => {
    const value = { userId: `u${i}`, email: Buffer.from(`sealed ${i}`), locale: null }
    return appendRecord({ topic: 'user.profile', key: `u${i}`, value }, now, i)
  })
  await log.append([...profiles, ...facts])
  tell('appended')
  await new Promise((resolve) => setTimeout(resolve, PACE_MS))
}
await drained(connector, topics.mailRequested.name, streams, log)
tell('drained')
await once(process.stdin, 'data')
await runner.stop()
await streams.close()
await log.close()
process.exit(0)
