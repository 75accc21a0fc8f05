/** What only a log at hand offers: backups, settings, journals, membership in one process, resets. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { GroupListener } from '../../../streams/index.ts'
import { restoreBackup, verifyLog } from '../../../transports/embedded/index.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  output,
  readAll,
  taskOf,
  topicSpec,
  values,
} from '../../contract/log-fixtures.ts'
import { type Faults, freshDirectory, openLog } from './support.ts'

const application = 'contract'
const input = { topic: 'in', partition: 0 }
const result = { topic: 'out', partition: 0 }
const orders = {
  topology: 'orders',
  internalTopics: ['orders-by-user-repartition'],
  intermediateTopics: [],
}

/** A member that has nothing to do. */
const idle: GroupListener = {
  stored: () => Promise.resolve([]),
  rebalancing: () => Promise.resolve(),
  assigned: () => Promise.resolve(),
  revoked: () => Promise.resolve(),
  lost() {},
}

describe('a backup', () => {
  test('made while the log is written is as the log was after some batch', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const { assignment } = await joined(log, groupOf('in'))
    const { prefix } = await log.taskState(taskOf(0))
    // Each commit moves input position, output and state together by one.
    let stop = false
    let commits = 0
    const writing = (async () => {
      for (let i = 1; !stop; i++) {
        await log.append([appendRecord('in', `${i}`)])
        const state = [
          { type: 'put', key: Buffer.concat([prefix, Buffer.from('N')]), value: Buffer.from(`${i}`) },
        ] as const
        await log.commit([
          commitOf(assignment.epoch, checkpointAt(i, i), { outputs: [output(`${i}`)], state }),
        ])
        commits = i
      }
    })()
    await expect.poll(() => commits).toBeGreaterThan(20)
    const backup = join(await freshDirectory(), 'backup')
    const before = commits
    await log.backup(backup)
    await expect.poll(() => commits).toBeGreaterThan(before + 20)
    stop = true
    await writing

    const target = join(await freshDirectory(), 'restored')
    const verified = await restoreBackup(backup, target, { application })
    const copy = await openLog(target)
    const { end } = await copy.bounds(result)
    expect(end).toBeGreaterThanOrEqual(before)
    expect(end).toBeLessThanOrEqual(commits)
    const inputs = (await copy.bounds(input)).end
    expect([end, end + 1]).toContain(inputs)
    expect(verified).toMatchObject({ topics: 2, records: end + inputs })
    expect(values(await readAll(copy, result))).toEqual(
      Array.from({ length: end }, (_, index) => `${index + 1}`),
    )
    expect(await copy.committed(taskOf(0))).toEqual(checkpointAt(end, end))
    const state = await copy.taskState(taskOf(0))
    expect(state.get(Buffer.concat([state.prefix, Buffer.from('N')]))?.toString()).toBe(`${end}`)
    await copy.append([appendRecord('in', 'goes on')])
  })

  async function backedUp() {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in')])
    for (let i = 0; i < 50; i++) await log.append([appendRecord('in', `${i} ${'x'.repeat(500)}`)])
    const backup = join(await freshDirectory(), 'backup')
    await log.backup(backup)
    return { log, backup }
  }

  test('goes to an empty directory only', async () => {
    const { log, backup } = await backedUp()
    await expect(log.backup(backup)).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
  })

  test('is restored to an empty directory only, and is left as it was', async () => {
    const { backup } = await backedUp()
    const target = await freshDirectory()
    await writeFile(join(target, 'something'), '')
    await expect(restoreBackup(backup, target, { application })).rejects.toMatchObject({
      code: 'STATE_INCOMPATIBLE',
    })
    expect(await readdir(target)).toEqual(['something'])
    const before = await readdir(backup)
    const empty = join(await freshDirectory(), 'empty')
    await mkdir(empty)
    expect(await restoreBackup(backup, empty, { application })).toMatchObject({ records: 50 })
    expect(await readdir(backup)).toEqual(before)
  })

  test('that is damaged is not restored, and nothing of it stays', async () => {
    const { backup } = await backedUp()
    const name = (await readdir(backup)).find((file) => /\.(ldb|log)$/.test(file)) ?? ''
    const bytes = await readFile(join(backup, name))
    bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000)
    await writeFile(join(backup, name), bytes)
    const parent = await freshDirectory()
    const restored = restoreBackup(backup, join(parent, 'target'), { application })
    await expect(restored).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
    expect(await readdir(parent)).toEqual([])
  })

  test('of another application, or what is none, is not restored', async () => {
    const { backup } = await backedUp()
    const other = restoreBackup(backup, join(await freshDirectory(), 'a'), { application: 'other' })
    await expect(other).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
    const none = restoreBackup(await freshDirectory(), join(await freshDirectory(), 'b'), { application })
    await expect(none).rejects.toMatchObject({ code: 'STATE_MISSING' })
  })

  test('is not a directory that a log has open', async () => {
    const directory = await freshDirectory()
    await openLog(directory)
    const live = restoreBackup(directory, join(await freshDirectory(), 'a'), { application })
    await expect(live).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    await expect(verifyLog({ directory, application })).rejects.toMatchObject({ code: 'STATE_LOCKED' })
  })
})

