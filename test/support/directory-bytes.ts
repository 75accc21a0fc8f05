/** All that a data directory holds: its files as they lie there, and its database's rows without their compression. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../../transports/embedded/open-database.ts'

const PAGE_ROWS = 1_000

/** Compression of a table may have a say about the ends of a random value, not about its middle. */
const EDGE_BYTES = 8

/** What to look for in files to find a random value. */
export function middleOf(bytes: Buffer): Buffer {
  return bytes.subarray(EDGE_BYTES, -EDGE_BYTES)
}

/** Names of files that hold the bytes. */
export async function filesWith(directory: string, bytes: Buffer): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  const contents = await Promise.all(paths.map((path) => readFile(path)))
  return paths.filter((_, index) => contents[index]?.includes(bytes))
}

/** Keys and values of all rows, of a directory that nobody has open. */
export async function rowsOf(directory: string): Promise<readonly Buffer[]> {
  const db = await openDatabase({ directory, application: 'millrace' })
  try {
    const all: Buffer[] = []
    const end = Buffer.of(0xff)
    for (let gte = Buffer.alloc(0); ; ) {
      const page = await db.page({ gte, lt: end }, { limit: PAGE_ROWS })
      all.push(...page.flatMap(({ key, value }) => [key, value]))
      const last = page.at(-1)
      if (last === undefined) return all
      gte = Buffer.concat([last.key, Buffer.of(0)])
    }
  } finally {
    await db.close()
  }
}
