/** A log in a simulated world without faults is a log like any other. */
import { SimulatedWorld } from '../../transports/simulated/index.ts'
import { logContract } from './log-contract.ts'

for (const faults of [[], ['transactions-v1']] as const) {
  logContract(`simulated world${faults.map((fault) => `, ${fault}`).join('')}`, async () => {
    const world = new SimulatedWorld({ seed: 1, faults })
    const running = runWorld(world)
    let started = 0
    const open = () => {
      const process = world.process(`process-${++started}`)
      return world.openLog(process, { application: 'contract', slot: 'only' })
    }
    let log = await open()
    return {
      log,
      tooLargeBytes: 2 * 1024 * 1024,
      async reopen() {
        await log.close()
        log = await open()
        return log
      },
      async dispose() {
        await log.close()
        running.stop()
      },
    }
  })
}

/** Virtual time goes on for as long as the test waits for something. */
function runWorld({ scheduler }: SimulatedWorld): { stop(): void } {
  let isOver = false
  const run = async (): Promise<void> => {
    while (!isOver) await scheduler.runUntil(() => isOver, Number.POSITIVE_INFINITY)
  }
  void run()
  return {
    stop: () => {
      isOver = true
    },
  }
}
