/** A directory for one test, gone when the test is over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export async function scratchDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `millrace-${name}-`))
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}
