import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freshDirectory, getJson, run, start } from './command.ts'

test('I10 to I21: the demo passes its own checks, ends with --exit and leaves nothing behind', async () => {
  const tmp = freshDirectory()
  const { code, stdout, stderr } = await run(['demo', '--exit'], { TMPDIR: tmp })
  expect(stdout + stderr).not.toMatch(/^ {2}FAIL /m)
  expect(stdout.match(/^ {2}ok /gm)).toHaveLength(22)
  expect(stdout).toMatch(/Best sellers of \d{4}-\d\d-\d\d\n.*\n {5}1 /)
  expect(stdout).toContain('1,559 orders with 41,480 lines')
  expect(stdout).toContain('20,000 requests')
  expect(stdout).toContain('2,000 orders of every kind')
  expect(stdout).toMatch(/kind +orders +COMPLETED +FAILED +CANCELLED .*\n +good +\d+ /)
  for (let invariant = 10; invariant <= 21; invariant++) expect(stdout).toMatch(`ok   I${invariant} `)
  const [, kept, sold] = /refunded = ([\d,.]+); sold less returned ([\d,.]+)\n/.exec(stdout) ?? []
  expect(kept).toBe(sold)
  expect(code).toBe(0)
  expect(readdirSync(tmp)).toEqual([])
}, 300_000)

test('without --exit it goes on serving until a signal, whatever the surroundings say', async () => {
  const tmp = freshDirectory()
  const demo = start(['demo'], { TMPDIR: tmp, MILLRACE_DATA_DIR: '/nowhere', MILLRACE_HOST: '0.0.0.0' })
  const stdout = await demo.said(/goes on serving/)
  const url = /http:\/\/[\d.:]+/.exec(stdout)?.[0]
  expect(await getJson(`${url}/v1/coupons/demo-rush`)).toMatchObject({
    quota: 1_000,
    issued: 1_000,
    remaining: 0,
  })
  demo.kill('SIGINT')
  expect((await demo.finished).code).toBe(0)
  expect(readdirSync(tmp)).toEqual([])
}, 300_000)
