/** Compiles and starts the Java clients of `java/`, once for all files of a run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { quickStart } from '../../../cli/local-cluster/java.ts'
import { runProgram } from '../../../cli/local-cluster/run-program.ts'

const COMPILE_TIMEOUT_MS = 120_000
const HEAP_MB = 512

export interface JavaTools {
  readonly java: string
  readonly jars: string
}

export interface OracleProcess {
  readonly port: number
  /** It ends with this process too, however that ends. */
  end(): void
}

export async function startOracle({ java, jars }: JavaTools, directory: string): Promise<OracleProcess> {
  const classes = join(directory, 'oracle')
  const sources = globSync('*.java', { cwd: join(import.meta.dirname, 'java') })
  await runProgram(
    java.replace(/java$/, 'javac'),
    [
      '-d',
      classes,
      '-cp',
      join(jars, '*'),
      ...sources.map((file) => join(import.meta.dirname, 'java', file)),
    ],
    { timeoutMs: COMPILE_TIMEOUT_MS },
  )
  const path = [classes, join(jars, '*')].join(delimiter)
  const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
  const child = spawn(java, [`-Xmx${HEAP_MB}m`, ...quickStart, log, '-cp', path, 'Oracle'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return { port: await portOf(child), end: () => void child.kill('SIGKILL') }
}

async function portOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error('its output is not ours to read')
  const line = once(createInterface({ input: child.stdout }), 'line')
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the Java clients ended with ${String(code)}`)
  })
  const [port] = (await Promise.race([line, ended])) as [string]
  ended.catch(() => undefined)
  return Number(port)
}