describe('settings', () => {
  test('are small JSON values that last', async () => {
    const directory = await freshDirectory()
    const log = await openLog(directory)
    expect(await log.setting('recorded')).toBeUndefined()
    await log.putSetting('recorded', { at: '2026-01-01', topics: ['in'] })
    await log.putSetting('gone', 1)
    await log.putSetting('gone', undefined)
    await log.close()
    const again = await openLog(directory)
    expect(await again.setting('recorded')).toEqual({ at: '2026-01-01', topics: ['in'] })
    expect(await again.setting('gone')).toBeUndefined()
  })
})

describe('what the log knows', () => {
  test('are topics, sizes, checkpoints and journals', async () => {
    const directory = await freshDirectory()
    let log = await openLog(directory)
    const spec = topicSpec('in', { partitions: 1, retentionMs: 5_000 })
    await log.ensureTopics([spec, topicSpec('out')])
    const { assignment } = await joined(log, groupOf('in'))
    const journals = [1, 2, 3].map((sequence) => {
      const { journal } = commitOf(assignment.epoch, checkpointAt(sequence, sequence))
      return {
        ...journal,
        inputs: [{ ...input, firstOffset: sequence - 1, count: 1 }],
        outputsCrc: 0xfedcba98,
      }
    })
    for (const journal of journals) {
      const { sequence } = journal
      await log.commit([{ ...commitOf(assignment.epoch, checkpointAt(sequence, sequence)), journal }])
    }
    await log.append([appendRecord('in', 'a')])
    const look = async () => {
      expect(log.describeTopics()).toEqual([spec, topicSpec('out')])
      expect(log.committedAll()).toEqual(new Map([['orders.0_0', checkpointAt(3, 3)]]))
      const found = []
      for await (const journal of log.journal(taskOf(0))) found.push(journal)
      expect(found).toEqual(journals)
      const none = []
      for await (const journal of log.journal(taskOf(7))) none.push(journal)
      expect(none).toEqual([])
      expect(log.stats()).toMatchObject({
        partitions: [
          { topic: 'in', partition: 0, start: 0, end: 1 },
          { topic: 'out' },
          { topic: 'out', partition: 1 },
        ],
        bytesOnDisk: expect.any(Number),
      })
    }
    await look()
    await log.close()
    log = await openLog(directory)
    await look()
    expect(log.stats().bytesOnDisk).toBeGreaterThan(0)
  })

  test('includes a journal row that is missing', async () => {
    const faults: Faults = {}
    const log = await openLog(await freshDirectory(), {}, faults)
    await log.ensureTopics([topicSpec('in')])
    const { assignment } = await joined(log, groupOf('in'))
    for (const sequence of [1, 2, 3]) {
      faults.beforeWrite = (ops) => {
        const row = ops.find(({ key }) => sequence === 2 && key[0] === 'j'.charCodeAt(0))
        if (row !== undefined) row.key.fill('~')
      }
      await log.commit([commitOf(assignment.epoch, checkpointAt(sequence, sequence))])
    }
    const read = async () => {
      for await (const _ of log.journal(taskOf(0)));
    }
    await expect(read()).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      detail: expect.stringContaining('batch 2'),
    })
  })
})

