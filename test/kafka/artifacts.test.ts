/** What is fetched, by a Maven and a Java of the test's own: nothing is downloaded. */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../cli/errors.ts'
import { cacheFolder, kafkaJars, registryJar } from '../../cli/local-cluster/artifacts.ts'
import { LocalClusterError } from '../../cli/local-cluster/errors.ts'
import { findJava } from '../../cli/local-cluster/java.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** A Maven that counts its calls and makes one file in the output directory. */
const MAVEN = `#!/bin/sh
[ "$1" = -version ] && exit 0
for argument; do case $argument in -DoutputDirectory=*) output=\${argument#*=};; esac; done
echo "$PWD" >> "$CALLS"
test -f pom.xml && mkdir -p "$output" && echo jar > "$output/a.jar"
`

async function program(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), text)
  await chmod(join(folder, name), 0o755)
}

async function surroundings(maven = MAVEN) {
  const directory = await scratchDirectory('artifacts')
  const programs = join(directory, 'programs')
  await program(programs, 'mvn', maven)
  const env = {
    PATH: `${programs}:/usr/bin:/bin`,
    MILLRACE_CACHE: join(directory, 'cache'),
    CALLS: join(directory, 'calls'),
  }
  await writeFile(env.CALLS, '')
  const calls = async () => (await readFile(env.CALLS, 'utf8')).split('\n').length - 1
  return { env, calls }
}

describe('jars', () => {
  test('are fetched once, and said to be', async () => {
    const { env, calls } = await surroundings()
    const fetched: string[] = []
    const options = { env, onFetch: (what: string) => fetched.push(what) }
    const folder = await kafkaJars('4.1.0', options)
    expect(folder).toBe(join(env.MILLRACE_CACHE, 'kafka-4.1.0'))
    expect(await readdir(folder)).toContain('a.jar')
    expect(await kafkaJars('4.1.0', options)).toBe(folder)
    expect(await kafkaJars('3.9.1', options)).not.toBe(folder)
    expect(await registryJar(options)).toMatch(/apicurio-registry-app-.*-runner\.jar$/)
    expect(await calls()).toBe(3)
    expect(fetched).toEqual(['Kafka 4.1.0', 'Kafka 3.9.1', expect.stringContaining('registry')])
  })

  test('are whole for two who fetch them at once, and nothing else is left', async () => {
    const { env } = await surroundings()
    const folders = await Promise.all([1, 2, 3].map(() => kafkaJars('4.1.0', { env })))
    expect(new Set(folders).size).toBe(1)
    expect(await readdir(env.MILLRACE_CACHE)).toEqual(['kafka-4.1.0'])
  })

  test('that could not be fetched leave nothing, and Maven tells why', async () => {
    const { env } = await surroundings(
      '#!/bin/sh\n[ "$1" = -version ] || { echo no such artifact; exit 1; }\n',
    )
    const failing = kafkaJars('4.1.0', { env })
    await expect(failing).rejects.toThrow(LocalClusterError)
    await expect(failing).rejects.toThrow(/no such artifact/)
    expect(await readdir(env.MILLRACE_CACHE)).toEqual([])
  })

  test('end with the signal', async () => {
    const { env } = await surroundings('#!/bin/sh\n[ "$1" = -version ] || exec sleep 60\n')
    const stop = new AbortController()
    const fetching = kafkaJars('4.1.0', {
      env,
      signal: stop.signal,
      onFetch: () => stop.abort(new Error('stop')),
    })
    await expect(fetching).rejects.toThrow('stop')
    expect(await readdir(env.MILLRACE_CACHE)).toEqual([])
  })

  test('need Maven, and a version that is one', async () => {
    const { env } = await surroundings()
    await expect(kafkaJars('4.1.0', { env: { ...env, PATH: '/nowhere' } })).rejects.toThrow(
      /Install Apache Maven/,
    )
    await expect(kafkaJars('../4', { env })).rejects.toThrow(UsageError)
  })

  test('lie where this system keeps caches, or where MILLRACE_CACHE says', () => {
    expect(cacheFolder({ MILLRACE_CACHE: '/c' })).toBe('/c')
    expect(cacheFolder({})).toMatch(/millrace/)
  })
})

describe('Java', () => {
  const withJava = async (version: string) => {
    const home = await scratchDirectory('java')
    await program(join(home, 'bin'), 'java', `#!/bin/sh\necho 'openjdk version "${version}"' >&2\n`)
    return { JAVA_HOME: home, PATH: '/usr/bin:/bin' }
  }

  test.each(['17.0.15', '21', '25-ea'])('%s of JAVA_HOME will do', async (version) => {
    const env = await withJava(version)
    expect(await findJava(env)).toBe(join(env.JAVA_HOME, 'bin/java'))
  })

  test.each(['11.0.2', '1.8.0_302'])('%s is too old', async (version) => {
    await expect(findJava(await withJava(version))).rejects.toThrow(/too old for Kafka. Install Java 17/)
  })

  test('has to be there', async () => {
    await expect(findJava({ PATH: '/nowhere' })).rejects.toThrow(/java does not run. Install Java 17/)
  })
})
