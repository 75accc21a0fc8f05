/** The connectors that ship as examples do what they say. */
import { appendFile, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readDeadLetter, systemClock } from '../../../streams/index.ts'
import { httpPost } from '../../../samples/connectors/http-post.ts'
import { ndjsonFiles } from '../../../samples/connectors/ndjson-files.ts'
import { ConnectorRig, events, until } from '../../support/connector-rig.ts'
import { scratchDirectory } from '../../support/scratch.ts'

test('http-post: what the server does not take now comes again under the same key, what it refuses is set aside', async () => {
  const seen: { readonly key: string; readonly value: string }[] = []
  const busy = new Set(['b'])
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { value } = JSON.parse(Buffer.concat(chunks).toString()) as { value: string }
      seen.push({ key: String(request.headers['idempotency-key']), value })
      const status = busy.delete(value) ? 503 : value === 'bad' ? 400 : 204
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const rig = await ConnectorRig.open('embedded', systemClock)
  const connector = httpPost({ name: 'post', topic: events, url, concurrency: 2 })
  await rig.topicsOf(connector)
  await rig.append(events, ['a', 'b', 'bad', 'c'])
  const runner = await rig.start(connector)
  await until(async () => (await rig.committed(connector, events)) === 4)
  await runner.stop()
  const keysOf = (one: string) => seen.filter(({ value }) => value === one).map(({ key }) => key)
  expect(keysOf('b')).toHaveLength(2)
  expect(new Set(keysOf('b')).size).toBe(1)
  expect(new Set(seen.map(({ value }) => value))).toEqual(new Set(['a', 'b', 'bad', 'c']))
  const letters = (await rig.records('events.dlq')).map(readDeadLetter)
  expect(letters).toMatchObject([{ error: 'Rejected', message: 'HTTP 400' }])
  await rig.log.close()
})

test('ndjson-files: each record is one line, also after a crash that cut a line short', async () => {
  const directory = await scratchDirectory('ndjson')
  const rig = await ConnectorRig.open('embedded')
  const connector = ndjsonFiles({ name: 'files', topic: events, directory })
  const path = join(directory, 'events-0.ndjson')
  const values = async (): Promise<string[]> => {
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    return lines.map((line) => (JSON.parse(line) as { value: string }).value)
  }
  await rig.topicsOf(connector)
  await rig.append(events, ['a', 'b'])
  const first = await rig.start(connector)
  await until(async () => (await rig.committed(connector, events)) === 2)
  await first.stop()
  await appendFile(path, '{"offset":2,"key":"c')
  await rig.reopen()
  const second = await rig.start(connector)
  await rig.append(events, ['c', 'd'])
  await until(async () => (await rig.committed(connector, events)) === 4)
  await second.stop()
  expect(await values()).toEqual(['a', 'b', 'c', 'd'])
  await rig.log.close()
})
