/** Mails through a real SMTP server: TLS, a login, and what it says no with. */
import { expect, test } from 'vitest'
import { type OutgoingMail, type SmtpOptions, smtpTransport } from '../../../connectors/index.ts'
import { testCertificate } from '../../support/certificate.ts'
import { LOGIN, MailServer, refusal } from '../../support/mail-server.ts'
import { onTestFinished } from 'vitest'

const never = new AbortController().signal
const mail: OutgoingMail = {
  messageId: '<m1@shop.example>',
  mailId: 'm1',
  to: 'ann@example.org',
  subject: '주문 확인',
  text: 'plain words',
  html: '<p>marked words</p>',
  date: Date.UTC(2026, 0, 1),
}

function transportTo(server: MailServer, options: Partial<SmtpOptions> = {}) {
  const transport = smtpTransport({
    host: 'localhost',
    port: server.port,
    security: 'tls',
    ca: testCertificate,
    ...LOGIN,
    connections: 2,
    timeoutMs: 5_000,
    from: 'shop@shop.example',
    ...options,
  })
  onTestFinished(() => transport.close())
  return transport
}

test('a mail goes out over TLS, after a login, as text and HTML, under its own Message-ID', async () => {
  const server = await MailServer.open()
  expect(await transportTo(server).send(mail, never)).toEqual({ status: 'SENT' })
  expect(server.received).toMatchObject([
    { messageId: '<m1@shop.example>', to: ['ann@example.org'], user: 'shop', secure: true },
  ])
  const raw = server.received[0]?.raw ?? ''
  expect(raw).toContain('multipart/alternative')
  expect(raw).toContain('plain words')
  expect(raw).toContain('<p>marked words</p>')
  expect(raw).toContain('Auto-Submitted: auto-generated')
  expect(raw).toContain('Date: Thu, 01 Jan 2026 00:00:00 +0000')
})

test('STARTTLS is insisted on', async () => {
  const server = await MailServer.open({ secure: false })
  await transportTo(server, { security: 'starttls' }).send(mail, never)
  expect(server.received).toMatchObject([{ secure: true }])
  const plain = await MailServer.open({ secure: false, hideSTARTTLS: true, disabledCommands: ['STARTTLS'] })
  const refused = transportTo(plain, { security: 'starttls' }).send(mail, never)
  await expect(refused).rejects.toMatchObject({ name: 'Unavailable' })
  expect(plain.received).toEqual([])
})

test('a server whose certificate nobody we trust has signed gets nothing', async () => {
  const server = await MailServer.open()
  const sent = transportTo(server, { ca: undefined }).send(mail, never)
  await expect(sent).rejects.toMatchObject({ name: 'Unavailable' })
  expect(server.received).toEqual([])
})

test('with a wrong password nothing is wrong with the mail', async () => {
  const server = await MailServer.open()
  const sent = transportTo(server, { password: 'wrong' }).send(mail, never)
  await expect(sent).rejects.toMatchObject({ name: 'Unavailable' })
})

test('a 4xx is tried again; a 5xx to the recipient is a bounce, to the message a failure', async () => {
  const server = await MailServer.open()
  const transport = transportTo(server)
  server.recipients.push(refusal(451, '4.7.1 greylisted, ann@example.org'))
  const later = transport.send(mail, never)
  await expect(later).rejects.toMatchObject({ name: 'Unavailable' })
  await later.catch((error: Error) => expect(error.message).not.toContain('ann'))
  server.recipients.push(refusal(550, '5.1.1 ann@example.org is unknown'))
  expect(await transport.send(mail, never)).toEqual({ status: 'BOUNCED', codes: '550 5.1.1' })
  server.messages.push(refusal(554, '5.6.0 not like this'))
  expect(await transport.send(mail, never)).toEqual({ status: 'FAILED', codes: '554 5.6.0' })
  expect(await transport.send(mail, never)).toEqual({ status: 'SENT' })
})

test('a connection that is cut after DATA leaves doubt: the mail comes twice, under one Message-ID', async () => {
  const server = await MailServer.open()
  const transport = transportTo(server)
  server.cuts = 1
  await expect(transport.send(mail, never)).rejects.toMatchObject({ name: 'Unavailable' })
  expect(await transport.send(mail, never)).toEqual({ status: 'SENT' })
  expect(server.received).toHaveLength(2)
  expect(server.ids).toEqual(['<m1@shop.example>'])
})
