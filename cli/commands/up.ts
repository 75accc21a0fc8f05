/** Kafka and a schema registry on this machine, for trying things and for tests. */
import { resolve } from 'node:path'
import { closeAfter } from '../closing.ts'
import { type Context, stopped } from '../context.ts'
import { UsageError } from '../errors.ts'
import { type LocalCluster, startCluster } from '../local-cluster/cluster.ts'
import { freePort, isFree } from '../local-cluster/ports.ts'

/** What clients try where they are told nothing. */
const KAFKA_PORT = 9092
const REGISTRY_PORT = 8081

export interface UpFlags {
  readonly dataDir: string
  readonly brokers: '1' | '3'
  readonly kafkaVersion?: string
  readonly registry: boolean
  readonly port?: number
  readonly registryPort?: number
  readonly json?: true
}

/** Runs until the process is asked to end. A broker that is killed meanwhile is started again. */
export async function up(context: Context, flags: UpFlags): Promise<void> {
  const { output, stop, cwd, env } = context
  const directory = resolve(cwd, flags.dataDir)
  const brokers = flags.brokers === '3' ? 3 : 1
  const cluster = await startCluster({
    brokers,
    directory,
    version: flags.kafkaVersion,
    registry: flags.registry,
    ports: {
      brokers: await portsFrom(flags.port, brokers, KAFKA_PORT, '--port'),
      registry: flags.registry
        ? (await portsFrom(flags.registryPort, 1, REGISTRY_PORT, '--registry-port'))[0]
        : undefined,
    },
    env,
    signal: stop,
    onFetch: (what) => output.say(output.paint('dim', `Fetching ${what} …`)),
  })
  await closeAfter(
    async () => {
      const failed = restartTheDead(context, cluster)
      announce(context, cluster, directory, flags.json === true)
      await Promise.race([stopped(stop), failed])
    },
    () => cluster.stop(),
  )
}

/** Those asked for, all free; or, where nothing was asked for and `usual` is not free, any. */
async function portsFrom(
  first: number | undefined,
  count: number,
  usual: number,
  flag: string,
): Promise<number[]> {
  const indexes = Array.from({ length: count }, (_, index) => index)
  const wanted = indexes.map((index) => (first ?? usual) + index)
  if (first !== 0) {
    const taken: number[] = []
    for (const port of wanted) if (!(await isFree(port))) taken.push(port)
    if (taken.length === 0) return wanted
    if (first !== undefined) throw new UsageError(`port ${taken.join(', ')} is in use; give another ${flag}`)
  }
  return Promise.all(indexes.map(() => freePort()))
}

/** Rejects once one of them cannot be started again. */
function restartTheDead({ output }: Context, cluster: LocalCluster): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  cluster.onDeath((server, error) => {
    output.say(`${output.paint('yellow', 'millrace:')} ${error.message}`)
    server.start().then(() => output.say(`${server.name} is back, process ${server.pid}`), reject)
  })
  return promise
}

function announce({ output }: Context, cluster: LocalCluster, directory: string, json: boolean): void {
  const { bootstrap, registryUrl, version } = cluster
  const brokers = cluster.brokers.map(({ id, address, pid }) => ({ id, address, pid }))
  if (json) {
    output.data(JSON.stringify({ bootstrap, registry: registryUrl, version, directory, brokers }))
    return
  }
  const registry = registryUrl === undefined ? '' : ` --registry ${registryUrl}`
  output.say(`${output.paint('green', `Kafka ${version} is ready:`)} ${bootstrap}  (Ctrl-C ends it)`)
  for (const { id, address, pid } of brokers) output.say(`  broker ${id}         ${address}  process ${pid}`)
  if (registryUrl !== undefined) output.say(`  schema registry  ${registryUrl}`)
  output.say(`  records          ${directory}`)
  output.say(`\nmillrace start --kafka ${bootstrap}${registry}`)
}
