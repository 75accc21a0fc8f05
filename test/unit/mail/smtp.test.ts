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

test.each([
  // Of the recipient: nobody has the address.
  [550, '5.1.1 ann@example.org: no such user', { status: 'BOUNCED', codes: '550 5.1.1' }],
  [550, 'ann@example.org: no such user', { status: 'BOUNCED', codes: '550' }],
  [551, 'ann@example.org lives elsewhere', { status: 'BOUNCED', codes: '551' }],
  [553, 'ann@example.org is not a mailbox', { status: 'BOUNCED', codes: '553' }],
  [550, '5.1.10 ann@example.org takes no mail', { status: 'BOUNCED', codes: '550 5.1.10' }],
  [550, '5.2.1 ann@example.org is disabled', { status: 'BOUNCED', codes: '550 5.2.1' }],
  // Of the mail.
  [552, '5.2.2 ann@example.org: mailbox full', { status: 'FAILED', codes: '552 5.2.2' }],
  [554, 'transaction failed', { status: 'FAILED', codes: '554' }],
  // Of us.
  [554, '5.7.1 ann@example.org: Relay access denied', { status: 'DEFERRED', codes: '554 5.7.1' }],
  [550, '5.7.1 Client host blocked', { status: 'DEFERRED', codes: '550 5.7.1' }],
  [553, '5.7.1 Sender address rejected', { status: 'DEFERRED', codes: '553 5.7.1' }],
  [550, '5.1.8 Sender address rejected', { status: 'DEFERRED', codes: '550 5.1.8' }],
  // Not now.
  [452, '4.2.2 ann@example.org: mailbox full', { status: 'DEFERRED', codes: '452 4.2.2' }],
  [450, 'ann@example.org: greylisted', { status: 'DEFERRED', codes: '450' }],
])('%i %s to the recipient', async (code, words, outcome) => {
  const server = await MailServer.open()
  const transport = transportTo(server)
  server.recipients.push(refusal(code, words))
  expect(await transport.send(mail, never)).toEqual(outcome)
  expect(await transport.send(mail, never)).toEqual({ status: 'SENT' })
})

test.each([
  [554, '5.6.0 not like this', { status: 'FAILED', codes: '554 5.6.0' }],
  [550, '5.7.1 spam', { status: 'FAILED', codes: '550 5.7.1' }],
  [451, '4.3.0 later', { status: 'DEFERRED', codes: '451 4.3.0' }],
])('%i %s to the message', async (code, words, outcome) => {
  const server = await MailServer.open()
  const transport = transportTo(server)
  server.messages.push(refusal(code, words))
  expect(await transport.send(mail, never)).toEqual(outcome)
  expect(await transport.send(mail, never)).toEqual({ status: 'SENT' })
})

test('a server that closes, or does not take our sender, takes no mail at all: all wait', async () => {
  const server = await MailServer.open()
  const transport = transportTo(server)
  server.recipients.push(refusal(421, '4.3.2 ann@example.org: shutting down'))
  const closing = transport.send(mail, never)
  await expect(closing).rejects.toMatchObject({ name: 'Unavailable' })
  await closing.catch((error: Error) => expect(error.message).not.toContain('ann'))
  server.senders.push(refusal(550, '5.7.1 not from you'))
  await expect(transport.send(mail, never)).rejects.toMatchObject({ name: 'Unavailable' })
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
