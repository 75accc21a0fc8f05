/** I24: a changelog holds a store's own keys and values, and whoever reads it by Kafka's rules has the store. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { type Campaign, campaignSchema, stateSerde } from '../../../schemas/index.ts'
import { keyValueStore, serdes } from '../../../state/index.ts'
import { changelogTopic, type Topic, topology } from '../../../streams/index.ts'
import { appendRecord } from '../../contract/log-fixtures.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { seededRandom, seedOfRun } from '../../support/random.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { javaPrograms } from './java-programs.ts'
import { drained, openEngine } from './opened-engine.ts'
import '../../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')
const runJava = javaPrograms()
const CHANGES = 3_000
const KEYS = 200

interface Note {
  readonly stars: number
  readonly text: string
}

function inputOf<V>(value: Topic<string, V>['value']): Topic<string, V> {
  return {
    name: freshName('changes'),
    key: serdes.string,
    value,
    cleanup: 'delete',
    timestamps: 'CreateTime',
  }
}

const notes = keyValueStore<Note>({ name: 'notes', value: serdes.json<Note>() })
const notesInput = inputOf(serdes.json<Note>())
const campaigns = keyValueStore<Campaign>({ name: 'campaigns', value: stateSerde(campaignSchema) })
const campaignsInput = inputOf(stateSerde(campaignSchema))
const tables = topology('tables', (t) => {
  t.table(notesInput, { store: notes })
  t.table(campaignsInput, { store: campaigns })
})

function campaign(couponId: string, revision: number): Campaign {
  return {
    couponId,
    name: `Campaign of ${couponId} ü`,
    quota: 1_000,
    perUserLimit: 1,
    opensAt: 0,
    closesAt: 1,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 100, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  }
}

/** What a Java application prints of a table. */
interface Row {
  readonly key: string
  readonly value: unknown
}

test("a Java application builds a store's table from its changelog", async () => {
  const seed = seedOfRun()
  const random = seededRandom(seed)
  const { application, log, streams } = await openEngine({
    application: freshName('interop'),
    topologies: [tables],
  })
  const changes = Array.from({ length: CHANGES }, (_, index) => {
    const key = `ключ-${random.below(KEYS)}`
    const isDelete = random.chance(0.3)
    const input = random.chance(0.5) ? notesInput : campaignsInput
    const value = (): Buffer =>
      input === notesInput
        ? notesInput.value.serialize({ stars: index, text: `note ${index} 中` })
        : campaignsInput.value.serialize(campaign(key, index))
    return appendRecord(input.name, '', {
      partition: undefined,
      key: Buffer.from(key),
      value: isDelete ? null : value(),
    })
  })
  // In several commits, so that a key is in the changelog several times.
  for (let from = 0; from < CHANGES; from += 500) {
    await log.append(changes.slice(from, from + 500))
    await drained(log, streams, tables.name)
  }
  const schemaFile = join(await scratchDirectory('interop'), 'campaign.avsc')
  await writeFile(schemaFile, JSON.stringify(campaignSchema.definition))

  for (const [spec, ...schema] of [[notes], [campaigns, schemaFile]] as const) {
    const task = { topology: tables.name, subTopology: 0, partition: 0 }
    const changelog = changelogTopic(application, task, spec.name)
    const printed = (await runJava('ChangelogMap', bootstrap, changelog, ...schema)) as Row[]
    const { tombstones } = printed.pop() as unknown as { readonly tombstones: number }
    const live = await streams.queries(tables.name, spec as typeof notes).pageAll({ limit: KEYS * 2 })
    expect(live.length, `seed ${seed}`).toBeGreaterThan(KEYS / 4)
    expect(tombstones, `seed ${seed}`).toBeGreaterThan(0)
    expect(new Map(printed.map(({ key, value }) => [key, value])), `seed ${seed}`).toEqual(new Map(live))
    expect(printed).toHaveLength(live.length)
  }
})
