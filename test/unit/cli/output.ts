import type { Output } from '../../../cli/output.ts'

export interface RecordedOutput extends Output {
  readonly stdout: string[]
  readonly stderr: string[]
}

/** An output that keeps what it is given. */
export function silent(): RecordedOutput {
  const stdout: string[] = []
  const stderr: string[] = []
  return {
    stdout,
    stderr,
    data: (text) => void stdout.push(text),
    async lines(lines) {
      for await (const line of lines) stdout.push(line)
    },
    say: (text) => void stderr.push(text),
    paint: (_style, text) => text,
    interactive: false,
  }
}
