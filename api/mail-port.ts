/** Mails as the API needs them. */

export interface MailPort {
  /** Nothing where no mails are sent. Throws `TASK_NOT_HERE` until the bounces are read. */
  suppressedMails(): SuppressedMails | undefined
}

/** Users whose addresses mails came back from. Where they are very many, those that bounced longest ago are not known. */
export interface SuppressedMails {
  /** The last ones, the last one first. */
  newest(limit: number): readonly SuppressedMail[]
  of(userId: string): SuppressedMail | undefined
}

/** No address: it is sealed, and stays so. */
export interface SuppressedMail {
  readonly userId: string
  /** The server's codes. */
  readonly reason: string
  /** The mail that came back. */
  readonly mailId: string
  /** Epoch milliseconds. */
  readonly at: number
}
