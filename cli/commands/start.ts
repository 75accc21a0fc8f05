import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import { type Context, stopped } from '../context.ts'
import type { StartFlags } from '../flags.ts'
import { Shop } from '../pipeline/shop.ts'

/** Runs until the process is asked to end. */
export async function start(context: Context, flags: StartFlags): Promise<void> {
  const { config } = configure(context, flags)
  const shop = await Shop.open({ config, version: context.version })
  await closeAfter(
    async () => {
      const url = await shop.listen()
      announce(context, url, flags.json === true)
      await stopped(context.stop)
    },
    () => shop.close(),
  )
}

/** Says where it listens, for people or for programs. */
export function announce({ output }: Context, url: string, json: boolean): void {
  if (json) output.data(JSON.stringify({ url, pid: process.pid }))
  else output.say(`${output.paint('green', 'Millrace is ready:')} ${url}  (Ctrl-C ends it)`)
}
