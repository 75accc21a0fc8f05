/** Kafka's own tools see our groups and transactions as they see those of Java applications. */
import { expect, inject, test } from 'vitest'
import { serdes } from '../../../state/index.ts'
import { processor, shape, type Topic, topology } from '../../../streams/index.ts'
import { appendRecord } from '../../contract/log-fixtures.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { kafkaTool, transactionsTool } from '../../support/kafka/tools.ts'
import { drained, openEngine, PARTITIONS } from './opened-engine.ts'
import '../../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')

function topicOf(name: string): Topic<string, string> {
  const text = serdes.string
  return { name: freshName(name), key: text, value: text, cleanup: 'delete', timestamps: 'CreateTime' }
}

const input = topicOf('tools-in')
const output = topicOf('tools-out')
const copies = topology('copies', (t) => {
  const copy = processor({
    name: 'copy',
    input: shape<string, string>(),
    outputs: { out: shape<string, string>() },
    process: ({ key, value }, { emit }) => emit.out(key, value),
  })
  t.stream(input).process(copy).out.to(output)
})

/** A row of a tool's table, by the names of its columns. */
type Row = Readonly<Record<string, string>>

async function describeGroup(group: string, ...what: string[]): Promise<Row[]> {
  const tool = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const args = ['--bootstrap-server', bootstrap, '--describe', '--group', group, ...what]
  return rowsOf(await kafkaTool(tool, ...args), 'GROUP')
}

/** Columns are apart by blanks, and no value has any; the last one may be empty. */
function rowsOf(printed: string, firstColumn: string): Row[] {
  const lines = printed.split('\n').map((line) => line.trim().split(/\s+/))
  const header = lines.findIndex(([first]) => first === firstColumn)
  const names = lines[header] ?? []
  return lines
    .slice(header + 1)
    .filter((line) => line.length >= names.length - 1 && line[0] !== '')
    .map((line) => Object.fromEntries(names.map((name, column) => [name, line[column] ?? ''])))
}

const records = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    appendRecord(input.name, `${index}`, { partition: index % PARTITIONS }),
  )

test('a group: its members, their partitions, and how far they are behind', async () => {
  const application = freshName('tools')
  const group = `${application}.copies`
  const first = await openEngine({ application, topologies: [copies], slot: 'one' })
  const second = await openEngine({ application, topologies: [copies], slot: 'two' })
  // The second process takes over its half.
  await eventually(() => second.streams.runner('copies').tasks.length === PARTITIONS / 2)
  const engines = [first, second]
  await first.log.append(records(40))
  await eventually(async () => (await describeGroup(group, '--offsets')).every(({ LAG }) => LAG === '0'))

  const members = await describeGroup(group, '--members', '--verbose')
  const instances = ['one', 'two'].map((slot) => `${application}.copies.${slot}`)
  expect(new Set(members.map((row) => row['GROUP-INSTANCE-ID']))).toEqual(new Set(instances))
  const assigned = members.flatMap((row) =>
    partitionsIn(row['ASSIGNMENT'] ?? row['CURRENT-ASSIGNMENT'] ?? ''),
  )
  expect(members.map((row) => row['#PARTITIONS'])).toEqual(['2', '2'])
  expect(assigned.toSorted(byText)).toEqual(['0', '1', '2', '3'])

  const offsets = await describeGroup(group, '--offsets')
  const inPartition = ({ TOPIC, PARTITION, LAG, ...row }: Row) =>
    `${TOPIC}-${PARTITION} at ${row['CURRENT-OFFSET']}, behind by ${LAG}`
  expect(offsets.map(inPartition).toSorted(byText)).toEqual(
    ['0', '1', '2', '3'].map((partition) => `${input.name}-${partition} at 10, behind by 0`),
  )
  expect(new Set(offsets.map((row) => row['CONSUMER-ID']))).toEqual(
    new Set(members.map((row) => row['CONSUMER-ID'])),
  )

  for (const { streams } of engines) await streams.close()
  await first.log.append(records(8))
  const behind = await describeGroup(group, '--offsets')
  expect(behind.map((row) => row['LAG'])).toEqual(['2', '2', '2', '2'])
  expect(behind.map((row) => row['LOG-END-OFFSET'])).toEqual(['12', '12', '12', '12'])
})

test('transactions: one id for each process, complete, and none that hangs', async () => {
  const application = freshName('tools')
  const { log, streams } = await openEngine({ application, topologies: [copies] })
  await log.append(records(20))
  await drained(log, streams, 'copies')
  const listed = rowsOf(await transactionsTool(bootstrap, 'list'), 'TransactionalId')
  const ours = listed.filter((row) => row['TransactionalId']?.startsWith(`${application}.`))
  expect(ours.map((row) => row['TransactionalId'])).toEqual([expect.stringMatching(/\.copies\.a\.\d+$/)])
  const [id = ''] = ours.map((row) => row['TransactionalId'])
  await eventually(async () => {
    const [row] = rowsOf(
      await transactionsTool(bootstrap, 'describe', '--transactional-id', id),
      'CoordinatorId',
    )
    return row?.['TransactionState'] === 'CompleteCommit'
  })
  const hanging = await transactionsTool(bootstrap, 'find-hanging', '--topic', output.name)
  expect(rowsOf(hanging, 'Topic')).toEqual([])
})

const byText = (one: string, other: string): number => one.localeCompare(other)

/** `topic(0,2)`, or, in newer versions, `topic:0,2`. */
function partitionsIn(assignment: string): string[] {
  const [, partitions = ''] = /[(:]([\d,]+)\)?$/.exec(assignment) ?? []
  return partitions.split(',')
}