describe('membership', () => {
  test('goes to whoever joins last; the one before is told, and fenced', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const first = await joined(log, groupOf('in'))
    const second = await joined(log, groupOf('in'))
    expect(await first.lost).toMatchObject({ code: 'COMMIT_FENCED' })
    expect([first.assignment.epoch, second.assignment.epoch]).toEqual([1, 2])
    await expect(log.commit([commitOf(1, checkpointAt(1))])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
    // Leaving what one has lost does not end the other's.
    await first.membership.leave()
    await log.commit([commitOf(2, checkpointAt(1))])
  })

  test('comes after the last commit of the member before', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const { assignment } = await joined(log, groupOf('in'))
    const commit = log.commit([commitOf(assignment.epoch, checkpointAt(7))])
    const outcome = commit.then(
      () => 7,
      () => undefined,
    )
    let seen: number | undefined
    await log.join(groupOf('in'), {
      ...idle,
      async assigned() {
        seen = (await log.committed(taskOf(0)))?.positions[0]?.offset
      },
    })
    expect(seen).toBe(await outcome)
  })

  test('is over at once when the listener cannot take its tasks', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in')])
    const join = log.join(groupOf('in'), {
      ...idle,
      assigned: () => Promise.reject(new Error('no room')),
    })
    await expect(join).rejects.toThrow('no room')
    await expect(log.commit([commitOf(1, checkpointAt(1))])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
  })

  test('is refused to another application', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in')])
    await expect(joined(log, { ...groupOf('in'), application: 'other' })).rejects.toMatchObject({
      code: 'TOPOLOGY_INVALID',
    })
  })

  test('keeps a commit inside its own rows', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const { assignment } = await joined(log, groupOf('in'))
    const { prefix } = await log.taskState(taskOf(1))
    const state = [
      { type: 'put', key: Buffer.concat([prefix, Buffer.from('k')]), value: Buffer.from('v') },
    ] as const
    const commit = log.commit([
      commitOf(assignment.epoch, checkpointAt(1), { outputs: [output('a')], state }),
    ])
    await expect(commit).rejects.toThrow('orders.0_0 writes outside its own rows')
    expect(await log.bounds(result)).toMatchObject({ end: 0 })
  })
})

