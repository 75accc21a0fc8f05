/**
 * The thread that PGlite runs in: a PostgreSQL in WebAssembly, whose statements keep their thread busy. One request at a
 * time comes in, its answer goes out.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite, types } from '@electric-sql/pglite'
import type { PgliteAnswer, PgliteRequest } from './pglite-database.ts'

const port = parentPort
if (port === null) throw new Error('it runs in a thread')

// Sums of longs are larger than a number can say: they come as text, all other longs are safe integers.
const opened = PGlite.create({
  dataDir: (workerData as { readonly directory: string }).directory,
  parsers: { [types.INT8]: Number },
})

port.on('message', (request: PgliteRequest) => {
  void answerTo(request).then((answer) => port.postMessage(answer))
})

async function answerTo({ id, sql, parameters }: PgliteRequest): Promise<PgliteAnswer> {
  try {
    const database = await opened
    if (sql === undefined) {
      await database.close()
      return { id, rows: [], count: 0 }
    }
    const { rows, affectedRows } = await database.query<Record<string, unknown>>(sql, [...parameters])
    return { id, rows, count: affectedRows ?? 0 }
  } catch (error) {
    const { message, code } = error as Error & { readonly code?: string }
    return { id, error: { message, code } }
  }
}
