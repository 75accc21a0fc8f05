/**
 * One Kafka broker, its own controller too. Its ports, its directory and so its records stay when it is killed and
 * started again.
 */
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quickStart, quietLog, runMain } from './java.ts'
import { LocalServer } from './local-server.ts'
import { liveBrokers } from './live-brokers.ts'
import { LOOPBACK } from './ports.ts'
import { type Member, type Properties, propertiesText } from './properties.ts'

const FORMAT_TIMEOUT_MS = 60_000

export interface BrokerOptions extends Member {
  readonly directory: string
  readonly properties: Properties
  readonly java: string
  readonly jars: string
  readonly jvmOptions: readonly string[]
  readonly heapMb: number
}

export interface FormatOptions {
  readonly clusterId: string
  /** Further arguments of Kafka's `StorageTool format`. */
  readonly args: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export class Broker extends LocalServer {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  /** Of the second listener. */
  readonly secondPort: number | undefined
  /** Partitions, one folder each, as Kafka's tools read them. */
  readonly logDirectory: string
  readonly #options: BrokerOptions

  constructor(options: BrokerOptions) {
    const { id, port, controllerPort, directory, java, jars, heapMb } = options
    super({
      name: `broker ${id}`,
      program: java,
      args: [
        `-Xmx${heapMb}m`,
        ...options.jvmOptions,
        ...quietLog,
        '-cp',
        join(jars, '*'),
        'kafka.Kafka',
        propertiesFile(directory),
      ],
      cwd: directory,
      logFile: join(directory, 'broker.log'),
      // A broker that answers is not yet one that the controller counts.
      answers: async () => (await liveBrokers(LOOPBACK, port)).includes(id),
    })
    this.id = id
    this.port = port
    this.controllerPort = controllerPort
    this.secondPort = options.secondPort
    this.logDirectory = logDirectoryOf(directory)
    this.#options = options
  }

  get address(): string {
    return `${LOOPBACK}:${this.port}`
  }

  /** Writes the settings and, the first time, what Kafka wants to find in an empty directory. */
  async prepare({ clusterId, args, signal }: FormatOptions): Promise<void> {
    const { directory, properties, java, jars } = this.#options
    await mkdir(directory, { recursive: true })
    const file = propertiesFile(directory)
    await writeFile(file, propertiesText(properties), { mode: 0o600 })
    const formatted = join(directory, 'formatted')
    if (existsSync(formatted)) return
    // What an attempt that was cut off has left.
    await rm(this.logDirectory, { recursive: true, force: true })
    const format = ['format', '-t', clusterId, '-c', file, ...args]
    const options = { cwd: directory, timeoutMs: FORMAT_TIMEOUT_MS, signal }
    await runMain(java, jars, 'kafka.tools.StorageTool', format, options)
    await writeFile(formatted, '')
  }
}

/** How a broker is compiled: to be there in half the processor time, or to use less of it once it is. */
export const jvmOptions = Object.freeze({ start: quickStart, throughput: ['-XX:+UseG1GC'] })

export function logDirectoryOf(directory: string): string {
  return join(directory, 'data')
}

function propertiesFile(directory: string): string {
  return join(directory, 'server.properties')
}
