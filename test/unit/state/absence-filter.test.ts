import { describe, expect, test } from 'vitest'
import { AbsenceFilter } from '../../../state/absence-filter.ts'
import { keyValueStore, memoryBackend, type StateReader, serdes, TaskState } from '../../../state/index.ts'

describe('the filter of absent keys', () => {
  test('answers nothing before it has seen every key', () => {
    const filter = new AbsenceFilter()
    expect(filter.surelyAbsent('a')).toBe(false)
    filter.completed()
    expect(filter.surelyAbsent('a')).toBe(true)
  })

  test('never denies a key that it was shown, over several levels', () => {
    const filter = new AbsenceFilter()
    filter.completed()
    for (let i = 0; i < 400_000; i++) filter.add(`user-${i}`)
    let denied = 0
    for (let i = 0; i < 400_000; i++) if (filter.surelyAbsent(`user-${i}`)) denied++
    expect(denied).toBe(0)
  })

  test('recognises nearly all absent keys, at about 10 bits a key', () => {
    const filter = new AbsenceFilter()
    filter.completed()
    for (let i = 0; i < 65_536; i++) filter.add(`user-${i}`)
    let recognised = 0
    for (let i = 0; i < 100_000; i++) if (filter.surelyAbsent(`guest-${i}`)) recognised++
    expect(recognised).toBeGreaterThan(97_000)
    expect(filter.bytes).toBeLessThanOrEqual(65_536 * 2)
  })
})

describe('a store that is mostly asked for absent keys', () => {
  const claims = keyValueStore<string>({ name: 'claims', value: serdes.string, lookups: 'mostly-absent' })

  function counting(reader: StateReader): { reader: StateReader; readonly gets: number } {
    let gets = 0
    const counted: StateReader = {
      prefix: reader.prefix,
      get(key) {
        gets++
        return reader.get(key)
      },
      page: (range, options) => reader.page(range, options),
      approximateBytes: (range) => reader.approximateBytes(range),
    }
    return {
      reader: counted,
      get gets() {
        return gets
      },
    }
  }

  async function stored(keys: number) {
    const backend = memoryBackend()
    const state = new TaskState({ reader: backend, specs: [claims], withChanges: false })
    for (let i = 0; i < keys; i++) state.handle(claims).put(`user-${i}`, 'x')
    await backend.write(state.seal().ops)
    return backend
  }

  test('does not ask the backend for them once it knows the keys', async () => {
    const counted = counting(await stored(2_500))
    const state = new TaskState({ reader: counted.reader, specs: [claims], withChanges: false })
    await state.learnKeys()
    const before = counted.gets
    for (let i = 0; i < 1_000; i++) expect(state.handle(claims).get(`guest-${i}`)).toBeUndefined()
    expect(counted.gets - before).toBeLessThan(50)
    for (let i = 0; i < 2_500; i++) expect(state.handle(claims).get(`user-${i}`)).toBe('x')
  })

  test('finds what is written while the keys are still being learnt, and after a rollback', async () => {
    const backend = await stored(2_500)
    const state = new TaskState({ reader: backend, specs: [claims], withChanges: false })
    const learning = state.learnKeys()
    state.handle(claims).put('late', 'y')
    await backend.write(state.seal().ops)
    state.committed()
    await learning
    expect(state.handle(claims).get('late')).toBe('y')
    state.mark()
    state.handle(claims).delete('late')
    state.rollback()
    expect(state.handle(claims).get('late')).toBe('y')
  })

  test('keeps answering rightly when learning ends early', async () => {
    const backend = await stored(2_500)
    const state = new TaskState({ reader: backend, specs: [claims], withChanges: false })
    const learning = state.learnKeys()
    state.discard()
    await learning
    expect(state.handle(claims).get('user-2499')).toBe('x')
  })
})
