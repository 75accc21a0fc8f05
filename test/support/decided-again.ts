/** I24: a task's inputs decided again, and the rows that come of it beside those that are there. */
import { memoryBackend, type StateReader } from '../../state/index.ts'
import { redecide, type RedecideOptions, type RedecideResult } from '../../streams/index.ts'

const PAGE_ROWS = 1_000
/** Where a task's own database keeps how far it has its changelogs; not part of the state. */
const POSITIONS_ROW = Buffer.from('\x00changelog-positions').toString('hex')

export interface DecidedAgain {
  readonly result: RedecideResult
  /** Rows made from the inputs, as `rowsOf` lists them. */
  readonly again: readonly string[]
  readonly live: readonly string[]
}

/** `live`: the task's committed rows. Throws what `redecide` throws. */
export async function decidedAgain(
  options: Omit<RedecideOptions, 'backend'>,
  live: StateReader,
): Promise<DecidedAgain> {
  const backend = memoryBackend()
  const result = await redecide({ ...options, backend })
  return { result, again: await rowsOf(backend), live: await rowsOf(live) }
}

/**
 * `store 02` says which indexes a store was written with. It is written with a store's first row and never deleted, so a
 * store that was emptied has it, and one rebuilt from a changelog in which nothing is left has not.
 */
const DESCRIPTOR_ROW = /^(?:[2-7][0-9a-f])+02$/

/** All rows of a task as hex, without what its keys begin with where several tasks share a database. */
export async function rowsOf(reader: StateReader): Promise<string[]> {
  const { prefix } = reader
  const rows: string[] = []
  let gte = prefix
  const lt = Buffer.concat([prefix, Buffer.alloc(64, 0xff)])
  for (;;) {
    const page = await reader.page({ gte, lt }, { limit: PAGE_ROWS })
    for (const { key, value } of page) {
      const row = key.subarray(prefix.length).toString('hex')
      if (row === POSITIONS_ROW || DESCRIPTOR_ROW.test(row)) continue
      rows.push(`${row}=${value.toString('hex')}`)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return rows
    gte = Buffer.concat([last.key, Buffer.of(0)])
  }
}
