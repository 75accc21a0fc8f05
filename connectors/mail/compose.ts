/** A mail in nodemailer's words. */
import type { SendMailOptions } from 'nodemailer'
import type { OutgoingMail } from './transport.ts'

export function composed(mail: OutgoingMail, from: string): SendMailOptions {
  const { messageId, mailId, to, subject, text, html, date } = mail
  return {
    from,
    to: [{ name: '', address: to }],
    messageId,
    subject,
    text,
    html,
    date: new Date(date),
    // Answering machines leave it alone (RFC 3834).
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Mail-Id': mailId },
    // Nothing of what is rendered names a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
