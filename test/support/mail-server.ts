/** A real SMTP server that keeps what it takes, and misbehaves on command. */
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { onTestFinished } from 'vitest'
import { testCertificate, testKey } from './certificate.ts'

export interface Received {
  readonly messageId: string
  readonly to: readonly string[]
  readonly raw: string
  readonly user: string | undefined
  readonly secure: boolean
}

export const LOGIN = { user: 'shop', password: 'correct horse' }

export class MailServer {
  readonly received: Received[] = []
  /** Answers to recipients, the first to the next one; undefined takes it. */
  readonly recipients: (Error | undefined)[] = []
  /** Answers to senders. */
  readonly senders: (Error | undefined)[] = []
  /** Answers to messages. */
  readonly messages: (Error | undefined)[] = []
  /** Connections that are cut once their message was taken, before anybody is told. */
  cuts = 0
  readonly #server: SMTPServer

  private constructor(options: SMTPServerOptions) {
    this.#server = new SMTPServer({
      name: 'mail.test',
      logger: false,
      ...options,
      onAuth: ({ username, password }, _session, done) => {
        if (username === LOGIN.user && password === LOGIN.password) done(null, { user: username })
        else done(refusal(535, '5.7.8 no'))
      },
      onMailFrom: (_address, _session, done) => done(this.senders.shift()),
      onRcptTo: (_address, _session, done) => done(this.recipients.shift()),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          const refused = this.messages.shift()
          if (refused !== undefined) return done(refused)
          const raw = Buffer.concat(chunks).toString()
          const { user, secure, envelope } = session
          this.received.push({
            messageId: /^Message-ID: (.+)$/im.exec(raw)?.[1]?.trim() ?? '',
            to: envelope.rcptTo.map(({ address }) => address),
            raw,
            user,
            secure,
          })
          if (this.cuts-- > 0) return this.cut()
          done()
        })
      },
    })
    this.#server.on('error', () => {})
  }

  /** Listens on a port of its own until the test is over. Behind TLS from the first byte unless told. */
  static async open(options: SMTPServerOptions = {}): Promise<MailServer> {
    const server = new MailServer({ secure: true, key: testKey, cert: testCertificate, ...options })
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => server.close())
    return server
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port
  }

  /** Message-IDs, each once. */
  get ids(): readonly string[] {
    return [...new Set(this.received.map(({ messageId }) => messageId))]
  }

  /** Every connection ends, with nothing said. */
  cut(): void {
    for (const { _socket: socket } of this.#server.connections as Set<{ _socket: { destroy(): void } }>)
      socket.destroy()
  }

  close(): Promise<void> {
    this.cut()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** What the server says no with. */
export function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}
