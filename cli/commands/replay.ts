import { resolve } from 'node:path'
import { ConfigError } from '../../config/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import { type Context, stopped } from '../context.ts'
import { InputError } from '../errors.ts'
import type { ReplayFlags } from '../flags.ts'
import { count, table } from '../output.ts'
import { replayTarget } from '../pipeline/replay-target.ts'
import { settled } from '../pipeline/settled.ts'
import { Shop } from '../pipeline/shop.ts'
import { progressBar } from '../progress.ts'
import { RETAIL_CURRENCY, shiftToYesterday } from '../retail/records.ts'
import { measure, replay, type Replayed, type RetailSpan } from '../retail/replay.ts'
import { announce } from './start.ts'

const MS_PER_SECOND = 1000

/** Sends the files through a shop of its own, waits until all is processed, then serves, unless told to end. */
export async function replayFiles(
  context: Context,
  paths: readonly string[],
  flags: ReplayFlags,
): Promise<void> {
  const { config } = configure(context, flags)
  assertCurrency(config.shop.currency)
  const files = paths.map((path) => resolve(context.cwd, path))
  const span = await measure(files)
  if (span === undefined) throw new InputError(`${files.join(', ')}: no line of it is a sale`)
  const mode = flags.asRecorded === true ? 'as-recorded' : flags.endNow === true ? 'live' : undefined
  const shiftMs = flags.endNow === true ? shiftToYesterday(span.lastSaleAt, Date.now()) : 0

  const shop = await Shop.open({ config, version: context.version, mode, signal: context.stop })
  await closeAfter(
    async () => {
      warnOfOldOrders(context, shop, span.lastSaleAt + shiftMs)
      const startedAt = performance.now()
      const replayed = await sendAll(context, shop, files, span, shiftMs, flags.speed)
      await settled(shop.streams, shop.log, context.stop)
      const seconds = (performance.now() - startedAt) / MS_PER_SECOND
      report(context, replayed, seconds, flags)
      if (flags.exit === true) return
      announce(context, shop, false)
      await stopped(context.stop)
    },
    () => shop.close(),
  )
}

async function sendAll(
  context: Context,
  shop: Shop,
  files: readonly string[],
  span: RetailSpan,
  shiftMs: number,
  speed: number | undefined,
): Promise<Replayed> {
  const bar = progressBar(context.output, 'replay', span.events, 'events')
  try {
    return await replay(replayTarget(shop), {
      files,
      shiftMs,
      speed,
      signal: context.stop,
      onProgress: (events) => bar.update(events),
    })
  } finally {
    bar.end()
  }
}

/** Amounts of another currency would be counted as if they were of this one. */
function assertCurrency(currency: string): void {
  if (currency === RETAIL_CURRENCY) return
  const message = `is ${currency}, but these orders are in ${RETAIL_CURRENCY}; set it to ${RETAIL_CURRENCY}`
  throw new ConfigError([{ key: 'shop.currency', origin: 'configuration', message }])
}

/** A shop that goes on selling would drop windows of long ago with the next sale of today. */
function warnOfOldOrders({ output }: Context, { config, mode }: Shop, lastSaleAt: number): void {
  if (mode === 'as-recorded' || Date.now() - lastSaleAt < config.ranking.retentionMs) return
  const day = new Date(lastSaleAt).toISOString().slice(0, 10)
  output.say(
    `The last sale is of ${day}. The next one of today will drop its windows, as ranking.retentionMs says; ` +
      '--as-recorded keeps them all, --end-now moves the orders to yesterday.',
  )
}

function report(context: Context, replayed: Replayed, seconds: number, flags: ReplayFlags): void {
  const { totals, firstAt, lastAt, events } = replayed
  const span = { first: new Date(firstAt).toISOString(), last: new Date(lastAt).toISOString() }
  if (flags.json === true) {
    context.output.data(JSON.stringify({ ...totals, ...span, events, seconds: Number(seconds.toFixed(3)) }))
    return
  }
  const rows = Object.entries(totals).map(([name, value]) => [name, value])
  context.output.data(table(['replayed', 'count'], rows))
  context.output.say(`${count(events)} events from ${span.first} to ${span.last} in ${seconds.toFixed(1)} s.`)
}
