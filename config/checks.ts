/** What must hold between keys, each with its reason. */
import { isIP } from 'node:net'
import { dataPlatformIsWhole, outboxIsWhole } from './data-platform-checks.ts'
import type { ConfigProblem } from './errors.ts'
import type { ConfigValues } from './schema.ts'
import { Secret } from './secret.ts'
import { containedPath, type Environment, readSecretFile } from './sources.ts'

export type Role = 'read' | 'producer' | 'service' | 'admin'

/** Who holds a token, and what for. */
export interface TokenGrant {
  /** Name of the principal; unique. */
  readonly id: string
  readonly role: Role
  /** Topics that a producer may send to; empty for the others. */
  readonly topics: readonly string[]
  readonly token: Secret
}

type Origin = (path: string) => string
type Producer = ConfigValues['auth']['producers'][number]

const tokenPattern = /^[\x21-\x7e]{16,4096}$/

/** Every token with its holder; the tokens of producers are fetched from where they lie. */
export function grantsOf(
  auth: ConfigValues['auth'],
  env: Environment,
  cwd: string,
  origin: Origin,
): { readonly grants: readonly TokenGrant[]; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const grants: TokenGrant[] = []
  for (const role of ['read', 'service', 'admin'] as const) {
    const token = auth[`${role}Token`]
    if (token !== undefined) grants.push({ id: role, role, topics: [], token: new Secret(token) })
  }
  auth.producers.forEach((producer, index) => {
    const key = `auth.producers[${index}]`
    const refuse = (message: string): void => {
      problems.push({ key, origin: origin('auth.producers'), message: `${producer.id}: ${message}` })
    }
    try {
      const token = tokenOf(producer, env, cwd)
      if (!tokenPattern.test(token)) refuse('its token is not 16 to 4096 visible ASCII characters')
      grants.push({ id: producer.id, role: 'producer', topics: producer.topics, token: new Secret(token) })
    } catch (error) {
      refuse((error as Error).message)
    }
  })
  return { grants, problems }
}

function tokenOf({ tokenFile, tokenEnv }: Producer, env: Environment, cwd: string): string {
  if ((tokenFile === undefined) === (tokenEnv === undefined))
    throw new Error('give it tokenFile or tokenEnv, one of them')
  if (tokenFile !== undefined) return readSecretFile(containedPath(tokenFile, cwd), cwd)
  const token = env[tokenEnv as string]
  if (token === undefined) throw new Error(`the variable ${tokenEnv} is not set`)
  return token
}

export function crossChecks(
  values: ConfigValues,
  grants: readonly TokenGrant[],
  origin: Origin,
): readonly ConfigProblem[] {
  return [
    ...publicAddressNeedsTokens(values, grants, origin),
    ...grantsAreDistinct(grants, origin),
    ...timeZoneExists(values, origin),
    ...windowsOutliveTheirGrace(values, origin),
    ...groupsKeepOnePartitionCount(values, origin),
    ...kafkaSecurityIsWhole(values, origin),
    ...copiesSuffice(values, origin),
    ...workersNeedKafka(values, origin),
    ...sentinelNeedsExactlyOnce(values, origin),
    ...floodsFitTheirWindow(values, origin),
    ...ordersAreKnownLongEnough(values, origin),
    ...couponsComeInTime(values, origin),
    ...providersAreReached(values, origin),
    ...dataPlatformIsWhole(values, origin),
    ...outboxIsWhole(values, origin),
  ]
}

/** Without tokens everything is allowed, so nobody but this machine may come in. */
function publicAddressNeedsTokens(
  { http }: ConfigValues,
  grants: readonly TokenGrant[],
  origin: Origin,
): ConfigProblem[] {
  if (isLoopback(http.host)) return []
  const missing = (['read', 'admin'] as const).filter((role) => !grants.some((grant) => grant.role === role))
  if (missing.length === 0) return []
  const variables = missing.map((role) => `MILLRACE_${role.toUpperCase()}_TOKEN`).join(' and ')
  const message = `${http.host} can be reached from other machines; set ${variables} (or …_FILE), or listen on 127.0.0.1`
  return [{ key: 'http.host', origin: origin('http.host'), message }]
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1'
}

/** One token for two would give the weaker one the rights of the stronger. */
function grantsAreDistinct(grants: readonly TokenGrant[], origin: Origin): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const ids = new Set<string>()
  const holders = new Map<string, string>()
  for (const { id, role, token } of grants) {
    const key = role === 'producer' ? 'auth.producers' : `auth.${role}Token`
    const refuse = (message: string): void => void problems.push({ key, origin: origin(key), message })
    if (ids.has(id)) refuse(`the id ${id} is given twice`)
    ids.add(id)
    const holder = holders.get(token.reveal())
    if (holder !== undefined) refuse(`${id} has the same token as ${holder}`)
    holders.set(token.reveal(), id)
  }
  return problems
}

function timeZoneExists({ shop }: ConfigValues, origin: Origin): ConfigProblem[] {
  try {
    new Intl.DateTimeFormat('en', { timeZone: shop.timeZone })
    return []
  } catch {
    const message = `${JSON.stringify(shop.timeZone)} is not an IANA time zone such as Europe/London`
    return [{ key: 'shop.timeZone', origin: origin('shop.timeZone'), message }]
  }
}

