import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freshDirectory, getJson, run, start } from './command.ts'

test('the demo passes its own checks, ends with --exit and leaves nothing behind', async () => {
  const tmp = freshDirectory()
  const { code, stdout, stderr } = await run(['demo', '--exit'], { TMPDIR: tmp })
  expect(stdout + stderr).not.toContain('FAIL')
  expect(stdout.match(/^ {2}ok /gm)).toHaveLength(10)
  expect(stdout).toMatch(/Best sellers of \d{4}-\d\d-\d\d\n.*\n {5}1 /)
  expect(stdout).toContain('1,559 orders with 41,480 lines')
  expect(stdout).toContain('20,000 requests')
  expect(code).toBe(0)
  expect(readdirSync(tmp)).toEqual([])
})

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
})
