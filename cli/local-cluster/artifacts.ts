/**
 * The jars of Kafka and of the schema registry, fetched by Maven once and kept.
 *
 * A folder of the cache is made beside its place and renamed into it when it is complete, so that it is all there or
 * not there, also with two processes at once. Nothing in it is ever changed.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import { packageRoot } from '../package-root.ts'
import { LocalClusterError } from './errors.ts'
import type { Environment } from './java.ts'
import { runProgram } from './run-program.ts'

/** What is started where no version is named. */
export const KAFKA_VERSION = '4.1.0'
export const REGISTRY_VERSION = '2.6.13.Final'

/** 150 MB on a slow line. */
const FETCH_TIMEOUT_MS = 30 * 60_000
const MAVEN_VERSION_TIMEOUT_MS = 60_000
/** Of a pom's digest, in the name of its folder. */
const DIGEST_CHARS = 16
/** Written last: a folder without it was not made here. */
const MARKER = '.complete'

export interface FetchOptions {
  readonly env: Environment
  readonly signal?: AbortSignal | undefined
  /** Told once before something is downloaded. */
  readonly onFetch?: ((what: string) => void) | undefined
}

/** Folder with the jars of that version. Throws a `UsageError` for what is no version. */
export async function kafkaJars(version: string, options: FetchOptions): Promise<string> {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new UsageError(`${version} is no version of Kafka, like 4.1.0`)
  return cached(`kafka-${version}`, `Kafka ${version}`, options, [
    'dependency:copy-dependencies',
    `-Dkafka.version=${version}`,
    '-DincludeScope=runtime',
  ])
}

/** The registry's jar, which finds its libraries beside itself. */
export async function registryJar(options: FetchOptions): Promise<string> {
  const name = `apicurio-registry-app-${REGISTRY_VERSION}`
  const folder = await cached(name, `the schema registry ${REGISTRY_VERSION}`, options, [
    'dependency:unpack',
    `-Dartifact=io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`,
  ])
  return join(folder, `${name}-runner.jar`)
}

/** Folder with the jars that a pom asks for; another pom has another folder. `what`: for messages. */
export async function pomJars(pom: string, what: string, options: FetchOptions): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime']
  return cached(`jars-${digest.slice(0, DIGEST_CHARS)}`, what, { ...options, pom }, goal)
}

/** `MILLRACE_CACHE`; else `millrace` where this system keeps caches. */
export function cacheFolder(env: Environment): string {
  const own = env['MILLRACE_CACHE']
  if (own !== undefined && own !== '') return own
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'millrace')
  if (process.platform === 'win32') {
    return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'millrace', 'cache')
  }
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace')
}

interface PomOptions extends FetchOptions {
  /** Else that of a cluster. */
  readonly pom?: string
}

async function cached(
  name: string,
  what: string,
  options: PomOptions,
  goal: readonly string[],
): Promise<string> {
  const cache = cacheFolder(options.env)
  const folder = join(cache, name)
  if (await isComplete(folder)) return folder
  options.onFetch?.(what)
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, `${name}.part-`))
  try {
    const content = join(work, 'content')
    await maven(work, [...goal, `-DoutputDirectory=${content}`], what, options)
    await writeFile(join(content, MARKER), '')
    await moveInto(content, folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return folder
}

/** Runs in a folder of its own: Maven writes beside its pom, and the package may be read-only. */
async function maven(
  work: string,
  args: readonly string[],
  what: string,
  options: PomOptions,
): Promise<void> {
  const { env, signal, pom = join(packageRoot(), 'ops', 'kafka', 'pom.xml') } = options
  await runProgram('mvn', ['-version'], { env, signal, timeoutMs: MAVEN_VERSION_TIMEOUT_MS }).catch(
    (cause: unknown) => {
      signal?.throwIfAborted()
      throw new LocalClusterError(`mvn does not run. Install Apache Maven: it fetches ${what}.`, { cause })
    },
  )
  await copyFile(pom, join(work, 'pom.xml'))
  await runProgram('mvn', ['-q', '-B', '-f', 'pom.xml', ...args], {
    cwd: work,
    env,
    signal,
    timeoutMs: FETCH_TIMEOUT_MS,
  })
}

async function moveInto(content: string, folder: string): Promise<void> {
  try {
    await rename(content, folder)
  } catch (error) {
    // Another process was first: its folder is as good.
    if (await isComplete(folder)) return
    throw new LocalClusterError(`${folder} is in the way and not complete; remove it`, { cause: error })
  }
}

async function isComplete(folder: string): Promise<boolean> {
  return stat(join(folder, MARKER)).then(
    () => true,
    () => false,
  )
}
