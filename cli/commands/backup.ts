import { resolve } from 'node:path'
import { type Config } from '../../config/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { askProcess, NotRunningError } from '../control/client.ts'
import { readRunFile } from '../control/run-file.ts'
import { DirectoryError, UsageError } from '../errors.ts'
import type { DirectoryFlags } from '../flags.ts'
import { assertDirectory, openOfflineLog } from '../pipeline/embedded-shop-log.ts'

/** Codes of a running process's answer that mean that one of the directories will not do. */
const DIRECTORY_CODES: ReadonlySet<string> = new Set(['STATE_INCOMPATIBLE', 'STATE_MISSING'])

/** Copies the data directory: the process that has it open does it, or, where none runs, this one. */
export async function backup(context: Context, directory: string, flags: DirectoryFlags): Promise<void> {
  const { config } = configure(context, flags)
  assertOwnLog(config)
  const target = resolve(context.cwd, directory)
  assertDirectory(config)
  const startedAt = performance.now()
  const by = (await askRunning(config, target)) ? 'the running process' : 'this command'
  if (by === 'this command') await copyStopped(config, target)
  const seconds = (performance.now() - startedAt) / 1000
  if (flags.json === true) context.output.data(JSON.stringify({ directory: target, seconds }))
  else context.output.say(`Backed up ${config.dataDir} to ${target} in ${seconds.toFixed(1)} s, by ${by}.`)
}

/** Throws a `UsageError` where the log is not in the data directory. */
export function assertOwnLog({ kafka }: Config): void {
  if (kafka.brokers.length === 0) return
  throw new UsageError('in Kafka mode the cluster has everything: there is nothing to copy here')
}

/** False when no process has the directory open. */
async function askRunning({ dataDir }: Config, directory: string): Promise<boolean> {
  const run = readRunFile(dataDir)
  if (run === undefined) return false
  try {
    const reply = await askProcess(run.control, { command: 'backup', directory })
    if (reply.ok) return true
    if (DIRECTORY_CODES.has(reply.code)) throw new DirectoryError(reply.message)
    throw new Error(`process ${run.pid} could not make the copy: ${reply.message}`)
  } catch (error) {
    // What it left behind when it was killed; whether somebody has the directory is for its lock to say.
    if (error instanceof NotRunningError) return false
    throw error
  }
}

async function copyStopped(config: Config, directory: string): Promise<void> {
  const { log } = await openOfflineLog(config)
  try {
    await log.backup(directory)
  } finally {
    await log.close()
  }
}
