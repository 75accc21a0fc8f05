/** The shop of the demo: of its own from the directory to the brokers, so that it shows the same everywhere. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../../config/index.ts'
import { closeAfter, type Closing } from '../closing.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { DemoFlags } from '../flags.ts'
import { startCluster } from '../local-cluster/cluster.ts'
import { openTopicCluster } from '../pipeline/kafka-topics.ts'
import { Shop } from '../pipeline/shop.ts'

interface Brokers {
  readonly bootstrap: string
  readonly registryUrl: string | undefined
}

/** `closing` closes the shop and removes what it leaves. Throws a `UsageError` for brokers that have its topics. */
export async function openDemoShop(context: Context, flags: DemoFlags, closing: Closing): Promise<Shop> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  closing.add('data directory', () => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  const brokers = await brokersOf(context, flags, directory, closing)
  const config = configOf(context, flags, join(directory, 'shop'), brokers)
  if (typeof flags.kafka === 'string') await refuseUsed(config, context.version)
  const shop = await Shop.open({ config, version: context.version, signal: context.stop })
  closing.add('shop', () => shop.close())
  return shop
}

async function brokersOf(
  { output, env, stop }: Context,
  { kafka, registry }: DemoFlags,
  directory: string,
  closing: Closing,
): Promise<Brokers | undefined> {
  if (registry !== undefined && typeof kafka !== 'string')
    throw new UsageError('--registry goes with --kafka <brokers>')
  if (typeof kafka === 'string') return { bootstrap: kafka, registryUrl: registry }
  if (kafka === undefined) return undefined
  output.say('A Kafka broker and a schema registry start:')
  const cluster = await startCluster({
    brokers: 1,
    registry: true,
    directory: join(directory, 'cluster'),
    env,
    signal: stop,
    onFetch: (what) => output.say(output.paint('dim', `Fetching ${what} …`)),
  })
  // Nobody needs its records any more.
  closing.add('brokers', () => cluster.kill())
  const { bootstrap, registryUrl, version } = cluster
  output.say(`Kafka ${version} at ${bootstrap}, the registry at ${registryUrl ?? ''}`)
  return { bootstrap, registryUrl }
}

/** Nothing of the surroundings. */
function configOf(
  { cwd }: Context,
  { port = '0' }: DemoFlags,
  dataDir: string,
  brokers: Brokers | undefined,
): Config {
  const settings: Record<string, { text: string; flag: string }> = {
    dataDir: { text: dataDir, flag: 'demo' },
    'http.port': { text: port, flag: '--port' },
    // One client stands for all the users.
    'http.clientRequestsPerSecond': { text: '1000000', flag: 'demo' },
    'http.clientBurst': { text: '1000000', flag: 'demo' },
    // Nobody waits long for a coupon that is somebody else's.
    'orders.couponWaitMs': { text: '3000', flag: 'demo' },
    // Payments that are too late or wrong are incidents, and here they are meant to be.
    'logging.level': { text: 'fatal', flag: 'demo' },
  }
  if (brokers !== undefined) {
    settings['kafka.brokers'] = { text: brokers.bootstrap, flag: '--kafka' }
    settings['kafka.leaveOnStop'] = { text: 'true', flag: 'demo' }
  }
  if (brokers?.registryUrl !== undefined) {
    settings['registry.url'] = { text: brokers.registryUrl, flag: '--registry' }
    settings['registry.register'] = { text: 'true', flag: 'demo' }
  }
  return loadConfig({ env: {}, cwd, flags: settings }).config
}

/** Its checks count everything in the topics: they must be its own. */
async function refuseUsed(config: Config, version: string): Promise<void> {
  const cluster = await openTopicCluster(config, version)
  const found = await closeAfter(
    () => cluster.plan(),
    () => cluster.close(),
  )
  const there = found.filter(({ action }) => action !== 'create').map(({ name }) => name)
  if (there.length === 0) return
  throw new UsageError(
    `--kafka ${config.kafka.brokers.join(',')} has topics of a shop, ${there[0]} for example; the demo needs brokers without`,
  )
}
