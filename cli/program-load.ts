/** The commands that put load on a shop and judge what came of it, and their flags. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Context } from './context.ts'
import type { DemoFlags, LoadFlags, LoadOrdersFlags, SeedFlags } from './flags.ts'
import { json, positive, whole, withDataDir } from './program-options.ts'

export function addLoad(program: Command, context: Context): void {
  const load = program.command('load').description('Put load on a shop and judge what came of it.')
  addLoadCoupons(load, context)
  addLoadOrders(load, context)
}

function addLoadCoupons(load: Command, context: Context): void {
  const command = load
    .command('coupons')
    .description('A rush on one new coupon: open loop, latency counts from when a request was due.')
    .option('--url <url>', 'a shop that runs; else one of its own is started and ended')
    .option('--rate <number>', 'requests per second, on average', positive, 5_000)
    .option('--users <number>', 'distinct users', whole(1, 10_000_000), 20_000)
    .option('--quota <number>', 'coupons to be had', whole(1, 1_000_000_000), 1_000)
    .option('--duration <seconds>', 'how long; else until each user asked once', positive)
    .addOption(seed('same seed, same users at the same times'))
    .option(
      '--connections <number>',
      'connections to the shop, and as many for requests that wait',
      whole(1, 10_000),
      64,
    )
    .option(
      '--follow <share>',
      'share of the requests whose decision is waited for and timed, 0 to 1',
      share,
      0.1,
    )
    .option(
      '--warmup <requests>',
      'requests on another coupon beforehand, which are not counted',
      whole(0, 1_000_000),
      3_000,
    )
    .option('--coupon <id>', 'id of the coupon to make; else a new one')
    .option('--no-verdicts', 'do not ask for every verdict at the end, only for those that are followed')
  json(command, 'print the report as JSON').action(async (flags: LoadFlags) => {
    const { loadCoupons } = await import('./commands/load-coupons.ts')
    await loadCoupons(context, flags)
  })
}

function addLoadOrders(load: Command, context: Context): void {
  const command = load
    .command('orders')
    .description('Orders of every kind, good and bad; then checks that all of them add up.')
    .option('--url <url>', 'a shop that runs; else one of its own is started and ended')
    .option('--orders <number>', 'how many', whole(1, 10_000_000), 2_000)
    .option('--rate <number>', 'orders per second, on average', positive, 200)
    .addOption(seed('same seed, same orders at the same times'))
    .option('--mix <kind=weight,...>', 'only these kinds, each as often as it weighs; else all')
    .option('--products <number>', 'products to make and sell', whole(1, 100_000), 20)
    .option('--users <number>', 'users to make', whole(1, 1_000_000), 100)
    .option('--connections <number>', 'to the shop, and as many for requests that wait', whole(1, 10_000), 64)
  json(command, 'print the report as JSON').action(async (flags: LoadOrdersFlags) => {
    const { loadOrders } = await import('./commands/load-orders.ts')
    await loadOrders(context, flags)
  })
}

export function addSeed(program: Command, context: Context): void {
  const command = program
    .command('seed')
    .description('Fill a shop that runs and takes orders: products, stock, users, points, coupons.')
    .option('--url <url>', 'the shop; else the one that runs on the data directory')
    .option('--products <number>', 'products, each with a stock', whole(1, 1_000_000), 100)
    .option('--users <number>', 'users, each with points and coupons', whole(0, 10_000_000), 1_000)
    .option('--stock <number>', 'units received of each product', whole(1, 1_000_000_000), 1_000)
    .option('--points <number>', 'granted to each user', whole(0, 1_000_000_000), 1_000)
    .addOption(seed('same seed, same products; the same again changes nothing'))
  json(withDataDir(command), 'print what the shop was given as JSON').action(async (flags: SeedFlags) => {
    const { seed: fill } = await import('./commands/seed.ts')
    await fill(context, flags)
  })
}

export function addDemo(program: Command, context: Context): void {
  program
    .command('demo')
    .description(
      'A month of real orders, new ones of every kind, a rush on a coupon, checked; then serve until Ctrl-C.',
    )
    .option('--exit', 'end after the summary')
    .option('--port <number>', 'port to listen on; else a free one')
    .option(
      '--kafka [brokers]',
      'on Kafka: on brokers without its topics, or on one that it starts (Java, Maven)',
    )
    .option('--registry <url>', 'schema registry for given brokers: root of its Confluent API')
    .action(async (flags: DemoFlags) => {
      const { demo } = await import('./commands/demo.ts')
      await demo(context, flags)
    })
}

function seed(what: string): Option {
  return new Option('--seed <number>', what).argParser(whole(0, Number.MAX_SAFE_INTEGER)).default(1)
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 1) return value
  throw new InvalidArgumentError('It must be a number from 0 to 1.')
}
