/** Logs in directories of their own, and a database that fails when told to. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { WriteOp } from '../../../state/index.ts'
import type { EmbeddedLog, EmbeddedLogOptions } from '../../../transports/embedded/index.ts'
import { openDatabase } from '../../../transports/embedded/open-database.ts'
import { openWith } from '../../../transports/embedded/open.ts'
import type { LogDatabase } from '../../../transports/embedded/storage.ts'

/** What takes work to be done at the end. */
export type Later = (run: () => Promise<void>) => void

const afterTest: Later = (run) => onTestFinished(run)

export async function freshDirectory(later: Later = afterTest): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-embedded-'))
  later(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** What the database does instead of what it is asked. */
export interface Faults {
  /** Called before a batch is written; throwing keeps it from being written. */
  beforeWrite?: ((ops: readonly WriteOp[], sync: boolean) => void | Promise<void>) | undefined
  /** Called when a batch is in the database; throwing hides that. */
  afterWrite?: ((sync: boolean) => void | Promise<void>) | undefined
  /** Called before rows are read. */
  beforePage?: (() => void | Promise<void>) | undefined
  /** Called before the database is opened. */
  beforeOpen?: (() => void) | undefined
}

/** Housekeeping runs when called; the log is closed at the end of the test. */
export async function openLog(
  directory: string,
  options: Partial<EmbeddedLogOptions> = {},
  faults: Faults = {},
  later: Later = afterTest,
): Promise<EmbeddedLog> {
  const all = { directory, application: 'contract', housekeepingIntervalMs: 0, ...options }
  const log = await openWith(all, async () => {
    faults.beforeOpen?.()
    return withFaults(await openDatabase(all), faults)
  })
  later(() => log.close())
  return log
}

function withFaults(db: LogDatabase, faults: Faults): LogDatabase {
  return new Proxy(db, {
    get(target, name) {
      if (name === 'write') {
        return async (ops: readonly WriteOp[], options: { sync?: boolean } = {}) => {
          const sync = options.sync ?? false
          await faults.beforeWrite?.(ops, sync)
          await target.write(ops, options)
          await faults.afterWrite?.(sync)
        }
      }
      if (name === 'page') {
        return async (...args: Parameters<LogDatabase['page']>) => {
          await faults.beforePage?.()
          return target.page(...args)
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The newest write-ahead file. */
export async function newestLogFile(directory: string): Promise<{ path: string; bytes: number }> {
  const names = (await readdir(directory)).filter((name) => /^\d+\.log$/.test(name)).sort()
  const path = join(directory, names.at(-1) ?? 'none')
  return { path, bytes: (await stat(path)).size }
}

/** A promise and its ends. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}
