/**
 * A schema registry with Confluent's REST API: Apicurio, which keeps its schemas in a database file, written through,
 * so that the ids in a topic's records mean the same after a restart.
 */
import { join } from 'node:path'
import { quickStart } from './java.ts'
import { LocalServer } from './local-server.ts'
import { LOOPBACK } from './ports.ts'

const HEAP_MB = 256
/** Confluent's API within Apicurio's. */
const API_PATH = '/apis/ccompat/v7'
const ASK_TIMEOUT_MS = 2_000
/** Its own default, 20 from the start, is for a server of many. */
const DATABASE_CONNECTIONS = 2

export interface RegistryOptions {
  readonly port: number
  readonly directory: string
  readonly java: string
  readonly jar: string
}

export class Registry extends LocalServer {
  readonly port: number
  /** What a client of Confluent's API is given. */
  readonly url: string

  constructor({ port, directory, java, jar }: RegistryOptions) {
    const url = `http://${LOOPBACK}:${port}${API_PATH}`
    super({
      name: 'the schema registry',
      program: java,
      args: [`-Xmx${HEAP_MB}m`, ...quickStart, ...settings(port), '-jar', jar],
      cwd: directory,
      logFile: join(directory, 'registry.log'),
      answers: () => lists(`${url}/subjects`),
    })
    this.port = port
    this.url = url
  }
}

function settings(port: number): string[] {
  const values = {
    'quarkus.http.host': LOOPBACK,
    'quarkus.http.port': String(port),
    'quarkus.log.level': 'WARN',
    // Relative to the working directory, which may have any characters in its name.
    REGISTRY_DATASOURCE_URL: 'jdbc:h2:file:./schemas;WRITE_DELAY=0',
    'quarkus.datasource.jdbc.initial-size': String(DATABASE_CONNECTIONS),
    'quarkus.datasource.jdbc.min-size': String(DATABASE_CONNECTIONS),
  }
  return Object.entries(values).map(([name, value]) => `-D${name}=${value}`)
}

async function lists(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) })
  await response.arrayBuffer()
  return response.ok
}
