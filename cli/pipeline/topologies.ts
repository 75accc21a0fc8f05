/** The topologies of the shop, by configuration. */
import { type Config, ConfigError, nearest } from '../../config/index.ts'
import { deliveryOfTestUsers, paymentOfTestUsers } from '../../processors/index.ts'
import { type Topics, topics as embeddedTopics } from '../../schemas/index.ts'
import { type AnyTopic, type Topology, withTopics } from '../../streams/index.ts'
import {
  bestSellers,
  type BestSellers,
  carts,
  catalog,
  couponIssuance,
  deliveryGateway,
  deliverySandbox,
  mailer,
  notifier,
  orderLines,
  orders,
  orderSentinel,
  paymentGateway,
  paymentSandbox,
  points,
  privacy,
  sentinel,
  stock,
  users,
  wallet,
} from '../../topologies/index.ts'
import { UsageError } from '../errors.ts'
import { sendsMail } from './mail.ts'

const MINUTE_MS = 60_000
/** Calls about one order, or of one batch, that one may have to wait for. */
const CALLS_AHEAD = 6

export interface ShopTopologies {
  readonly all: readonly Topology[]
  /** Those that run in this process. */
  readonly here: readonly Topology[]
  /** Those that writers and readers of a topic wait for: all that decide, not those that watch. */
  readonly deciding: readonly Topology[]
  /** Its stores depend on the configuration; those of the others do not. */
  readonly ranking: BestSellers
}

/** Throws a `ConfigError` where `topologies` names one that there is not. */
export function shopTopologies(config: Config, topics: Topics = embeddedTopics): ShopTopologies {
  const { closing, graceMs, retentionMs } = config.ranking
  const ranking = bestSellers({ closing, graceMs, retentionMs, timeZone: config.shop.timeZone })
  const find = carriedBy(topics)
  const withSerdes = (topology: Topology): Topology => withTopics(topology, find)
  const wallets = wallet({ ...keepingOf(config), waitMs: config.orders.couponWaitMs })
  const taking = config.orders.enabled ? orderTopologies(config) : []
  const deciding = [couponIssuance, wallets, ...taking, catalog, ranking].map(withSerdes)
  const lines = config.dataPlatform.target === 'off' ? [] : [orderLines(retentionMs)]
  const mails = sendsMail(config) ? [mailerOf(config)] : []
  const news = config.notifier.enabled ? [notifier(config.notifier)] : []
  const telling = [...lines, ...mails, ...news]
  const all = [...deciding, ...[...telling, ...watchers(config).on].map(withSerdes)]
  return { all, here: chosen(all, config.topologies), deciding, ranking }
}

/** The topologies of the sentinel: orders are watched where they are taken. */
export function watchers({ sentinel: settings, orders: { enabled: taking } }: Config): {
  readonly on: readonly Topology[]
  readonly off: readonly Topology[]
} {
  const { enabled, ...options } = settings
  const [shop, desk] = [sentinel(options), orderSentinel(options)]
  if (!enabled) return { on: [], off: [shop, desk] }
  return taking ? { on: [shop, desk], off: [] } : { on: [shop], off: [desk] }
}

/** Services did their part before the order ended: what may be returned they know for longer than the order does. */
function keepingOf({ orders: { keepMs, returnsMs, payByMs, deliveryTimeoutMs } }: Config) {
  return { keepMs, keepDoneMs: returnsMs + payByMs + 2 * deliveryTimeoutMs }
}

/** The order saga and its services, besides wallets, which coupons need too. */
function orderTopologies(config: Config): readonly Topology[] {
  const { orders: rules, points: earning, shop } = config
  const { completeOn, payByMs, stepTimeoutMs, deliveryTimeoutMs, returnsMs } = rules
  const { stepAttempts: attempts, backoffMs, maxBackoffMs } = rules
  const keeping = keepingOf(config)
  const validForMs = Number.isFinite(earning.validForMs) ? earning.validForMs : null
  const orchestrator = orders({
    currency: shop.currency,
    completeOn,
    payByMs,
    keepMs: returnsMs,
    patience: { timeoutMs: stepTimeoutMs, retry: { attempts, backoffMs, maxBackoffMs } },
    deliveryPatience: { timeoutMs: deliveryTimeoutMs },
  })
  const tellEntries = config.dataPlatform.target !== 'off'
  const services = [stock(keeping), points({ ...keeping, rateBp: earning.rateBp, validForMs, tellEntries })]
  return [orchestrator, ...services, users, carts, privacy, ...ports(config)]
}

