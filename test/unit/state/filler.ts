/**
 * Fills a state directory with known batches. Run as a program, it does so, says `full`, and waits to be killed: that
 * leaves the files as a crash does.
 */
import {
  BatchRing,
  bytesOf,
  keyValueStore,
  type LevelDatabase,
  openLevelDb,
  serdes,
  TaskState,
} from '../../../state/index.ts'

export const store = keyValueStore({ name: 'counters', value: serdes.json<{ count: number; pad: string }>() })
export const ringPrefix = Buffer.from('\x00ring\x00')
/** A small write buffer, so that there are tables as well as a write-ahead file. */
export const levelOptions = { application: 'damage', writeBufferSize: 256 * 1024 }
export const keyCount = 300
export const batchCount = 420
const batchKeys = 25

function keysOf(batch: number): string[] {
  return Array.from({ length: batchKeys }, (_, i) => `member-${(batch * 7_919 + i * 104_729) % keyCount}`)
}

/** What the store holds after each batch; the first entry is before any. */
export function history(): Map<string, number>[] {
  const all: Map<string, number>[] = [new Map()]
  for (let batch = 0; batch < batchCount; batch++) {
    const counts = new Map(all.at(-1))
    for (const key of keysOf(batch)) counts.set(key, (counts.get(key) ?? 0) + 1)
    all.push(counts)
  }
  return all
}

export async function fill(dir: string): Promise<LevelDatabase> {
  const database = await openLevelDb(dir, levelOptions)
  const ring = new BatchRing({ prefix: ringPrefix, writeBufferBytes: levelOptions.writeBufferSize })
  const state = new TaskState({ reader: database, specs: [store], withChanges: false })
  const counters = state.handle(store)
  for (let batch = 0; batch < batchCount; batch++) {
    const pad = String.fromCharCode(97 + (batch % 26)).repeat(40)
    for (const key of keysOf(batch)) counters.put(key, { count: (counters.get(key)?.count ?? 0) + 1, pad })
    const { ops } = state.seal()
    await database.write([...ops, ...ring.next(bytesOf(ops))])
    state.committed()
  }
  return database
}

if (import.meta.main) {
  await fill(process.argv[2] ?? '')
  process.stdout.write('full\n')
  process.stdin.resume()
}