/** A window that is deleted before it closes would never have a final board. */
function windowsOutliveTheirGrace({ ranking }: ConfigValues, origin: Origin): ConfigProblem[] {
  const { graceMs, retentionMs } = ranking
  if (retentionMs === 'unlimited' || retentionMs >= graceMs) return []
  const message = `${retentionMs} is less than ranking.graceMs, ${graceMs}`
  return [{ key: 'ranking.retentionMs', origin: origin('ranking.retentionMs'), message }]
}

/** What wallets read side by side. */
const WALLET_GROUPS: readonly (readonly string[])[] = [
  ['coupon.campaign', 'coupon.issued'],
  ['coupon.use.requested', 'coupon.restore.requested', 'coupon.revoke.requested'],
]

/** What the topologies of the order saga read side by side: the orchestrator, then each service. */
const ORDER_GROUPS: readonly (readonly string[])[] = [
  [
    'order.created',
    'order.cancel.requested',
    'order.return.requested',
    'order.repair.requested',
    'stock.reserve.result',
    'point.deduct.result',
    'coupon.use.result',
    'restore.result',
    'payment.result',
    'payment.refund.result',
    'delivery.result',
    'delivery.cancel.result',
  ],
  ['stock.reserve.requested', 'stock.restore.requested', 'stock.commit.requested', 'stock.adjust.requested'],
  ['point.deduct.requested', 'point.restore.requested', 'point.adjust.requested'],
  ['payment.requested', 'payment.refund.requested', 'payment.call.result'],
  ['delivery.requested', 'delivery.cancel.requested', 'delivery.call.result'],
]

/** What a gateway reads besides: the answers of whoever had its place before. */
const PAYMENT_GATEWAY_GROUP = ['payment.requested', 'payment.result', 'payment.refund.result']
const DELIVERY_GATEWAY_GROUP = ['delivery.requested', 'delivery.result', 'delivery.cancel.result']

const MAIL_GROUP = ['mail.requested', 'mail.retry.requested']

/** What the sentinel of orders reads besides: facts under the orderId, and those under the userId. */
const WATCHED_ORDER_GROUPS: readonly (readonly string[])[] = [
  [
    'order.status',
    'order.confirmed',
    'order.completed',
    'order.failed',
    'order.cancelled',
    'order.returned',
    'stock.reserve.result',
    'point.deduct.result',
    'coupon.use.result',
    'restore.result',
    'payment.requested',
    'payment.result',
    'payment.refund.requested',
  ],
  ['coupon.used', 'point.earned'],
]

/** Topics that one task reads side by side need the same number of partitions. */
function groupsKeepOnePartitionCount(
  { topics, sentinel, orders, payments, deliveries, mail }: ConfigValues,
  origin: Origin,
): ConfigProblem[] {
  const watched = ['coupon.campaign', 'coupon.quota', 'coupon.issued', 'coupon.issue.rejected']
  const groups = [
    ['coupon.campaign.requested', 'coupon.issue.requested', ...(sentinel.enabled ? watched : [])],
    ['order.confirmed', 'order.cancelled', 'order.returned'],
    ...WALLET_GROUPS,
    ...(orders.enabled ? ORDER_GROUPS : []),
    ...(orders.enabled && sentinel.enabled ? WATCHED_ORDER_GROUPS : []),
    ...(orders.enabled && payments.url !== undefined ? [PAYMENT_GATEWAY_GROUP] : []),
    ...(orders.enabled && deliveries.url !== undefined ? [DELIVERY_GATEWAY_GROUP] : []),
    ...(orders.enabled && mail.transport !== 'off' ? [MAIL_GROUP] : []),
  ]
  return groups.flatMap((group) => {
    const counts = group.map((topic) => topics.overrides[topic]?.partitions ?? topics.partitions)
    if (new Set(counts).size === 1) return []
    const message = `${group.map((topic, index) => `${topic} ${counts[index]}`).join(', ')}: these need the same number of partitions`
    return [{ key: 'topics.overrides', origin: origin('topics.overrides'), message }]
  })
}

/** Half of a credential connects nowhere, and a password in the clear is everybody's. */
function kafkaSecurityIsWhole({ kafka }: ConfigValues, origin: Origin): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const refuse = (name: keyof ConfigValues['kafka'], message: string): void => {
    problems.push({ key: `kafka.${name}`, origin: origin(`kafka.${name}`), message })
  }
  const { saslMechanism, tls, tlsCertFile, tlsKeyFile, tlsCaFile } = kafka
  if (saslMechanism === 'plain' && !tls && !kafka.brokers.every(isLoopbackAddress))
    refuse('saslMechanism', 'plain sends the password as it is: set kafka.tls')
  if (saslMechanism === 'oauthbearer' && kafka.oauthTokenFile === undefined)
    refuse('oauthTokenFile', 'oauthbearer needs it')
  if (saslMechanism === 'plain' || saslMechanism.startsWith('scram-')) {
    if (kafka.saslUsername === undefined) refuse('saslUsername', `${saslMechanism} needs it`)
    if (kafka.saslPassword === undefined) refuse('saslPassword', `${saslMechanism} needs it`)
  }
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined))
    refuse('tlsCertFile', 'a certificate and its key go together')
  if (!tls && (tlsCaFile ?? tlsCertFile) !== undefined)
    refuse('tls', 'certificates are given, but tls is off')
  return problems
}

