/** Data directories that earlier programs wrote, opened by this one. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { freshDirectory, getJson, ROOT, run, startShop, stop } from './command.ts'
import { ask } from './coupons.ts'

const FIXTURES = join(ROOT, 'test/fixtures/data-directory')
const earlier = readdirSync(FIXTURES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const SAME_TOPICS = ['--set', 'topics.partitions=1']

function unpacked(name: string): string {
  const target = join(freshDirectory(), 'data')
  mkdirSync(target)
  for (const file of readdirSync(join(FIXTURES, name)))
    writeFileSync(join(target, basename(file, '.gz')), gunzipSync(readFileSync(join(FIXTURES, name, file))))
  return target
}

test('there are some', () => {
  expect(earlier).toContain('first')
})

describe.each(earlier)('the data directory %s', (name) => {
  test('is whole to the check', async () => {
    const { code, stdout } = await run(['state', 'verify', '--json', '--data-dir', unpacked(name)])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ damages: [] })
  })

  test('opens, answers as it did, goes on, and opens again', async () => {
    const dataDir = unpacked(name)
    const first = await startShop(dataDir, ...SAME_TOPICS)
    const verdicts = async (url: string) =>
      Promise.all(['ann', 'bob', 'eve'].map((user) => getJson(`${url}/v1/coupons/spring/requests/r-${user}`)))
    const before = await verdicts(first.url)
    expect(before.map(({ status }) => status)).toEqual(['ISSUED', 'ISSUED', 'REJECTED'])
    expect(await getJson(`${first.url}/v1/users/ann/coupons`)).toMatchObject({ items: [{}] })
    expect(await ask(first, 'spring', 'dan', 'r-dan')).toMatchObject({ status: 'REJECTED' })
    await stop(first)

    const second = await startShop(dataDir, ...SAME_TOPICS)
    expect(await verdicts(second.url)).toEqual(before)
    await stop(second)
    expect((await run(['state', 'verify', '--data-dir', dataDir])).code).toBe(0)
  })

  test('is not rebuilt by a program whose verdicts say more than they did: it says so, and the way out', async () => {
    const dataDir = unpacked(name)
    const target = join(freshDirectory(), 'rebuilt')
    const args = ['state', 'rebuild', 'coupon-issuance', '--to', target, '--data-dir', dataDir]
    const { code, stdout, stderr } = await run([...args, ...SAME_TOPICS])
    expect(code).toBe(3)
    expect(`${stdout}${stderr}`).toMatch(
      /decides batch \d+ otherwise than it did[^]*reset it; nothing was written/,
    )
    expect(existsSync(target)).toBe(false)
  })
})
