/** What a run of the fault tests came to, as rows of a table in Markdown. */
import { faultsIn } from './faults.ts'

/** Of Vitest's JSON report, what is needed here. */
export interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      /** Milliseconds. */
      readonly duration?: number | null
    }[]
  }[]
}

export interface FaultRow {
  readonly faults: readonly string[]
  readonly what: string
  /** How often it was done in the run. */
  readonly repeats: number
  readonly seconds: number
  readonly result: string
  /** ISO 8601 day. */
  readonly day: string
}

const BEGIN = '<!-- made by: npm run faults -- --write -->'
const END = '<!-- end of what is made -->'
const HEAD = ['| fault | what | repeats | seconds | day | result |', '| --- | --- | --- | --- | --- | --- |']
const SEED = / *\(CRASH_SEED=\d+\)/g
const RAN: ReadonlySet<string> = new Set(['passed', 'failed'])
const REPEATS = /(\d+) (?:×|kills|times)/

/** Rows of the tests that ran and whose names the pattern picks, by fault. */
export function rowsOf(report: Report, pattern: string, day: string): FaultRow[] {
  const picked = new RegExp(pattern)
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const rows = results
    .filter(({ fullName, status }) => picked.test(fullName) && RAN.has(status))
    .map(({ fullName, status, duration }) => ({
      faults: faultsIn(fullName),
      what: plain(fullName),
      repeats: Number(REPEATS.exec(fullName)?.[1] ?? 1),
      seconds: Math.round((duration ?? 0) / 1000),
      result: status,
      day,
    }))
  return rows.toSorted(byFault)
}

/** The name of a test without its seed and the numbers of its faults. */
function plain(name: string): string {
  return name
    .replaceAll(SEED, '')
    .replaceAll(/ ?\((?:F\d+(?:, )?)+\)/g, '')
    .replaceAll(/\b(?:F\d+(?:, )?)+:? /g, '')
    .replaceAll('|', '/')
    .trim()
}

function byFault(a: FaultRow, b: FaultRow): number {
  return numberOf(a) - numberOf(b) || a.what.localeCompare(b.what)
}

function numberOf({ faults: [first = ''] }: FaultRow): number {
  return Number(first.slice(1))
}

export function tableOf(rows: readonly FaultRow[]): string {
  const lines = rows.map(({ faults, what, repeats, seconds, day, result }) => {
    return `| ${faults.join(', ')} | ${what} | ${repeats} | ${seconds} | ${day} | ${result} |`
  })
  return [...HEAD, ...lines].join('\n')
}

/**
 * The document with these rows in its table, in place of all that it had of the same faults. Throws a `RangeError` for a
 * document without the table's marks.
 */
export function withRows(document: string, rows: readonly FaultRow[]): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (begin < 0 || end < begin) throw new RangeError(`no table between ${BEGIN} and ${END}`)
  const run = new Set(rows.flatMap(({ faults }) => faults))
  const kept = parseRows(document.slice(begin, end)).filter(({ faults }) => {
    return !faults.some((fault) => run.has(fault))
  })
  const table = tableOf([...kept, ...rows].toSorted(byFault))
  return `${document.slice(0, begin)}${BEGIN}\n\n${table}\n\n${document.slice(end)}`
}

function parseRows(text: string): FaultRow[] {
  return text.split('\n').flatMap((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    const [faults = '', what = '', repeats, seconds, day = '', result = ''] = cells
    if (!/^F\d/.test(faults)) return []
    return [
      {
        faults: faultsIn(faults),
        what,
        repeats: Number(repeats),
        seconds: Number(seconds),
        day,
        result,
      },
    ]
  })
}
