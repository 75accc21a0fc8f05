/** `millrace up` as people run it: in a process of its own, ended by signals. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, inject, test } from 'vitest'
import { exitCodes } from '../../cli/errors.ts'
import { type Child, startChild } from '../support/child.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { produce, readCommitted } from '../support/kafka/oracle.ts'
import { createTopic } from '../support/kafka/topics.ts'
import { scratchDirectory } from '../support/scratch.ts'
import '../support/kafka/fixture.ts'

const { version } = inject('kafka')
const script = join(import.meta.dirname, '../../bin/millrace.js')

function up(dataDir: string, ...flags: string[]): Child {
  const ports = flags.includes('--port') ? [] : ['--port', '0']
  const args = ['up', '--data-dir', dataDir, '--kafka-version', version, '--json', ...ports, ...flags]
  return startChild(script, args)
}

interface Announced {
  readonly bootstrap: string
  readonly registry?: string
  readonly version: string
  readonly brokers: readonly { readonly pid: number }[]
}

async function announced(child: Child): Promise<Announced> {
  return JSON.parse(await child.line((line) => line.startsWith('{'))) as Announced
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const gone = (pid: number) => eventually(() => !runs(pid), { describe: `process ${pid} is gone` })

describe('millrace up', () => {
  test('keeps records and schemas from one run to the next, and leaves no process behind', async () => {
    const directory = await scratchDirectory('up')
    const first = up(directory, '--registry-port', '0')
    const { bootstrap, registry, brokers, version: announcedVersion } = await announced(first)
    expect(announcedVersion).toBe(version)
    await createTopic(bootstrap, 'kept')
    await produce(bootstrap, 'kept', [{ value: 'a' }])
    await fetch(`${registry}/subjects/kept-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: '"string"' }),
    })
    first.signal('SIGTERM')
    expect(await first.exited).toEqual({ code: exitCodes.ok, signal: null })
    for (const { pid } of brokers) expect(runs(pid)).toBe(false)

    const second = up(directory, '--registry-port', '0')
    const again = await announced(second)
    const values = (await readCommitted(again.bootstrap, 'kept')).map(({ value }) => value?.toString())
    expect(values).toEqual(['a'])
    expect(await (await fetch(`${again.registry}/subjects`)).json()).toEqual(['kept-value'])
    // Killed, it cannot end them itself.
    await second.kill()
    for (const { pid } of again.brokers) await gone(pid)
  })

  test('starts a broker again that was killed', async () => {
    const child = up(await scratchDirectory('up'), '--no-registry')
    const { bootstrap, brokers, registry } = await announced(child)
    expect(registry).toBeUndefined()
    await createTopic(bootstrap, 'kept')
    process.kill(brokers[0]?.pid ?? 0, 'SIGKILL')
    await child.line((line) => line.includes('broker 1 ended with SIGKILL'))
    await child.line((line) => line.includes('broker 1 is back'))
    await produce(bootstrap, 'kept', [{ value: 'a' }])
    child.signal('SIGINT')
    expect((await child.exited).code).toBe(exitCodes.ok)
  })

  test('refuses a directory of another cluster, and a port that is taken', async () => {
    const directory = await scratchDirectory('up')
    const child = up(directory, '--no-registry')
    await announced(child)
    child.signal('SIGTERM')
    await child.exited

    const three = up(directory, '--no-registry', '--brokers', '3')
    expect((await three.exited).code).toBe(exitCodes.directory)
    expect(three.said).toMatch(/belongs to a cluster of 1/)

    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const busy = up(directory, '--no-registry', '--port', String(port))
    expect((await busy.exited).code).toBe(exitCodes.usage)
    expect(busy.said).toMatch(/in use; give another --port/)
    taken.close()
  })

  test('ended while it starts leaves no process behind', async () => {
    const directory = await scratchDirectory('up')
    const child = up(directory, '--no-registry')
    await eventually(() => existsSync(join(directory, 'broker-1', 'broker.log')), { describe: 'a broker' })
    child.signal('SIGTERM')
    expect((await child.exited).code).toBe(128 + constants.signals.SIGTERM)
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args'])
    expect(stdout).not.toContain(directory)
  })
})
