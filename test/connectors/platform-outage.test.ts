/** PostgreSQL is gone while the shop goes on. `OUTAGE_MS` makes it longer. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { PrivatePostgres } from '../support/postgres/private-server.ts'
import { seededRandom } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { PlatformRun, seen, storedLines, textOf } from './platform-run.ts'

const outageMs = Number(process.env['OUTAGE_MS'] ?? 3_000)
/** What the process may have in memory: it needs less than half of it when all is well. */
const MOST_BYTES = 400 * 1024 * 1024

vi.setConfig({ testTimeout: 120_000 + 5 * outageMs })

test(`with PostgreSQL killed and gone for ${outageMs} ms under load nothing is lost, and memory stays bounded`, async () => {
  const server = await PrivatePostgres.start()
  onTestFinished(() => server.close())
  const url = await server.database('platform')
  const run = new PlatformRun(
    { directory: await scratchDirectory('outage'), target: { url }, runsFree: true },
    seededRandom(1),
  )
  const shop = run.start()
  await seen(shop, 'delivered', 3)
  await server.kill()
  const killedAt = performance.now()
  await shop.line((line) => line.startsWith('failed unavailable'))
  let bytes = 0
  const watched = shop.line((line) => {
    bytes = Math.max(bytes, Number(/^appended rss (\d+)$/.exec(line)?.[1] ?? 0))
    return false
  })
  // It ends with the process.
  watched.catch(() => undefined)
  // So long, and the shop still takes orders.
  await shop.line((line) => line.startsWith('appended') && performance.now() - killedAt >= outageMs)
  await server.restart()
  await run.drain(shop)

  const { lines } = await run.logged()
  const database = postgresDatabase({ url, connections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => database.close())
  expect((await storedLines(database)).toSorted()).toEqual(lines.map(textOf).toSorted())
  console.log(`${outageMs} ms: ${lines.length} lines, at most ${Math.round(bytes / 1024 / 1024)} MiB`)
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThan(MOST_BYTES)
})
