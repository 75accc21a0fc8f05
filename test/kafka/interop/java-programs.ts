/** Java applications that share topics with ours, compiled once for a file of tests. */
import { globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, inject } from 'vitest'
import { pomJars } from '../../../cli/local-cluster/artifacts.ts'
import { quickStart } from '../../../cli/local-cluster/java.ts'
import { runProgram } from '../../../cli/local-cluster/run-program.ts'
import '../../support/kafka/fixture.ts'

/** Of javac, on a machine that is busy. */
const COMPILE_TIMEOUT_MS = 120_000
const RUN_TIMEOUT_MS = 60_000
const SOURCES = join(import.meta.dirname, 'java')

/** The objects that the program printed, one a line. */
export type RunJava = (mainClass: string, ...args: string[]) => Promise<unknown[]>

/** Registers the hook that compiles them; call the answer inside of tests. */
export function javaPrograms(): RunJava {
  const { java, jars } = inject('kafka')
  let classes = ''
  let path = ''
  beforeAll(async () => {
    const pom = join(import.meta.dirname, 'pom.xml')
    const avro = await pomJars(pom, 'Avro and its serde', { env: process.env })
    classes = await mkdtemp(join(tmpdir(), 'millrace-interop-'))
    path = [classes, join(avro, '*'), join(jars, '*')].join(delimiter)
    const sources = globSync('*.java', { cwd: SOURCES }).map((file) => join(SOURCES, file))
    const javac = java.replace(/java$/, 'javac')
    await runProgram(javac, ['-d', classes, '-cp', path, ...sources], { timeoutMs: COMPILE_TIMEOUT_MS })
  })
  afterAll(() => rm(classes, { recursive: true, force: true }))
  return async (mainClass, ...args) => {
    const options = [...quickStart, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', path]
    const { stdout } = await runProgram(java, [...options, mainClass, ...args], { timeoutMs: RUN_TIMEOUT_MS })
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown)
  }
}
