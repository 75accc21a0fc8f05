/** Mails as `.eml` files, one per mailId: written again, a mail is the same file. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { Unavailable } from '../frame/connector.ts'
import { composed } from './compose.ts'
import type { MailTransport } from './transport.ts'

/** Made of ids only; ours are hexadecimal. */
const FILE_NAME = /^[0-9a-f]{1,64}$/

export async function fileTransport(directory: string, from: string): Promise<MailTransport> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const composer = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
  return {
    async send(mail) {
      if (!FILE_NAME.test(mail.mailId)) return { status: 'FAILED', codes: 'mailId' }
      const { message } = await composer.sendMail(composed(mail, from))
      const path = join(directory, `${mail.mailId}.eml`)
      try {
        // Whole or not at all: a crash leaves no half of a mail under its name.
        await writeFile(`${path}.partial`, message as Buffer, { mode: 0o600 })
        await rename(`${path}.partial`, path)
      } catch (cause) {
        throw new Unavailable('the mail cannot be written', { cause })
      }
      return { status: 'SENT' }
    },
    close: () => Promise.resolve(composer.close()),
  }
}
