/** Where the world comes in: HTTP, the control socket, and the file that says where they are. */
import { randomFillSync } from 'node:crypto'
import {
  type Api,
  createApi,
  type PeerOptions,
  type Pipeline,
  uuid7Ids,
  type Webhooks,
} from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import type { Topics } from '../../schemas/index.ts'
import type { AnyTopic, Clock } from '../../streams/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import type { Closing } from '../closing.ts'
import { controlAddress, removeRunFile, writeRunFile } from '../control/run-file.ts'
import { ControlServer } from '../control/server.ts'
import type { ShopDirectory } from './shop-log.ts'

export interface DoorsOptions {
  readonly config: Config
  readonly version: string
  readonly directory: ShopDirectory
  readonly topics: Topics
  /** What shops write themselves. */
  readonly external: readonly AnyTopic[]
  readonly pipeline: Pipeline
  readonly telemetry: Telemetry
  readonly clock: Clock
}

export interface Doors {
  /** Where HTTP listens, `http://host:port`. */
  readonly url: string
  /** Takes no more requests and finishes those in work. Idempotent. */
  shut(): Promise<void>
}

/** Opens all of them; `closing` closes them, also when one does not open. */
export async function openDoors(options: DoorsOptions, closing: Closing): Promise<Doors> {
  const { config, directory, clock, version } = options
  const api = apiOf(options)
  closing.add('HTTP', () => api.close())
  const url = await api.listen()
  const address = controlAddress(config.dataDir)
  const control = await ControlServer.listen(address, async (request) => {
    if (request.command === 'ping') return { pid: process.pid, url, version }
    const startedAt = clock.monotonic()
    await directory.backup(request.directory)
    return { directory: request.directory, seconds: (clock.monotonic() - startedAt) / 1000 }
  })
  closing.add('control socket', () => control.close())
  const startedAt = new Date(clock.now()).toISOString()
  writeRunFile(config.dataDir, { pid: process.pid, control: address, url, startedAt })
  closing.add('run file', () => removeRunFile(config.dataDir))
  return { url, shut: () => api.close() }
}

function apiOf(options: DoorsOptions): Api {
  const { config, version, directory, topics, external, pipeline, telemetry, clock } = options
  const { http, shop, auth, orders, notifier } = config
  return createApi(
    {
      host: http.host,
      port: http.port,
      currency: shop.currency,
      version,
      tokens: auth.tokens.map(({ id, role, topics: own, token }) => ({
        name: id,
        role,
        secret: token.reveal(),
        topics: role === 'producer' ? own : undefined,
      })),
      limits: {
        sockets: http.maxConnections,
        clientRequestsPerSecond: http.clientRequestsPerSecond,
        clientBurst: http.clientBurst,
      },
      clock,
      ids: uuid7Ids(
        () => clock.now(),
        (pool) => void randomFillSync(pool),
      ),
      cursorSecret: directory.cursorSecret,
      topics,
      external,
      peers: peersOf(config),
      orders: orders.enabled ? { payByMs: orders.payByMs } : undefined,
      userEvents: notifier.enabled,
      webhooks: orders.enabled ? webhooksOf(config) : undefined,
      hooks: {
        onResponse: (route, method, status, ms) => telemetry.onHttpAnswer({ route, method, status, ms }),
        onError: (error, route) => telemetry.incident('http-error', { route, cause: error }),
        onPeerRefused: (refusal) => telemetry.logger.warn(refusal, 'a peer was refused'),
      },
    },
    pipeline,
  )
}

/** Without a secret nobody can be told from a stranger: nothing is passed on then. */
function peersOf({ peers: { secret, allow, address } }: Config): PeerOptions | undefined {
  return secret === undefined ? undefined : { secret: secret.reveal(), allow, self: address }
}

function webhooksOf({ payments, deliveries }: Config): Webhooks {
  const termsOf = ({ webhookSecrets, webhookWindowMs: windowMs }: Config['payments' | 'deliveries']) => {
    return webhookSecrets === undefined
      ? undefined
      : { secrets: webhookSecrets.reveal().split(','), windowMs }
  }
  return { payments: termsOf(payments), deliveries: termsOf(deliveries) }
}
