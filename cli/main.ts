/** The process: signals, exit code, and the last line of defence. */
import { Interrupted } from './context.ts'
import { exitCodes } from './errors.ts'
import { terminal } from './output.ts'
import { buildProgram } from './program.ts'
import { packageVersion } from './package-root.ts'

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Somebody who asks twice does not want to wait for what is not finished.
    if (stopping.signal.aborted) process.exit(128 + SIGNAL_NUMBERS[signal])
    stopping.abort(new Interrupted(signal))
  })
}
// `millrace … | head` ends our reader, not our work.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const context = {
  output: terminal,
  env: process.env,
  cwd: process.cwd(),
  stop: stopping.signal,
  version: packageVersion(),
}

process.exitCode = exitCodes.ok
try {
  await buildProgram(context).parseAsync(process.argv)
} catch (error) {
  // Knows the errors of every room, and so loads them all: only when there is one.
  const { reportError } = await import('./report-error.ts')
  process.exitCode = reportError(error, terminal)
}
