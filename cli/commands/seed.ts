import type { Context } from '../context.ts'
import type { SeedFlags } from '../flags.ts'
import { clientOfRunning } from '../running-shop.ts'
import { planSeed, seedShop, seedSteps } from '../load/seeding.ts'
import { table } from '../output.ts'
import { progressBar } from '../progress.ts'

/** Fills a shop that runs. Rejects with what the shop refuses. */
export async function seed(context: Context, flags: SeedFlags): Promise<void> {
  const { products, users, stock: units, points, seed: number } = flags
  const client = clientOfRunning(context, flags, { connections: 32, pipelining: 1 })
  try {
    const plan = planSeed({ prefix: '', products, users, units, points, seed: number })
    const bar = progressBar(context.output, 'seed', seedSteps(plan), 'things')
    const seeded = await seedShop(client, plan, context.stop, (done) => bar.update(done))
    bar.end()
    if (flags.json === true) context.output.data(JSON.stringify(seeded))
    else context.output.data(table(['what the shop was given', 'count'], Object.entries(seeded)))
  } finally {
    await client.close()
  }
}
