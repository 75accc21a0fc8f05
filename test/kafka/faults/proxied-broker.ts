/** A broker of a file's own whose clients reach it through a proxy. */
import { afterAll } from 'vitest'
import type { LocalCluster } from '../../../cli/local-cluster/cluster.ts'
import { freePort } from '../../../cli/local-cluster/ports.ts'
import { KafkaProxy } from '../../support/kafka-proxy.ts'
import { duringFile, type OwnClusterOptions, startOwn } from '../../support/kafka/own-cluster.ts'

export interface ProxiedBroker extends LocalCluster {
  /** Whoever asks at `bootstrap` is sent here. */
  readonly proxy: KafkaProxy
}

export function proxiedBroker(options: Pick<OwnClusterOptions, 'features'> = {}): () => ProxiedBroker {
  let proxy: KafkaProxy | undefined
  const cluster = duringFile(async (directory) => {
    const port = await freePort()
    const made = (proxy = await KafkaProxy.open(port))
    const started = await startOwn(directory, {
      ...options,
      brokers: 1,
      ports: { brokers: [port] },
      properties: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${made.port}` },
    })
    return { ...started, proxy: made }
  })
  afterAll(() => proxy?.close())
  return cluster
}