function isLoopbackAddress(address: string): boolean {
  return isLoopback(address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'))
}

/** A write that more copies must have than there are is never taken. */
function copiesSuffice({ kafka }: ConfigValues, origin: Origin): ConfigProblem[] {
  if (kafka.minInSyncReplicas <= kafka.replicationFactor) return []
  const message = `${kafka.minInSyncReplicas} is more than kafka.replicationFactor, ${kafka.replicationFactor}`
  return [{ key: 'kafka.minInSyncReplicas', origin: origin('kafka.minInSyncReplicas'), message }]
}

/** One data directory has one embedded log, and one process that writes it. */
function workersNeedKafka({ workers, kafka }: ConfigValues, origin: Origin): ConfigProblem[] {
  if (workers === 1 || kafka.brokers.length > 0) return []
  const message = 'more than one process needs kafka.brokers'
  return [{ key: 'workers', origin: origin('workers'), message }]
}

/** Without transactions a verdict may be there twice, and the sentinel may have counted it twice. */
function sentinelNeedsExactlyOnce({ sentinel, kafka }: ConfigValues, origin: Origin): ConfigProblem[] {
  if (!sentinel.enabled || kafka.guarantee === 'exactly-once') return []
  const message = 'the sentinel cannot tell what comes twice by design; it needs kafka.guarantee exactly-once'
  return [{ key: 'sentinel.enabled', origin: origin('sentinel.enabled'), message }]
}

/** A flood that no window can hold would switch the breaker off without saying so. */
function floodsFitTheirWindow({ deadLetters }: ConfigValues, origin: Origin): ConfigProblem[] {
  const { leastDeadLetters, windowRecords } = deadLetters
  if (leastDeadLetters <= windowRecords) return []
  const message = `${leastDeadLetters} is more than deadLetters.windowRecords, ${windowRecords}: it would never open`
  return [{ key: 'deadLetters.leastDeadLetters', origin: origin('deadLetters.leastDeadLetters'), message }]
}

/** Services forget what they did; a command that the log still has must not be one they know nothing of. */
function ordersAreKnownLongEnough({ orders, topics }: ConfigValues, origin: Origin): ConfigProblem[] {
  if (!orders.enabled) return []
  const problems: ConfigProblem[] = []
  const refuse = (name: 'keepMs' | 'returnsMs', message: string): void => {
    problems.push({ key: `orders.${name}`, origin: origin(`orders.${name}`), message })
  }
  const commands = [...WALLET_GROUPS, ...ORDER_GROUPS].flat().filter((topic) => topic.endsWith('.requested'))
  for (const topic of commands) {
    const retentionMs = topics.overrides[topic]?.retentionMs ?? topics.retentionMs
    // Where nothing ever goes, a command of any age may come; it is put aside as too old.
    if (retentionMs === 'unlimited' || retentionMs < orders.keepMs) continue
    const lower = topics.overrides[topic]?.retentionMs === undefined ? 'topics.retentionMs' : 'its override'
    const why = `${orders.keepMs} is not longer than ${topic} is kept, ${retentionMs}`
    refuse('keepMs', `${why}: raise orders.keepMs, or lower ${lower}`)
    break
  }
  if (orders.returnsMs < orders.keepMs)
    refuse('returnsMs', `${orders.returnsMs} is less than orders.keepMs, ${orders.keepMs}`)
  return problems
}

/** The wallet must answer before the order asks again. */
function couponsComeInTime({ orders }: ConfigValues, origin: Origin): ConfigProblem[] {
  const { enabled, couponWaitMs, stepTimeoutMs } = orders
  if (!enabled || couponWaitMs < stepTimeoutMs) return []
  const message = `${couponWaitMs} is not less than orders.stepTimeoutMs, ${stepTimeoutMs}`
  return [{ key: 'orders.couponWaitMs', origin: origin('orders.couponWaitMs'), message }]
}

/** Tokens, addresses and money do not cross a network in the clear; news that nobody asked for change nothing. */
function providersAreReached(values: ConfigValues, origin: Origin): ConfigProblem[] {
  return (['payments', 'deliveries'] as const).flatMap((name) => {
    const { url, webhookSecrets } = values[name]
    const refuse = (key: string, message: string): ConfigProblem[] => {
      return [{ key: `${name}.${key}`, origin: origin(`${name}.${key}`), message }]
    }
    if (url === undefined)
      return webhookSecrets === undefined ? [] : refuse('webhookSecrets', `needs ${name}.url`)
    const parsed = URL.parse(url)
    if (parsed === null) return refuse('url', 'is no URL')
    const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
    if (parsed.protocol === 'https:' || isLoopback(host)) return []
    return refuse('url', `${host} can be reached over a network: use https`)
  })
}
