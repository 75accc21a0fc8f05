import { MemoryLog, MemoryStorage } from '../../transports/simulated/index.ts'
import { logContract } from './log-contract.ts'

for (const stateHome of ['log', 'task'] as const) {
  logContract(`simulated, state in the ${stateHome}`, () => {
    const storage = new MemoryStorage()
    const open = () => new MemoryLog({ stateHome, now: () => Date.now(), storage })
    let log = open()
    return Promise.resolve({
      log,
      tooLargeBytes: 2 * 1024 * 1024,
      async reopen() {
        await log.close()
        log = open()
        return log
      },
      dispose: () => log.close(),
    })
  })
}
