/** The saga of `docs/saga.md`, as it stands there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  tripCommands,
  type TripInput,
  tripInputs,
  tripStore,
  tripTopology,
} from '../../docs/examples/trip-saga.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { ROOT } from '../house/sources.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000

const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

class Agency {
  readonly driver: TopologyTestDriver
  constructor(driver: TopologyTestDriver) {
    this.driver = driver
  }
  static async open(mode: Partial<DriverOptions>): Promise<Agency> {
    return new Agency(await TopologyTestDriver.open({ topologies: [tripTopology], now: NOW, ...mode }))
  }
  async take(...inputs: TripInput[]): Promise<void> {
    for (const input of inputs) await this.driver.pipe(tripInputs, 't1', input)
  }
  book(): Promise<void> {
    return this.take({ kind: 'begin', data: { flights: ['AB1', 'CD2'], price: 300, payBy: NOW + HOUR } })
  }
  answer(step: 'seats' | 'money' | 'ticket', ok: boolean, part = ''): Promise<void> {
    return this.take({ kind: 'answer', step, part, answer: ok })
  }
  undone(step: 'seats' | 'money', part = ''): Promise<void> {
    return this.take({ kind: 'undone', step, part, answer: null })
  }
  /** `seat AB1`, `pay`, with `#1` of a later epoch. */
  get commands(): string[] {
    return this.driver.read(tripCommands).map(({ value }) => {
      const { what, part, epoch } = value ?? { what: 'nothing', part: '', epoch: 0 }
      return `${what} ${part}`.trim() + (epoch > 0 ? `#${epoch}` : '')
    })
  }
  get trip() {
    return this.driver.store(tripTopology, tripStore).get('t1').value
  }
}

describe.each(modes)('a trip, %s', (_, mode) => {
  test('goes forward once every seat has its answer, in whatever order and however often', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.answer('seats', true, 'CD2')
    await agency.answer('seats', true, 'CD2')
    expect(agency.commands).toEqual(['seat AB1', 'seat CD2'])
    await agency.answer('seats', true, 'AB1')
    await agency.answer('money', true)
    await agency.answer('ticket', true)
    await agency.answer('money', true)
    expect(agency.commands).toEqual(['seat AB1', 'seat CD2', 'pay', 'ticket'])
    expect(agency.trip).toMatchObject({ phase: 'DONE', cause: null })
    await agency.driver.close()
  })

  test('frees every seat, answered or not, once one is refused', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.answer('seats', false, 'AB1')
    expect(agency.commands.slice(2)).toEqual(['free AB1', 'free CD2'])
    await agency.undone('seats', 'AB1')
    await agency.undone('seats', 'CD2')
    expect(agency.trip).toMatchObject({ phase: 'UNDONE', cause: { kind: 'REFUSED', step: 'seats' } })
    await agency.driver.close()
  })

  test('asks again for the seat without an answer, then frees all', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.answer('seats', true, 'AB1')
    await agency.driver.advanceWallTime(20_000)
    expect(agency.commands.slice(2)).toEqual(['seat CD2', 'seat CD2', 'free AB1', 'free CD2'])
    expect(agency.trip).toMatchObject({ phase: 'UNDOING', cause: { kind: 'TIMEOUT', step: 'seats' } })
    await agency.driver.close()
  })

  test('is undone when it is not paid in time', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.answer('seats', true, 'AB1')
    await agency.answer('seats', true, 'CD2')
    await agency.driver.advanceWallTime(HOUR, 60_000)
    await agency.undone('money')
    await agency.undone('seats', 'AB1')
    await agency.undone('seats', 'CD2')
    expect(agency.commands.slice(2)).toEqual(['pay', 'pay back', 'free AB1', 'free CD2'])
    expect(agency.trip).toMatchObject({ phase: 'UNDONE', cause: { kind: 'DEADLINE', step: 'money' } })
    await agency.driver.close()
  })

  test('needs attention when the ticket does not come, and an operator raises the epoch', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.answer('seats', true, 'AB1')
    await agency.answer('seats', true, 'CD2')
    await agency.answer('money', true)
    await agency.driver.advanceWallTime(30_000)
    expect(agency.trip).toMatchObject({
      phase: 'NEEDS_ATTENTION',
      trouble: { kind: 'TIMEOUT', step: 'ticket' },
    })
    await agency.take({ kind: 'operator', action: 'retry', reason: 'the printer has paper again' })
    await agency.answer('ticket', true)
    expect(agency.commands.slice(3)).toEqual(['ticket', 'ticket', 'ticket', 'ticket#1'])
    expect(agency.trip).toMatchObject({ phase: 'DONE' })
    await agency.driver.close()
  })

  test('is forgotten a week after its end', async () => {
    const agency = await Agency.open(mode)
    await agency.book()
    await agency.take({ kind: 'cancel', reason: 'ill' })
    await agency.undone('seats', 'AB1')
    await agency.undone('seats', 'CD2')
    await agency.driver.advanceWallTime(7 * 24 * HOUR, HOUR)
    expect(agency.trip).toBeUndefined()
    await agency.driver.close()
  })
})

test('docs/saga.md shows this very file', () => {
  const source = readFileSync(join(ROOT, 'docs/examples/trip-saga.ts'), 'utf8')
  expect(readFileSync(join(ROOT, 'docs/saga.md'), 'utf8')).toContain(source)
})
