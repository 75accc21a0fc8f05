/** Boards as a stream. */
import { expect, it } from 'vitest'
import { EventReader } from './event-reader.ts'
import { pair } from './peer-support.ts'
import { serve, snapshot } from './support.ts'

const EVENTS = '/v1/rankings/day/events'

it('tells the board as it stands, then each change, and nothing where nothing changed', async () => {
  const { url, pipeline } = await serve()
  pipeline.setBoard(snapshot({ revision: 8 }))
  const reader = await EventReader.open(url + EVENTS)
  await reader.until('"revision":8')
  pipeline.setBoard(snapshot({ revision: 8 }))
  pipeline.setBoard(snapshot({ revision: 9 }))
  await reader.until('"revision":9')
  expect(reader.data.map(({ revision }) => revision)).toEqual([8, 9])
  await reader.cancel()
})

it('goes on after Last-Event-ID: a board that was told is told again only once it changed', async () => {
  const { url, pipeline } = await serve()
  pipeline.setBoard(snapshot({ revision: 8 }))
  const first = await EventReader.open(`${url}${EVENTS}?limit=1`)
  await first.until('board')
  await first.until('\n\n')
  const [, id] = /^id: (.*)$/m.exec(await first.until('"revision":8')) ?? []
  await first.cancel()
  const again = await EventReader.open(`${url}${EVENTS}?limit=1`, id)
  // Beyond the first place nothing is asked for, so nothing changes.
  pipeline.setBoard(snapshot({ revision: 8, entries: snapshot().entries.slice(0, 1) }))
  pipeline.setBoard(snapshot({ revision: 10 }))
  await again.until('"revision":10')
  expect(again.data.map(({ revision }) => revision)).toEqual([10])
  await again.cancel()
})

it('of no such window: 404', async () => {
  const { url } = await serve()
  const answer = await fetch(`${url}/v1/rankings/year/events`)
  expect([answer.status, await answer.json()]).toMatchObject([404, { code: 'UNKNOWN_WINDOW' }])
})

it('is told by a process that does not have the board', async () => {
  const { asked, owner } = await pair({})
  owner.pipeline.setBoard(snapshot({ revision: 8 }))
  const reader = await EventReader.open(asked.url + EVENTS)
  await reader.until('"revision":8')
  owner.pipeline.setBoard(snapshot({ revision: 9 }))
  await reader.until('"revision":9')
  await reader.cancel()
})
