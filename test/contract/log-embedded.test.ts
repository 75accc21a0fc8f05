import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { logContract } from './log-contract.ts'

logContract('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const open = () => openEmbeddedLog({ directory, application: 'contract' })
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
      await rm(directory, { recursive: true })
    },
  }
})

// With next to nothing in memory, everything is read from the disk.
logContract('embedded, without records in memory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  const open = () =>
    openEmbeddedLog({ directory, application: 'contract', tailCacheBytes: 1, readAheadBytes: 4_096 })
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
      await rm(directory, { recursive: true })
    },
  }
})
