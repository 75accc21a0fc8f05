/** Mails as the API needs them. */

export interface MailPort {
  /**
   * Users whose addresses mails came back from; nothing where no mails are sent. Throws `TASK_NOT_HERE` until they are
   * read.
   */
  suppressedMails(): readonly SuppressedMail[] | undefined
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