/** It is known that a mail was asked for for as long as services know what came to nothing, and longer than it is news. */
function mailerOf({ shop, mail: { maxAgeMs }, orders: { keepMs } }: Config): Topology {
  return mailer({ currency: shop.currency, maxAgeMs, keepMs: Math.max(keepMs, 2 * maxAgeMs) })
}

/** Payment and courier: over HTTP where there is an address, else played for test users, else nobody's of ours. */
function ports(config: Config): readonly Topology[] {
  const { payments, deliveries, shop } = config
  const keeping = keepingOf(config)
  const played = sandboxesOf(config)
  const { graceMs } = payments
  const { lookMs, maxLookMs } = deliveries
  return [
    ...(payments.url === undefined
      ? []
      : [
          paymentGateway({
            ...keeping,
            currency: shop.currency,
            graceMs,
            asking: askingOf(payments),
            answersMs: keptMs(config, 'payment.result', 'payment.refund.result'),
          }),
        ]),
    ...(played.payments ? [paymentSandbox({ ...keeping, rule: paymentOfTestUsers })] : []),
    ...(deliveries.url === undefined
      ? []
      : [
          deliveryGateway({
            ...keeping,
            asking: askingOf(deliveries),
            lookMs,
            maxLookMs,
            answersMs: keptMs(config, 'delivery.result', 'delivery.cancel.result'),
          }),
        ]),
    ...(played.deliveries ? [deliverySandbox({ ...keeping, rule: deliveryOfTestUsers })] : []),
  ]
}

/** How long all of these topics are kept, milliseconds. */
function keptMs({ topics }: Config, ...names: readonly string[]): number {
  return Math.min(...names.map((name) => topics.overrides[name]?.retentionMs ?? topics.retentionMs))
}

/** Which of them are played. */
export function sandboxesOf({ orders: { sandboxes }, payments, deliveries }: Config): {
  readonly payments: boolean
  readonly deliveries: boolean
} {
  return {
    payments: sandboxes && payments.url === undefined,
    deliveries: sandboxes && deliveries.url === undefined,
  }
}

/** A call waits in the log until its turn: it is worth something for longer than it takes. */
function askingOf({ timeoutMs, backoffMs, maxBackoffMs, alarmMs }: Config['payments' | 'deliveries']) {
  return { answerMs: Math.max(MINUTE_MS, CALLS_AHEAD * timeoutMs), backoffMs, maxBackoffMs, alarmMs }
}

/**
 * What takes the place of a topic. Those of a topology's own that carry a record of the catalogue are read by processes
 * of other releases as well: their schemas and ids are those of the catalogue too.
 */
function carriedBy(topics: Topics): (topic: AnyTopic) => AnyTopic | undefined {
  const names = Object.keys(topics) as (keyof Topics)[]
  const byName = new Map<string, AnyTopic>(names.map((name) => [topics[name].name, topics[name]]))
  const serdes = new Map<AnyTopic['value'], AnyTopic['value']>(
    names.map((name) => [embeddedTopics[name].value, topics[name].value]),
  )
  return (topic) => {
    const value = serdes.get(topic.value)
    return byName.get(topic.name) ?? (value === undefined ? undefined : { ...topic, value })
  }
}

/** Throws a `UsageError` where the program has no such topology. */
export function knownTopology(config: Config, name: string): Topology {
  const { all } = shopTopologies(config)
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageError(`there is no topology ${name}; ${hintFor(name, all)}`)
}

/** What somebody may have meant who asked for a name that there is not. */
export function hintFor(name: string, topologies: readonly Topology[]): string {
  const known = topologies.map((topology) => topology.name)
  const near = nearest(name, known)
  return near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`
}

function chosen(all: readonly Topology[], names: readonly string[]): readonly Topology[] {
  const known = all.map(({ name }) => name)
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const message = `there is no ${name}; ${hintFor(name, all)}`
      return { key: 'topologies', origin: 'configuration', message }
    })
  if (problems.length > 0) throw new ConfigError(problems)
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
}
