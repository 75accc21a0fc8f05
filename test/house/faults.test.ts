/** Every fault has a test on real brokers whose title names it, and nothing names a fault that there is not. */
import { describe, expect, test } from 'vitest'
import { rowsOf, withRows } from '../support/fault-table.ts'
import { FAULTS, faultsIn, filesWithFaults, patternOf } from '../support/faults.ts'
import { titlesOf } from './sources.ts'

describe('the faults', () => {
  test('are each named by a test on real brokers', () => {
    const named = new Set([...filesWithFaults('kafka').values()].flat())
    expect(FAULTS.filter((fault) => !named.has(fault))).toEqual([])
  })

  test('are those from F1 to F26 in all tests', () => {
    const named = [...filesWithFaults('**').values()].flat()
    expect(named.filter((fault) => !FAULTS.includes(fault))).toEqual([])
  })
})

describe('titles', () => {
  test('are found however a test is registered', () => {
    const code = `
      const rows = [['no title', 1]]
      describe('F1', () => {
        test(\`F2: \${rows.length} × (\${seed})\`, async () => { notATest('F9') })
        test.each(rows)('F3: %s', () => {})
        describe.each([1, 2])('version %i', () => { it('F4', () => {}) })
        test.runIf(isRoot)("F5", () => {})
        test.each\`a | b\`('F6, F7', () => {})
        test.each([['F8', 1], ['plain', 2]])('%s', () => {})
      })`
    expect(titlesOf('some.test.ts', code)).toEqual([
      'F1',
      'F2: … × (…)',
      'F3: %s',
      'version %i',
      'F4',
      'F5',
      'F6, F7',
      '%s',
      'F8',
      'plain',
    ])
  })

  test('name faults by their whole numbers', () => {
    expect(faultsIn('F1, F26: what F1 does, unlike UTF8 or F')).toEqual(['F1', 'F26'])
    expect(new RegExp(patternOf(['F1', 'F4'])).test('F10, F14')).toBe(false)
    expect(new RegExp(patternOf(['F1', 'F4'])).test('(F4)')).toBe(true)
    expect(new RegExp(patternOf([])).test('an end whose answer is lost has ended it (F9)')).toBe(true)
  })
})

describe('the table', () => {
  const report = (
    ...results: readonly (readonly [fullName: string, status: string, duration: number])[]
  ) => ({
    testResults: results.map(([fullName, status, duration]) => ({
      assertionResults: [{ fullName, status, duration }],
    })),
  })
  const document = [
    'before',
    '<!-- made by: npm run faults -- --write -->',
    '| F2 | an old title | 4 | 1 | 2026-01-01 | passed |',
    '| F10 | another | 1 | 7 | 2026-01-01 | failed |',
    '<!-- end of what is made -->',
    'after',
  ].join('\n')

  test('has a row for each test that was picked, with its faults, repeats and seconds', () => {
    const results = report(
      ['F2: 4 kills -9 of one of three processes (CRASH_SEED=17)', 'passed', 12_400],
      ['F4, F5 aborted transactions, 2 × (CRASH_SEED=17)', 'failed', 900],
      ['while brokers die (F11) what is appended is there once', 'passed', 3_000],
      ['F26: another fault', 'passed', 0],
      ['F2: not on this version', 'skipped', 0],
    )
    const rows = rowsOf(results, patternOf(['F2', 'F4', 'F11']), '2026-11-29')
    expect(
      rows.map(({ faults, what, repeats, seconds, result }) => [faults, what, repeats, seconds, result]),
    ).toEqual([
      [['F2'], '4 kills -9 of one of three processes', 4, 12, 'passed'],
      [['F4', 'F5'], 'aborted transactions, 2 ×', 2, 1, 'failed'],
      [['F11'], 'while brokers die what is appended is there once', 1, 3, 'passed'],
    ])
  })

  test('keeps what it has of other faults, in the order of their numbers', () => {
    const rows = rowsOf(
      report(['F2: 20 kills (CRASH_SEED=1)', 'passed', 60_000]),
      patternOf(['F2']),
      '2026-11-29',
    )
    const changed = withRows(document, rows)
    expect(changed.split('\n').filter((line) => line.startsWith('| F'))).toEqual([
      '| F2 | 20 kills | 20 | 60 | 2026-11-29 | passed |',
      '| F10 | another | 1 | 7 | 2026-01-01 | failed |',
    ])
    expect(changed.startsWith('before\n')).toBe(true)
    expect(changed.endsWith('\nafter')).toBe(true)
    expect(withRows(changed, rows)).toBe(changed)
    expect(() => withRows('no table', rows)).toThrow(RangeError)
  })
})
