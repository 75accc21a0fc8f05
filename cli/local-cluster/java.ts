/** The Java that runs brokers, registry and tools: `JAVA_HOME`'s, else the one on the path. */
import { join } from 'node:path'
import { LocalClusterError } from './errors.ts'
import { type Printed, type RunOptions, runProgram } from './run-program.ts'

/** Kafka 4 and the registry are compiled for it. */
const LEAST_JAVA = 17
const VERSION_TIMEOUT_MS = 30_000

export type Environment = Readonly<Record<string, string | undefined>>

/** Path of a Java 17 or newer. Rejects with a `LocalClusterError` that says what to install. */
export async function findJava(env: Environment): Promise<string> {
  const home = env['JAVA_HOME']
  const java = home === undefined || home === '' ? 'java' : join(home, 'bin', 'java')
  const wanted = `Install Java ${LEAST_JAVA} or newer, or set JAVA_HOME to one.`
  let said: Printed
  try {
    said = await runProgram(java, ['-version'], { env, timeoutMs: VERSION_TIMEOUT_MS })
  } catch (cause) {
    throw new LocalClusterError(`${java} does not run. ${wanted}`, { cause })
  }
  // 1.8.0_302 was the last scheme that begins with the 1; its version is then 1, which is too old too.
  const version = /version "(\d+)/.exec(said.stderr)?.[1]
  if (Number(version) >= LEAST_JAVA) return java
  throw new LocalClusterError(`${java} is version ${version ?? 'unknown'}, too old for Kafka. ${wanted}`)
}

/** Runs the main class of a jar folder to its end. */
export function runMain(
  java: string,
  jars: string,
  mainClass: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Printed> {
  return runProgram(java, [...quickStart, ...quietLog, '-cp', join(jars, '*'), mainClass, ...args], options)
}

/** For processes that live for seconds: otherwise half the processor time of a start goes into better code. */
export const quickStart: readonly string[] = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Kafka's log: warnings and worse, each with its time. */
export const quietLog: readonly string[] = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
]
