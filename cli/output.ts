/** Where words go: data to stdout, everything else to stderr. */
import { styleText } from 'node:util'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** The streams of a command; tests give their own. */
export interface Output {
  /** Data: what a pipe behind the command is to get. */
  data(text: string): void
  /** Lines of data, no faster than they are taken; ends early when nobody takes them any more. */
  lines(lines: AsyncIterable<string>): Promise<void>
  /** For people. */
  say(text: string): void
  /** A style where stderr shows colours and `NO_COLOR` does not forbid them. */
  paint(style: Style, text: string): string
  readonly interactive: boolean
}

export const terminal: Output = {
  data: (text) => void process.stdout.write(`${text}\n`),
  async lines(lines) {
    for await (const line of lines) {
      if (process.stdout.writableEnded || process.stdout.destroyed) return
      if (!process.stdout.write(`${line}\n`)) await takenOrEnded()
    }
  },
  say: (text) => void process.stderr.write(`${text}\n`),
  paint: (style, text) => styleText(style, text, { stream: process.stderr }),
  get interactive() {
    return process.stderr.isTTY === true
  },
}

/** What was written is taken, or whoever was to take it is gone. */
function takenOrEnded(): Promise<void> {
  return new Promise((resolve) => {
    const events = ['drain', 'close'] as const
    const done = (): void => {
      for (const event of events) process.stdout.off(event, done)
      resolve()
    }
    for (const event of events) process.stdout.once(event, done)
  })
}

/** Columns in line; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [
    header,
    ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : cell))),
  ]
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const right = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  )
  return cells
    .map((row) => {
      const line = row.map((cell, column) => {
        const width = widths[column] as number
        return right[column] === true ? cell.padStart(width) : cell.padEnd(width)
      })
      return `  ${line.join('  ').trimEnd()}`
    })
    .join('\n')
}

/** 1234567.8 as `1,234,567.8`. */
export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 2 })
}
