import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askProcess, NotRunningError } from '../../../cli/control/client.ts'
import { controlAddress, readRunFile, RUN_FILE, writeRunFile } from '../../../cli/control/run-file.ts'
import { type ControlHandler, ControlServer } from '../../../cli/control/server.ts'

let directory: string
let server: ControlServer | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-control-'))
})

afterEach(async () => {
  await server?.close()
  server = undefined
  rmSync(directory, { recursive: true, force: true })
})

async function listen(handle: ControlHandler): Promise<string> {
  const address = controlAddress(directory)
  server = await ControlServer.listen(address, handle)
  return address
}

/** What the server says to bytes that no client of ours would send. */
async function sendRaw(address: string, bytes: string): Promise<string> {
  const socket = createConnection(address)
  socket.write(bytes)
  return text(socket)
}

describe('the control socket', () => {
  test('is for its own user only', async () => {
    const address = await listen(async () => ({}))
    expect(statSync(address).mode & 0o777).toBe(0o600)
  })

  test('answers a request', async () => {
    const address = await listen(async (request) => ({ got: request }))
    const request = { command: 'backup', directory: '/somewhere' } as const
    expect(await askProcess(address, request)).toEqual({ ok: true, result: { got: request } })
  })

  test('tells failures with their code', async () => {
    const address = await listen(() => Promise.reject(Object.assign(new Error('full'), { code: 'STATE_IO' })))
    expect(await askProcess(address, { command: 'ping' })).toEqual({
      ok: false,
      code: 'STATE_IO',
      message: 'full',
    })
  })

  test.each([
    ['no JSON', 'hello\n'],
    ['no object', '7\n'],
    ['an unknown command', '{"command":"stop"}\n'],
    ['a backup to nowhere', '{"command":"backup"}\n'],
    ['a line without end', 'x'.repeat(70_000)],
  ])('refuses %s', async (_what, bytes) => {
    const address = await listen(async () => ({}))
    expect(JSON.parse(await sendRaw(address, bytes))).toMatchObject({ ok: false, code: 'BAD_REQUEST' })
  })

  test('takes the place of one that a killed process left', async () => {
    const address = await listen(async () => ({ which: 1 }))
    // A second listener on the same address: the first one's file is what a kill leaves.
    const second = await ControlServer.listen(address, async () => ({ which: 2 }))
    expect(await askProcess(address, { command: 'ping' })).toMatchObject({ result: { which: 2 } })
    await second.close()
  })

  test('does not remove what is no socket', async () => {
    const address = controlAddress(directory)
    writeFileSync(address, 'precious')
    await expect(ControlServer.listen(address, async () => ({}))).rejects.toThrow(/no socket/)
  })

  test('cuts off who waits when it closes, and closes once', async () => {
    let asked = (): void => {}
    const wasAsked = new Promise<void>((resolve) => (asked = resolve))
    const address = await listen(() => {
      asked()
      return new Promise(() => {})
    })
    const answer = askProcess(address, { command: 'ping' }).catch((error: unknown) => error)
    await wasAsked
    await Promise.all([server?.close(), server?.close()])
    expect(await answer).toMatchObject({ message: expect.stringContaining('ended before it answered') })
  })

  test('that nobody listens on means that nothing runs', async () => {
    await expect(askProcess(controlAddress(directory), { command: 'ping' })).rejects.toThrow(NotRunningError)
  })
})

describe('its address', () => {
  test('lies in the data directory', () => {
    expect(controlAddress(directory)).toBe(join(directory, 'millrace.sock'))
  })

  test('lies elsewhere, and works, where that would be too long for a socket', async () => {
    const deep = join(directory, 'a'.repeat(120))
    mkdirSync(deep)
    const address = controlAddress(deep)
    expect(Buffer.byteLength(address)).toBeLessThan(104)
    expect(controlAddress(`${deep}b`)).not.toBe(address)
    server = await ControlServer.listen(address, async () => ({}))
    expect(await askProcess(address, { command: 'ping' })).toMatchObject({ ok: true })
  })
})

describe('the run file', () => {
  test('says who runs and where', () => {
    const run = { pid: 7, control: '/c', url: 'http://127.0.0.1:1', startedAt: '2026-01-01T00:00:00.000Z' }
    writeRunFile(directory, run)
    expect(readRunFile(directory)).toEqual(run)
    expect(statSync(join(directory, RUN_FILE)).mode & 0o777).toBe(0o600)
  })

  test.each(['', '{', 'null', '{"pid":"7"}'])('with %j in it says nothing', (content) => {
    writeFileSync(join(directory, RUN_FILE), content)
    expect(readRunFile(directory)).toBeUndefined()
  })
})
