/** A whole shop whose customers get mails: asked for, opened, written as files, and said on a topic. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { topics } from '../../schemas/index.ts'
import { testCertificate } from '../support/certificate.ts'
import { MailServer, refusal } from '../support/mail-server.ts'
import { filesWith } from '../support/directory-bytes.ts'
import { valuesOf } from '../support/read-all.ts'
import { freshDirectory } from './command.ts'
import { call, openShop, orderIn, WAIT } from './order-shop.ts'

const email = 'ann.secret@hidden.example'
const mailsOf = (dataDir: string): string[] => {
  const directory = join(dataDir, 'mail')
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : []
}
const statuses = async (shop: Shop): Promise<string[]> => {
  return (await valuesOf(shop.log, topics.mailSent)).map(({ template, status }) => `${template} ${status}`)
}

async function order(shop: Shop, userId: string, state = 'COMPLETED'): Promise<void> {
  const items = [{ productId: 'mug', quantity: 2 }]
  const placed = await call(shop, 'POST', '/v1/orders', { userId, items })
  expect(placed.status).toBe(202)
  await orderIn(shop, placed.body['orderId'] as string, state)
}

test('a customer with an address gets a mail, one who was erased or never gave one gets none, and all of it is said', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop({ 'mail.shopName': 'Corner Shop', 'mail.from': 'shop@shop.example' }, dataDir)
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Blue mug', price: 300, received: 100 })
  await call(shop, 'PUT', '/v1/users/ann', { email, locale: 'ko-KR' })
  await order(shop, 'ann')
  await expect.poll(() => statuses(shop), WAIT).toEqual(['order-completed SENT'])
  const [file] = mailsOf(dataDir)
  const mail = readFileSync(file as string, 'utf8')
  expect(mail).toContain(`To: ${email}`)
  expect(mail).toMatch(/^Message-ID: <[0-9a-f]{32}@shop\.example>/m)
  expect(mail).toContain('From: shop@shop.example')
  expect(mail).toContain('lang=3D"ko-KR"')

  await order(shop, 'bob')
  await expect.poll(() => statuses(shop), WAIT).toHaveLength(2)
  expect(await statuses(shop)).toContain('order-completed NO_ADDRESS')
  expect((await call(shop, 'DELETE', '/v1/users/ann/personal-data')).status).toBe(200)
  await order(shop, 'ann')
  await expect.poll(() => statuses(shop), WAIT).toHaveLength(3)
  expect(await statuses(shop)).toContain('order-completed ERASED')
  expect(mailsOf(dataDir)).toHaveLength(1)

  const connectors = (await call(shop, 'GET', '/v1/ops/connectors')).body['connectors']
  expect(connectors).toMatchObject([{ name: 'mail', state: 'running', breaker: 'closed' }])
  await shop.close()
  // I25: the one file that was sent, and nothing else that the shop wrote.
  expect(await filesWith(dataDir, Buffer.from(email))).toEqual([file])
}, 120_000)

test('an address that bounced gets no more mails until an operator lets them go there again', async () => {
  const server = await MailServer.open({ authOptional: true })
  const caFile = join(freshDirectory(), 'ca.pem')
  writeFileSync(caFile, testCertificate)
  const shop = await openShop({
    'mail.transport': 'smtp',
    'mail.host': 'localhost',
    'mail.port': String(server.port),
    'mail.security': 'tls',
    'mail.ca': caFile,
  })
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Blue mug', price: 300, received: 100 })
  await call(shop, 'PUT', '/v1/users/ann', { email })
  server.recipients.push(refusal(550, `5.1.1 ${email} is nobody`))
  await order(shop, 'ann')
  await expect.poll(() => statuses(shop), WAIT).toEqual(['order-completed BOUNCED'])
  const path = '/v1/ops/mail/suppressed'
  const list = async () => (await call(shop, 'GET', path)).body['suppressed']
  await expect.poll(list, WAIT).toMatchObject([{ userId: 'ann', reason: '550 5.1.1' }])
  expect(JSON.stringify(await list())).not.toContain('hidden.example')
  // The mailer has the bounce too, a moment later.
  await expect
    .poll(async () => {
      await order(shop, 'ann')
      return (await statuses(shop)).filter((one) => one.endsWith('SUPPRESSED')).length
    }, WAIT)
    .toBeGreaterThan(0)
  expect((await call(shop, 'POST', `${path}/ann/release`)).body).toEqual({
    userId: 'ann',
    status: 'RELEASED',
    known: true,
  })
  await expect.poll(list, WAIT).toEqual([])
  const before = server.received.length
  await order(shop, 'ann')
  await expect.poll(() => server.received.length, WAIT).toBeGreaterThan(before)
}, 120_000)

test('mail that is off is not asked for', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop({ 'mail.transport': 'off' }, dataDir)
  await call(shop, 'PUT', '/v1/products/mug', { title: 'Blue mug', price: 300, received: 100 })
  await order(shop, 'ann')
  expect((await call(shop, 'GET', '/v1/ops/connectors')).body).toEqual({ connectors: [] })
  expect(mailsOf(dataDir)).toEqual([])
})
