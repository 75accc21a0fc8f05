/** Where mails go, and what may become of one. */

/** A mail on its way out. */
export interface OutgoingMail {
  /** Stable: a mail that arrives twice is known by it. */
  readonly messageId: string
  readonly mailId: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Epoch milliseconds. */
  readonly date: number
}

/** `codes`: of the server, for example `550 5.1.1`; never its words, which quote addresses. */
export type MailOutcome =
  | { readonly status: 'SENT' }
  /** There is nobody at this address. */
  | { readonly status: 'BOUNCED'; readonly codes: string }
  /** The server refuses this mail for good. */
  | { readonly status: 'FAILED'; readonly codes: string }
  /** The server does not take this mail now; others it may take. */
  | { readonly status: 'DEFERRED'; readonly codes: string }

export interface MailTransport {
  /** Rejects with an `Unavailable` where the server takes no mail at all. */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<MailOutcome>
  /** Idempotent. */
  close(): Promise<void>
}

/** What addresses are kept out: nodemailer would take a list, or a name with it. */
const ADDRESS = /^[^\s@<>(),;:\\"[\]]{1,64}@[^\s@<>(),;:\\"[\]]{1,253}$/u

export function isAddress(text: string): boolean {
  return ADDRESS.test(text)
}
