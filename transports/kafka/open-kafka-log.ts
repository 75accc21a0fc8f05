/** Opens a `KafkaLog` on real brokers: its own file, so that the log itself stands on ports alone. */
import { systemClock } from '../../streams/index.ts'
import { Cluster } from './cluster.ts'
import { type ConnectionOptions, Connections } from './connections.ts'
import { KafkaLog } from './kafka-log.ts'
import type { KafkaLogOptions } from './kafka-log-options.ts'
import type { Network } from './network.ts'
import { selfTest } from './self-test.ts'

export interface OpenKafkaLogOptions extends KafkaLogOptions {
  readonly connection: ConnectionOptions
  /** Whether the start waits as long as it takes for a cluster that is away; else for half a minute. */
  readonly waitsForCluster?: boolean
  /** Gives up waiting for the cluster. Has no effect later. */
  readonly signal?: AbortSignal
}

/**
 * Waits for the cluster. Throws what `Cluster.open` throws: `BROKER_UNSUPPORTED`, `AUTHENTICATION_FAILED`, `TLS_FAILED`,
 * and `CONNECTION_FAILED` when no broker answered for half a minute, unless it `waitsForCluster`.
 */
export async function openKafkaLog(options: OpenKafkaLogOptions): Promise<KafkaLog> {
  if (options.guarantee !== 'at-least-once') selfTest()
  const network = networkOf(options.connection)
  const questions = network.connections('questions')
  const onUnavailable =
    options.waitsForCluster === true
      ? (error: Error): void => options.hooks?.onUnavailable?.(error)
      : undefined
  const cluster = new Cluster(questions, { clock: network.clock, onUnavailable })
  const giveUp = (): void => cluster.close()
  options.signal?.addEventListener('abort', giveUp, { once: true })
  try {
    await cluster.open()
    return new KafkaLog(options, network, questions, cluster)
  } catch (error) {
    cluster.close()
    await questions.close()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', giveUp)
  }
}

/** The machine's sockets and clocks. */
export function networkOf(connection: ConnectionOptions): Network {
  return { clock: systemClock, connections: (purpose) => new Connections(connection, purpose) }
}
