/**
 * One or three Kafka brokers, and a schema registry where wanted, on this machine's loopback.
 *
 * Its records stay in the directory: the same directory gives the same cluster, on other ports if need be.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type FetchOptions, KAFKA_VERSION, kafkaJars, registryJar } from './artifacts.ts'
import { Broker, jvmOptions, logDirectoryOf } from './broker.ts'
import { openClusterDirectory } from './cluster-file.ts'
import { type Environment, findJava } from './java.ts'
import type { DeathWatcher, LocalServer } from './local-server.ts'
import { freePort, LOOPBACK } from './ports.ts'
import { type Member, memberProperties, type Properties, type SecondListener } from './properties.ts'
import { Registry } from './registry.ts'

/** Three share one machine with whatever is tried on them. */
const HEAP_MB = Object.freeze({ 1: 768, 3: 512 })

export interface ClusterOptions {
  readonly brokers: 1 | 3
  /** Empty, new, or of a cluster with as many brokers and the same version. */
  readonly directory: string
  /** Of Kafka; else `KAFKA_VERSION`. */
  readonly version?: string | undefined
  /** Else there is none. */
  readonly registry?: boolean | undefined
  /** Those that are not named are free ones. */
  readonly ports?: {
    readonly brokers?: readonly number[] | undefined
    /** Where clients are sent instead, one each, because something stands between. */
    readonly advertised?: readonly number[] | undefined
    readonly registry?: number | undefined
  }
  /** Settings of every broker, over those that are made here. */
  readonly properties?: Properties | undefined
  /** Else there is the plain one only. Its users are made once, with the directory. */
  readonly secondListener?: SecondListener | undefined
  /** Levels that a new cluster begins with, `{ 'transaction.version': 0 }`; else the version's own. */
  readonly features?: Readonly<Record<string, number>> | undefined
  /** Of each broker. */
  readonly heapMb?: number | undefined
  /** `start` for processes of seconds or minutes; else they are compiled for throughput. */
  readonly tunedFor?: 'start' | 'throughput' | undefined
  /** Where Java, Maven and the cache are looked for; else this process's own. */
  readonly env?: Environment | undefined
  /** Ends what has been started so far. Has no effect later. */
  readonly signal?: AbortSignal | undefined
  readonly onFetch?: FetchOptions['onFetch']
}

export interface LocalCluster {
  /** `host:port`, with commas between. */
  readonly bootstrap: string
  /** The same of the second listener. */
  readonly secondBootstrap: string | undefined
  readonly registryUrl: string | undefined
  readonly brokers: readonly Broker[]
  readonly registry: Registry | undefined
  readonly version: string
  /** What runs Kafka's tools, and the folder of their jars. */
  readonly java: string
  readonly jars: string
  /** Calls back when a process ends without having been asked to. */
  onDeath(watcher: DeathWatcher): void
  /** Ends all in order. Idempotent. */
  stop(): Promise<void>
  /** Ends all at once, for directories that nobody needs any more. Idempotent. */
  kill(): Promise<void>
}

/**
 * Resolves when every broker and the registry answer. Rejects with a `LocalClusterError`, a `DirectoryError`, a
 * `UsageError` for a version that is none, or the signal's reason; nothing runs then.
 */
export async function startCluster(options: ClusterOptions): Promise<LocalCluster> {
  const { signal, directory, version = KAFKA_VERSION, env = process.env } = options
  const java = await findJava(env)
  const fetching = { env, signal, onFetch: options.onFetch }
  const jars = await kafkaJars(version, fetching)
  const jar = options.registry === true ? await registryJar(fetching) : undefined
  const { clusterId } = await openClusterDirectory(directory, {
    brokers: options.brokers,
    kafkaVersion: version,
  })
  const brokers = await makeBrokers(options, java, jars)
  const registry = jar === undefined ? undefined : await makeRegistry(options, java, jar)
  const servers: readonly LocalServer[] = [...brokers, ...(registry === undefined ? [] : [registry])]
  const all = async (act: (server: LocalServer) => Promise<void>): Promise<void> => {
    await Promise.all(servers.map(act))
  }
  const kill = (): Promise<void> => all((server) => server.kill())

  await together(signal, kill, [
    async (ending) => registry?.start(ending),
    ...brokers.map((broker) => async (ending: AbortSignal) => {
      await broker.prepare({ clusterId, args: formatArgs(options), signal: ending })
      await broker.start(ending)
    }),
  ])
  return {
    bootstrap: brokers.map(({ address }) => address).join(','),
    secondBootstrap: secondBootstrap(brokers),
    registryUrl: registry?.url,
    brokers,
    registry,
    version,
    java,
    jars,
    onDeath: (watcher) => servers.forEach((server) => server.onDeath(watcher)),
    stop: () => all((server) => server.stop()),
    kill,
  }
}

async function makeBrokers(options: ClusterOptions, java: string, jars: string): Promise<Broker[]> {
  const { directory, properties, tunedFor = 'throughput', ports, secondListener: second } = options
  const members: Member[] = []
  for (let id = 1; id <= options.brokers; id += 1) {
    const port = ports?.brokers?.[id - 1] ?? (await freePort())
    const secondPort = second === undefined ? undefined : await freePort()
    const advertisedPort = ports?.advertised?.[id - 1]
    members.push({ id, port, controllerPort: await freePort(), secondPort, advertisedPort })
  }
  return members.map((member) => {
    const own = join(directory, `broker-${member.id}`)
    return new Broker({
      ...member,
      directory: own,
      properties: { ...memberProperties(member, members, logDirectoryOf(own), second), ...properties },
      java,
      jars,
      jvmOptions: jvmOptions[tunedFor],
      heapMb: options.heapMb ?? HEAP_MB[options.brokers],
    })
  })
}

async function makeRegistry(options: ClusterOptions, java: string, jar: string): Promise<Registry> {
  const directory = join(options.directory, 'registry')
  await mkdir(directory, { recursive: true })
  return new Registry({ port: options.ports?.registry ?? (await freePort()), directory, java, jar })
}

function secondBootstrap(brokers: readonly Broker[]): string | undefined {
  const ports = brokers.flatMap(({ secondPort }) => secondPort ?? [])
  return ports.length === 0 ? undefined : ports.map((port) => `${LOOPBACK}:${port}`).join(',')
}

function formatArgs({ features = {}, secondListener }: ClusterOptions): string[] {
  const levels = Object.entries(features).flatMap(([name, level]) => ['--feature', `${name}=${level}`])
  return [...levels, ...(secondListener?.formatArgs ?? [])]
}

/** Works at all of it at once; the first that fails ends the others, and nothing is left half started. */
async function together(
  signal: AbortSignal | undefined,
  kill: () => Promise<void>,
  works: readonly ((ending: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failing = new AbortController()
  const ending = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal])
  await Promise.all(
    works.map(async (work) => {
      await work(ending).catch((error: unknown) => failing.abort(error))
    }),
  )
  if (!failing.signal.aborted) return
  await kill()
  throw failing.signal.reason
}
