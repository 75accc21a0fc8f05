/** A real Prometheus that runs with the configuration of `ops/prometheus`, its places replaced. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const OPS = join(import.meta.dirname, '../../ops/prometheus')
/** Scrapes and rules come this often. */
const INTERVAL = '1s'

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  /** Epoch seconds, and the value as text: `NaN` and `+Inf` are values. */
  readonly value: readonly [number, string]
}

export interface Rule {
  readonly name: string
  readonly query: string
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
  readonly state: 'inactive' | 'pending' | 'firing'
}

export interface PrometheusOptions {
  /** An empty directory that it may fill. */
  readonly directory: string
  /** `host:port` of what it scrapes. */
  readonly target: string
  readonly token: string
}

interface Config {
  global: { scrape_interval: string; evaluation_interval: string }
  rule_files: string[]
  scrape_configs: [{ authorization: { credentials_file: string }; file_sd_configs: [{ files: string[] }] }]
}

export function isInstalled(): boolean {
  return spawnSync('prometheus', ['--version']).error === undefined
}

export class Prometheus {
  readonly #process: ChildProcess
  readonly #url: string

  private constructor(child: ChildProcess, url: string) {
    this.#process = child
    this.#url = url
  }

  /** Resolves once it answers. Rejects with what it said when it ends before. */
  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const address = `127.0.0.1:${await freePort()}`
    const args = [
      `--config.file=${writeConfig(options)}`,
      `--storage.tsdb.path=${join(options.directory, 'data')}`,
      `--web.listen-address=${address}`,
    ]
    const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    const ready = new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('Server is ready to receive web requests')) resolve()
      })
      child.once('error', reject)
      child.once('close', (code) => reject(new Error(`prometheus ended with ${code}:\n${said}`)))
    })
    await ready
    return new Prometheus(child, `http://${address}`)
  }

  /** The instant vector of an expression. Throws with Prometheus' words on one that is wrong. */
  async query(expr: string): Promise<readonly Sample[]> {
    const { result } = (await this.#get('query', { query: expr })) as { result: readonly Sample[] }
    return result
  }

  async rules(): Promise<readonly Rule[]> {
    const { groups } = (await this.#get('rules', {})) as { groups: readonly { rules: readonly Rule[] }[] }
    return groups.flatMap(({ rules }) => rules)
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    this.#process.kill('SIGTERM')
    await once(this.#process, 'close')
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const url = new URL(`${this.#url}/api/v1/${path}`)
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const response = await fetch(url)
    const answer = (await response.json()) as { status: string; data: unknown; error?: string }
    if (answer.status !== 'success') throw new Error(`${JSON.stringify(parameters)}: ${answer.error}`)
    return answer.data
  }
}

/** The configuration as it is shipped, but for the places of its files and for how often things are done. */
function writeConfig({ directory, target, token }: PrometheusOptions): string {
  const config = parse(readFileSync(join(OPS, 'prometheus.yml'), 'utf8')) as Config
  config.global = { ...config.global, scrape_interval: INTERVAL, evaluation_interval: INTERVAL }
  config.rule_files = config.rule_files.map((path) => join(OPS, path))
  const [job] = config.scrape_configs
  job.authorization.credentials_file = write('token', token)
  job.file_sd_configs[0].files = [write('targets.yml', stringify([{ targets: [target] }]))]
  return write('prometheus.yml', stringify(config))

  function write(name: string, text: string): string {
    const file = join(directory, name)
    writeFileSync(file, text)
    return file
  }
}

/** Prometheus does not say which port it got when it is given 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
