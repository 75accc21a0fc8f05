import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import { type Context, stopped } from '../context.ts'
import type { StartFlags } from '../flags.ts'
import { Shop } from '../pipeline/shop.ts'
import { runWorkers } from '../workers/run-workers.ts'
import { endWithParent } from '../workers/worker-process.ts'

/** Runs the shop, or as many workers as are configured, until the process is asked to end. */
export async function start(context: Context, flags: StartFlags): Promise<void> {
  const { config } = configure(context, flags)
  if (config.workers > 1) return runWorkers(context, config, flags)
  if (flags.withParent === true) endWithParent()
  const shop = await Shop.open({ config, version: context.version, signal: context.stop })
  await closeAfter(
    async () => {
      announce(context, shop, flags.json === true)
      await stopped(context.stop)
    },
    () => shop.close(),
  )
}

/** Says where it listens, for people or for programs. */
export function announce({ output }: Context, { url, streams }: Shop, json: boolean): void {
  if (json) return output.data(JSON.stringify({ url, pid: process.pid }))
  const restoring = streams.runners.flatMap(({ notRunning }) => notRunning).length
  const what = restoring === 0 ? 'is ready' : `restores ${restoring} tasks`
  output.say(`${output.paint('green', `Millrace ${what}:`)} ${url}  (Ctrl-C ends it)`)
}
