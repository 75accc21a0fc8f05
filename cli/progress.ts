/** A progress bar on stderr; where stderr is no terminal, nothing but a line at the end. */
import { Presets, SingleBar } from 'cli-progress'
import { count, type Output } from './output.ts'

export interface ProgressBar {
  update(value: number): void
  /** Idempotent. */
  end(): void
}

const MS_PER_SECOND = 1000

export function progressBar(output: Output, label: string, total: number, unit: string): ProgressBar {
  const startedAt = performance.now()
  const bar = output.interactive ? shownBar(label, total, unit) : undefined
  let last = 0
  let ended = false
  return {
    update(value) {
      last = value
      bar?.update(value)
    },
    end() {
      if (ended) return
      ended = true
      bar?.stop()
      const seconds = Math.max(0.001, (performance.now() - startedAt) / MS_PER_SECOND)
      const pace = count(Math.round(last / seconds))
      if (bar === undefined)
        output.say(`${label}: ${count(last)} ${unit} in ${seconds.toFixed(1)} s (${pace}/s)`)
    },
  }
}

function shownBar(label: string, total: number, unit: string): SingleBar {
  const format = `${label.padEnd(8)} {bar} {percentage}% | {value}/{total} ${unit} | {duration_formatted}`
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, barsize: 32, fps: 10, clearOnComplete: false },
    Presets.shades_classic,
  )
  bar.start(total, 0)
  return bar
}
