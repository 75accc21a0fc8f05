/** Keys are data: whatever they are, no file is made of them. */
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { keys, keyValueStore, serdes, TaskDatabases } from '../../state/index.ts'
import { formatUuid7, NO_HEADERS, Streams, topology } from '../../streams/index.ts'
import { ManualClock } from '../../testing/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { MemoryLog } from '../../transports/simulated/index.ts'
import { topicSpec } from '../support/engine-shop.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { stringTopic } from '../support/topics.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOSTILE = [
  '../../outside',
  '/etc/passwd',
  '..',
  'a\u0000b',
  'CON',
  'x'.repeat(30_000),
  '%2e%2e%2f',
  '\u202e',
]
const texts = stringTopic('texts')
const latest = keyValueStore({ name: 'latest', key: keys.string, value: serdes.string })
const keeping = topology('keeping', (t) => void t.table(texts, { store: latest }))

test.each(['embedded', 'databases of tasks'] as const)('hostile keys make no file: %s', async (mode) => {
  const directory = await scratchDirectory('hostile')
  const before = await namesBeside(directory)
  const plain = await run(mode, `${directory}/plain`, ['k'])
  const hostile = await run(mode, `${directory}/hostile`, HOSTILE)
  expect(hostile).toEqual(plain)
  expect(await namesBeside(directory)).toEqual(before)
})

/** The kinds of files that are there when these keys were stored and read back. */
async function run(mode: string, directory: string, stored: readonly string[]): Promise<readonly string[]> {
  const clock = new ManualClock(NOW)
  const application = 'hostile'
  const embedded = mode === 'embedded'
  const log = embedded
    ? await openEmbeddedLog({ directory, application, clock })
    : new MemoryLog({ stateHome: 'task', now: () => clock.now() })
  const state = embedded ? {} : { stateDirectory: new TaskDatabases({ directory, application }) }
  const streams = new Streams({ application, topologies: [keeping], log, clock, topicSpec, ...state })
  await streams.open()
  await streams.ready()
  await log.append(
    stored.map((key, i) => ({
      topic: texts.name,
      key: Buffer.from(key),
      value: Buffer.from('v'),
      timestamp: NOW,
      lineage: { eventId: formatUuid7(NOW, i, 0, 0) },
      headers: NO_HEADERS,
    })),
  )
  const runner = streams.runner(keeping.name)
  while (await runner.step());
  await runner.commitNow()
  for (const key of stored) expect(streams.queries(keeping.name, latest).get(key).value).toBe('v')
  await streams.close()
  await log.close()
  const files = await readdir(directory, { recursive: true })
  return [...new Set(files.map((file) => file.replaceAll(/\d+/g, 'N')))].toSorted()
}

async function namesBeside(directory: string): Promise<readonly string[]> {
  const names = await readdir(`${directory}/..`)
  return names.filter((name) => !name.startsWith('millrace-') && /outside|passwd|CON/.test(name))
}
