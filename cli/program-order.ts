/** The command that shows an order. */
import type { Command } from 'commander'
import type { Context } from './context.ts'
import type { RunningShopFlags } from './flags.ts'
import { json, withDataDir } from './program-options.ts'

export function addOrder(program: Command, context: Context): void {
  const command = program
    .command('order')
    .description('What happened to an order, step by step.')
    .argument('<orderId>', 'as the 202 of its POST named it')
    .option('--url <url>', 'the shop; else the one that runs on the data directory')
  json(withDataDir(command), 'print the timeline as JSON').action(
    async (orderId: string, flags: RunningShopFlags) => {
      const { showOrder } = await import('./commands/order.ts')
      await showOrder(context, orderId, flags)
    },
  )
}