describe('state', () => {
  const stores = (...names: string[]) => ({
    ...groupOf('in'),
    subTopologies: [{ id: 0, inputs: ['in'], stores: names, hasState: names.length > 0 }],
  })

  async function withState(directory: string, faults: Faults = {}) {
    const log = await openLog(directory, {}, faults)
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const { assignment, membership } = await joined(log, stores('totals'))
    for (const partition of [0, 1]) {
      const { prefix } = await log.taskState(taskOf(partition))
      const state = Array.from({ length: 2_500 }, (_, index) => ({
        type: 'put' as const,
        key: Buffer.concat([prefix, Buffer.from(`${index}`)]),
        value: Buffer.from('v'),
      }))
      await log.commit([commitOf(assignment.epoch, checkpointAt(5, 1, partition), { state })])
    }
    return { log, membership }
  }

  const shaped = (...parts: { inputs: string[]; stores: string[] }[]) => ({
    ...groupOf('in'),
    subTopologies: parts.map((part, id) => ({ id, ...part, hasState: part.stores.length > 0 })),
  })

  test.each([
    ['a store that is not there any more', shaped({ inputs: ['in'], stores: [] })],
    ['another store in its place', shaped({ inputs: ['in'], stores: ['averages'] })],
    ['a store more, and other inputs', shaped({ inputs: ['out'], stores: ['averages', 'totals'] })],
    [
      'another part of the topology in its place',
      shaped({ inputs: ['out'], stores: ['averages'] }, { inputs: ['in'], stores: ['totals'] }),
    ],
  ])('is not read by a topology with %s', async (_, group) => {
    const directory = await freshDirectory()
    const { log } = await withState(directory)
    await log.close()
    const again = await openLog(directory)
    await expect(joined(again, group)).rejects.toMatchObject({
      code: 'RESET_REQUIRED',
      detail: expect.stringMatching(/has the state of totals, from in; the topology now has .*, from /),
    })
    expect((await joined(again, stores('totals'))).assignment.tasks).toHaveLength(2)
  })

  test('is read by a topology that has grown by stores and inputs, and by none that has shrunk again', async () => {
    const directory = await freshDirectory()
    const { log } = await withState(directory)
    await log.close()
    const again = await openLog(directory)
    await joined(again, shaped({ inputs: ['in', 'out'], stores: ['averages', 'totals'] }))
    expect(await again.committed(taskOf(0))).toEqual(checkpointAt(5, 1, 0))
    const { prefix } = await again.taskState(taskOf(0))
    expect((await again.taskState(taskOf(0))).get(Buffer.concat([prefix, Buffer.from('7')]))).toBeDefined()
    await again.close()
    const later = await openLog(directory)
    await expect(joined(later, stores('totals'))).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    await joined(later, shaped({ inputs: ['in', 'out'], stores: ['averages', 'totals'] }))
  })

  test('that another part of the topology has is not taken for a new, empty store', async () => {
    const directory = await freshDirectory()
    const log = await openLog(directory)
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    await joined(
      log,
      shaped({ inputs: ['in'], stores: ['totals'] }, { inputs: ['out'], stores: ['averages'] }),
    )
    const merged = shaped({ inputs: ['in', 'out'], stores: ['averages', 'totals'] })
    await expect(joined(log, merged)).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
  })

  test('goes with a reset, when nobody runs on it, and the topology starts anew', async () => {
    const directory = await freshDirectory()
    const { log, membership } = await withState(directory)
    await expect(log.resetTopology(orders, { dryRun: false })).rejects.toMatchObject({
      code: 'TOPOLOGY_RUNNING',
    })
    await membership.leave()
    const planned = await log.resetTopology(orders, { dryRun: true })
    expect(planned).toMatchObject({
      tasks: [
        { task: taskOf(0), sequence: 1, positions: [{ offset: 5 }] },
        { task: taskOf(1), sequence: 1 },
      ],
      topics: [],
    })
    expect(await log.committed(taskOf(0))).toEqual(checkpointAt(5, 1, 0))
    expect(await log.resetTopology(orders, { dryRun: false })).toEqual(planned)
    await log.close()
    const again = await openLog(directory)
    await joined(again, stores('averages', 'totals'))
    for (const partition of [0, 1]) {
      expect(await again.committed(taskOf(partition))).toBeUndefined()
      const { prefix, page } = await again.taskState(taskOf(partition)).then((reader) => ({
        prefix: reader.prefix,
        page: reader.page.bind(reader),
      }))
      expect(await page({ gte: prefix, lt: Buffer.concat([prefix, Buffer.of(255)]) }, { limit: 10 })).toEqual(
        [],
      )
    }
  })

  test('is not read between the beginning and the end of a reset', async () => {
    const directory = await freshDirectory()
    const faults: Faults = {}
    const { log, membership } = await withState(directory, faults)
    await membership.leave()
    let writes = 0
    faults.beforeWrite = () => {
      if (++writes > 2) throw new Error('the process dies here')
    }
    await expect(log.resetTopology(orders, { dryRun: false })).rejects.toMatchObject({
      code: 'LOG_WRITE_FAILED',
    })
    await log.close()
    const again = await openLog(directory)
    await expect(joined(again, stores('totals'))).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    await again.resetTopology(orders, { dryRun: false })
    await joined(again, stores('totals'))
    expect(await again.committed(taskOf(0))).toBeUndefined()
  })

  test("takes the records of the topology's own topics along, also when it was cut short, and no others", async () => {
    const directory = await freshDirectory()
    const faults: Faults = {}
    const { log, membership } = await withState(directory, faults)
    const own = { topic: 'orders-by-user-repartition', partition: 1 }
    await log.ensureTopics([topicSpec(own.topic)])
    for (let i = 0; i < 40; i++) await log.append([appendRecord(own.topic, `v${i}`, { partition: 1 })])
    await log.append([appendRecord('in', 'kept')])
    await membership.leave()
    // A mark, three slices of state and one of journals for each of two tasks, then the first slice of records.
    let writes = 0
    faults.beforeWrite = () => {
      if (++writes > 10) throw new Error('the process dies here')
    }
    await expect(log.resetTopology(orders, { dryRun: false })).rejects.toMatchObject({
      code: 'LOG_WRITE_FAILED',
    })
    await log.close()

    const again = await openLog(directory)
    await expect(joined(again, stores('totals'))).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    const { topics } = await again.resetTopology(orders, { dryRun: false })
    expect(topics).toMatchObject([{ partition: 0 }, { ...own, start: 16, end: 40 }])
    await again.close()

    const last = await openLog(directory)
    expect(await last.bounds(own)).toMatchObject({ start: 40, end: 40 })
    const [next] = await last.append([appendRecord(own.topic, 'next', { partition: 1 })])
    expect(next?.offset).toBe(40)
    expect(values(await readAll(last, own, 40))).toEqual(['next'])
    expect(values(await readAll(last, input))).toEqual(['kept'])
  })
  test('goes without what the topology itself wrote to a topic that stays: the new tasks go on behind it', async () => {
    const directory = await freshDirectory()
    const { log, membership } = await withState(directory)
    for (const partition of [0, 0, 0, 1]) await log.append([appendRecord('in', 'a', { partition })])
    await membership.leave()
    await log.resetTopology({ ...orders, intermediateTopics: ['in'] }, { dryRun: false })
    await log.close()
    const again = await openLog(directory)
    await joined(again, stores('totals'))
    expect(await again.committed(taskOf(0))).toMatchObject({
      positions: [{ topic: 'in', offset: 3 }],
      sequence: 0,
    })
    expect(await again.committed(taskOf(1))).toMatchObject({ positions: [{ topic: 'in', offset: 1 }] })
    const { prefix } = await again.taskState(taskOf(0))
    const range = { gte: prefix, lt: Buffer.concat([prefix, Buffer.of(255)]) }
    expect(await (await again.taskState(taskOf(0))).page(range, { limit: 5 })).toEqual([])
  })
})
