/** Brokers of a file's own whose clients, the other brokers too, reach each of them through a proxy. */
import { afterAll } from 'vitest'
import type { LocalCluster } from '../../../cli/local-cluster/cluster.ts'
import { freePort, LOOPBACK } from '../../../cli/local-cluster/ports.ts'
import { KafkaProxy } from '../../support/kafka-proxy.ts'
import { duringFile, type OwnClusterOptions, startOwn } from '../../support/kafka/own-cluster.ts'

type Options = Pick<OwnClusterOptions, 'features' | 'heapMb'>

export interface ProxiedBroker extends LocalCluster {
  /** Whoever asks at `bootstrap` is sent here. */
  readonly proxy: KafkaProxy
}

export interface ProxiedBrokers extends LocalCluster {
  /** In the order of the brokers; `bootstrap` is them, so that nobody gets past them. */
  readonly proxies: readonly KafkaProxy[]
}

export function proxiedBroker(options: Options = {}): () => ProxiedBroker {
  return proxied(async (directory, opened) => {
    const started = await startProxied(directory, opened, { ...options, brokers: 1 })
    return { ...started, proxy: opened[0] as KafkaProxy }
  })
}

export function threeProxiedBrokers(options: Options = {}): () => ProxiedBrokers {
  return proxied(async (directory, opened) => {
    const started = await startProxied(directory, opened, { ...options, brokers: 3 })
    const bootstrap = opened.map(({ port }) => `${LOOPBACK}:${port}`).join(',')
    return { ...started, bootstrap, proxies: opened }
  })
}

function proxied<T extends LocalCluster>(
  start: (directory: string, opened: KafkaProxy[]) => Promise<T>,
): () => T {
  const opened: KafkaProxy[] = []
  const cluster = duringFile((directory) => start(directory, opened))
  afterAll(async () => {
    for (const proxy of opened) await proxy.close()
  })
  return cluster
}

async function startProxied(
  directory: string,
  opened: KafkaProxy[],
  options: Options & { readonly brokers: 1 | 3 },
): Promise<LocalCluster> {
  const ports: number[] = []
  for (let id = 1; id <= options.brokers; id++) {
    const port = await freePort()
    ports.push(port)
    opened.push(await KafkaProxy.open(port, id))
  }
  const advertised = opened.map(({ port }) => port)
  return startOwn(directory, { ...options, ports: { brokers: ports, advertised } })
}
